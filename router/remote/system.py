"""The machine's clock, chance and names."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime
from random import random

_NANOSECONDS_PER_MILLISECOND = 1_000_000


class SystemClock:
    """Implements router.ports.Clock; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_stamp = 0

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the port that everything else asks

    def monotonic(self) -> float:
        return time.monotonic()

    def jitter(self) -> float:
        return random()  # noqa: S311 - spreads retries; nothing secret depends on it

    def new_id(self) -> str:
        """A UUID version 7: ids of one process sort in the order they were made.

        The 12 bits after the milliseconds hold their fraction, and step on when the clock does not
        (https://www.rfc-editor.org/rfc/rfc9562#section-6.2, method 3).
        """
        stamp = self._next_stamp()
        milliseconds, fraction = stamp >> 12, stamp & 0xFFF
        tail = secrets.randbits(62) | 1 << 63
        digits = f"{milliseconds:012x}7{fraction:03x}{tail:016x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _next_stamp(self) -> int:
        """Milliseconds with a 12-bit fraction, always above the one before."""
        milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MILLISECOND)
        stamp = milliseconds << 12 | (rest << 12) // _NANOSECONDS_PER_MILLISECOND
        with self._lock:
            self._last_stamp = max(stamp, self._last_stamp + 1)
            return self._last_stamp
