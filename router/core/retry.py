"""When a failed call is tried again: exponential backoff with full jitter, and never giving up.

Full jitter spreads callers best: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

FIRST_DELAY_SECONDS = 1.0
"""The upper bound before the first retry; it doubles with each failure."""

MAX_DELAY_SECONDS = 300.0
"""No receiver waits longer than five minutes, unless it asks for it."""

MAX_RETRY_AFTER_SECONDS = 3600.0
"""A Retry-After is honoured up to an hour; a typo in a proxy must not silence a layer for days."""

_MAX_DOUBLINGS = 16
"""2**16 seconds is far over the cap; the bound keeps the arithmetic from overflowing."""


def next_delay_seconds(
    failures: int, *, jitter: float, retry_after_seconds: float | None = None
) -> float:
    """Seconds to wait after *failures* (≥ 1) in a row; *jitter* is in [0, 1)."""
    ceiling = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
    asked = min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return max(ceiling * jitter, asked)
