from __future__ import annotations

import resource
from collections.abc import Iterator
from datetime import UTC, timedelta
from uuid import RFC_4122, UUID

import pytest

from router.remote.system import MAX_OPEN_FILES, SystemClock, allow_open_files


def test_the_time_of_day_is_aware_and_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.utcoffset() == timedelta(0)


def test_the_monotonic_clock_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_jitter_is_a_fraction_that_varies() -> None:
    clock = SystemClock()
    drawn = {clock.jitter() for _ in range(100)}
    assert all(0 <= jitter < 1 for jitter in drawn)
    assert len(drawn) > 1


def test_ids_are_version_7_uuids_that_sort_in_the_order_they_were_made() -> None:
    clock = SystemClock()
    ids = [clock.new_id() for _ in range(20_000)]  # many in each millisecond
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    for made in ids[:100]:
        assert (UUID(made).version, UUID(made).variant, str(UUID(made))) == (7, RFC_4122, made)


def test_an_id_tells_the_millisecond_it_was_made_in() -> None:
    clock = SystemClock()
    before, made, after = clock.now(), UUID(clock.new_id()), clock.now()
    stamp = made.int >> 80
    millisecond = timedelta(milliseconds=1)
    assert int(before.timestamp() * 1000) <= stamp <= int((after + millisecond).timestamp() * 1000)


@pytest.fixture
def file_limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_files_may_be_open_as_the_machine_lets_us(file_limits: tuple[int, int]) -> None:
    _, hard = file_limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    allow_open_files()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == (MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard))
