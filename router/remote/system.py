"""The machine's clock, chance and names; open files, and how the interpreter spends its time."""

from __future__ import annotations

import gc
import resource
import secrets
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from random import random

MAX_OPEN_FILES = 8_192
"""Room for the deliveries that may wait, for those that are refused meanwhile, and for calls. Each
connection is such a file, and takes up to 84 KiB with its headers: 700 MiB if all were hostile."""

_NANOSECONDS_PER_MILLISECOND = 1_000_000

COLLECT_AFTER_OBJECTS = 10_000
"""New objects after which the youngest are looked through: those of some hundred pushes."""

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while another waits for it; Python's own is 5 ms."""


class SystemClock:
    """Implements router.ports.clock.Clock; safe to share between threads."""

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


def allow_open_files() -> None:
    """Raise the number of files that may be open, as far as the machine lets us.

    Shells and systemd start with 1,024, for the sake of programs that use select(2). Over it
    connections are closed without an answer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # what was allowed stays so
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_what_started() -> None:
    """Spare the garbage collector what lives as long as the service: libraries, routing, parts.

    A full collection would walk all of it, with every layer, while pushes wait. Requests leave next
    to nothing behind that only a collection would free, so that it can be run more seldom.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


def share_interpreter() -> None:
    """Let threads have their turn sooner.

    A commit takes a dozen steps in the store's thread. Before each of them it may have to wait for
    the event loop to let go of the interpreter, which a busy one does only when this time is over.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
