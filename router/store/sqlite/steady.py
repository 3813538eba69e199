"""The time that leases and due times run on: no jump of the wall clock moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.store.rows import seconds_to_micros, to_micros

if TYPE_CHECKING:
    from router.ports.clock import Clock


class SteadyTime:
    """The time of day at the start, and from then on what the monotonic clock says has passed.

    On the wall clock itself, a jump ahead would end leases of calls under way, so that their
    receivers were called twice at once; a jump back would keep waiting receivers waiting.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = to_micros(clock.now()) - seconds_to_micros(clock.monotonic())

    def now(self) -> int:
        """Now, in microseconds."""
        return self._started + seconds_to_micros(self._clock.monotonic())
