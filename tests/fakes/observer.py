"""An Observer that remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt, Claim, Problem, Saved


class RecordingObserver:
    """Keeps what it was told, in order."""

    def __init__(self) -> None:
        self.saved: list[Saved] = []
        self.planned: list[Saved] = []
        self.closed: list[tuple[str, str, str]] = []
        self.read: list[tuple[str, str | None]] = []
        self.swept: list[tuple[str, bool]] = []
        self.dropped: list[str] = []
        self.issuers: list[tuple[str, str | None]] = []
        self.rejected: list[tuple[str, int, str]] = []
        self.attempts: list[Attempt] = []
        self.retry_seconds: list[float | None] = []
        self.loaded: list[tuple[int, tuple[str, ...]]] = []
        self.followed: list[int] = []
        self.problems: list[tuple[Problem, ...]] = []
        self.failures: list[tuple[str, BaseException]] = []

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        self.saved.append(saved)

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        self.rejected.append((hook, status, code))

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        self.planned.append(saved)

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        self.closed.append((repository, delivery, status))

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        self.read.append((repository, trouble))

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        self.swept.append((repository, is_moved))

    def repository_dropped(self, *, repository: str) -> None:
        self.dropped.append(repository)

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        self.issuers.append((issuer, trouble))

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None:
        self.attempts.append(attempt)
        self.retry_seconds.append(retry_seconds)

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None:
        self.loaded.append((number, tuple(adopted)))

    def routing_rejected(self, problems: Sequence[Problem]) -> None:
        self.problems.append(tuple(problems))

    def routing_followed(self, *, number: int, reason: str) -> None:
        self.followed.append(number)

    def failed(self, *, task: str, error: BaseException) -> None:
        self.failures.append((task, error))
