"""Port to those who are told of every outcome: logs and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt, Claim, Problem, Saved


class Observer(Protocol):
    """Told of every outcome, for logs and metrics. Must not raise and must not block."""

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None: ...

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        """*hook* is a configured name, or "unknown"; *client* is the sender's address."""
        ...

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        """Git mode: a look at a Git host led to plans, so long after the delivery was received."""
        ...

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        """Git mode: an update that waited leads to no plan of its own."""
        ...

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        """Git mode: an entry's Git host was asked; *trouble* is why it could not be read."""
        ...

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        """Git mode: a sweep asked for an entry's tips; *is_moved* when one is not planned yet."""
        ...

    def repository_dropped(self, *, repository: str) -> None:
        """Git mode: an entry is not read any more."""
        ...

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        """The keys of an OIDC issuer were asked for; *trouble* is why they could not be read."""
        ...

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None: ...

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None: ...

    def routing_rejected(self, problems: Sequence[Problem]) -> None: ...

    def routing_followed(self, *, number: int, reason: str) -> None:
        """The routing file of another replica is taken over, and not the one on this disk."""
        ...

    def failed(self, *, task: str, error: BaseException) -> None:
        """A background task failed and is started again."""
        ...
