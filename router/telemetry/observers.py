"""Several observers as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt, Claim, Problem, Saved
    from router.ports.observer import Observer


class Observers:
    """Tells each of its observers, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        for observer in self._observers:
            observer.delivery_saved(saved, duration_seconds=duration_seconds)

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        for observer in self._observers:
            observer.delivery_rejected(hook=hook, status=status, code=code, client=client)

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        for observer in self._observers:
            observer.delivery_planned(
                saved, repository=repository, duration_seconds=duration_seconds
            )

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        for observer in self._observers:
            observer.update_closed(
                repository=repository, delivery=delivery, status=status, reason=reason
            )

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        for observer in self._observers:
            observer.repository_read(
                repository=repository,
                trouble=trouble,
                duration_seconds=duration_seconds,
                clone_bytes=clone_bytes,
            )

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        for observer in self._observers:
            observer.repository_swept(repository=repository, is_moved=is_moved)

    def repository_dropped(self, *, repository: str) -> None:
        for observer in self._observers:
            observer.repository_dropped(repository=repository)

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        for observer in self._observers:
            observer.issuer_read(issuer=issuer, trouble=trouble)

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None:
        for observer in self._observers:
            observer.attempt_recorded(
                attempt, claim=claim, cluster=cluster, retry_seconds=retry_seconds
            )

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None:
        for observer in self._observers:
            observer.routing_loaded(number=number, adopted=adopted, warnings=warnings)

    def routing_rejected(self, problems: Sequence[Problem]) -> None:
        for observer in self._observers:
            observer.routing_rejected(problems)

    def routing_followed(self, *, number: int, reason: str) -> None:
        for observer in self._observers:
            observer.routing_followed(number=number, reason=reason)

    def failed(self, *, task: str, error: BaseException) -> None:
        for observer in self._observers:
            observer.failed(task=task, error=error)
