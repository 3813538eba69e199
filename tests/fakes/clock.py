"""A clock that moves only when a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Implements Clock: time stands still, jitter is fixed, ids count up."""

    def __init__(self, at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.at = at
        """The time of day; a test may set it, also back."""
        self.next_jitter = 0.5
        self._seconds = 0.0
        self._ids = 0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self._seconds

    def jitter(self) -> float:
        return self.next_jitter

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids:06}"

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, on the time of day and on the monotonic clock."""
        self.at += timedelta(seconds=seconds)
        self._seconds += seconds
