"""`flux-router serve` whose wall clock jumps when it is told to; its monotonic clock does not.

    python -m bench.soak.clock FILE

FILE holds the seconds to add, as eight bytes that another process may change at any time. Whatever
the service asks for the time of day is moved: its own clock, and Python's `time.time`.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from router import bootstrap
from router.cli.app import main
from router.remote.system import SystemClock

_SECONDS = struct.Struct("d")


class Offset:
    """How far the wall clock is off, shared through a file."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(_SECONDS.pack(0.0))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _SECONDS.size)

    @property
    def seconds(self) -> float:
        (found,) = _SECONDS.unpack(self._shared[:])
        return float(found)

    @seconds.setter
    def seconds(self, value: float) -> None:
        self._shared[:] = _SECONDS.pack(value)


class JumpingClock(SystemClock):
    """The machine's clock, as far off as Python's `time.time` is."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - this is such a clock


def serve(offset: Offset) -> None:
    read, read_ns = time.time, time.time_ns  # noqa: TID251 - this is what moves them
    setattr(time, "time", lambda: read() + offset.seconds)  # noqa: B010 - replaced on purpose
    setattr(time, "time_ns", lambda: read_ns() + int(offset.seconds * 1e9))  # noqa: B010
    setattr(bootstrap, "SystemClock", JumpingClock)  # noqa: B010
    sys.argv.append("serve")
    main()


if __name__ == "__main__":
    serve(Offset(Path(sys.argv.pop())))
