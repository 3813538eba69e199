from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.retry import MAX_DELAY_SECONDS, MAX_RETRY_AFTER_SECONDS, next_delay_seconds


@pytest.mark.parametrize(
    ("failures", "jitter", "retry_after", "expected"),
    [
        (1, 0.5, None, 0.5),
        (2, 0.5, None, 1.0),
        (5, 0.5, None, 8.0),
        (9, 0.5, None, 128.0),
        (10, 0.5, None, 150.0),  # the cap: half of five minutes
        (10_000, 0.5, None, 150.0),  # no overflow, no giving up
        (1, 0.5, 30.0, 30.0),  # the receiver asked for more
        (10, 0.5, 1.0, 150.0),  # it asked for less than we wait anyhow
        (1, 0.0, 86_400.0, MAX_RETRY_AFTER_SECONDS),  # a day is not believed
    ],
)
def test_the_delay_doubles_up_to_the_cap_and_honours_retry_after(
    failures: int, jitter: float, retry_after: float | None, expected: float
) -> None:
    delay = next_delay_seconds(failures, jitter=jitter, retry_after_seconds=retry_after)
    assert delay == expected


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_the_delay_grows_with_failures_and_stays_under_the_cap(
    failures: int, jitter: float
) -> None:
    delay = next_delay_seconds(failures, jitter=jitter)
    assert 0 <= delay <= MAX_DELAY_SECONDS
    assert next_delay_seconds(failures + 1, jitter=jitter) >= delay
