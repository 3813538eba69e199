"""Several observers as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt, Claim, Problem, Saved
    from router.ports import Observer


class Observers:
    """Tells each of its observers, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        for observer in self._observers:
            observer.delivery_saved(saved, duration_seconds=duration_seconds)

    def delivery_rejected(self, *, hook: str, status: int, code: str) -> None:
        for observer in self._observers:
            observer.delivery_rejected(hook=hook, status=status, code=code)

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

    def failed(self, *, task: str, error: BaseException) -> None:
        for observer in self._observers:
            observer.failed(task=task, error=error)
