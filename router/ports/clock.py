"""Port to time, chance and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """Time, chance and names."""

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def jitter(self) -> float:
        """A random number from 0 up to, not including, 1."""
        ...

    def new_id(self) -> str:
        """A new unique id that sorts by time."""
        ...
