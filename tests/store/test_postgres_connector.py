"""After an attempt to connect that failed nobody tries for a while, which grows."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from router.core.errors import StoreUnavailable
from router.store.postgres.connection import (
    CONNECT_TIMEOUT_SECONDS,
    MAX_PAUSE_SECONDS,
    Connector,
)
from router.store.postgres.database import ACQUIRE_TIMEOUT_SECONDS
from router.store.postgres.failures import reason
from tests.fakes.clock import FakeClock
from tests.postgres.server import PASSWORD, Server


@pytest.fixture
def connector(postgres: Server, clock: FakeClock) -> Connector:
    return Connector(postgres.url(), clock)


async def fail(connector: Connector, postgres: Server) -> None:
    """An attempt to connect that really is made: nothing listens at its port."""
    with pytest.raises(ConnectionRefusedError):
        await connector(postgres.url(port=1).text)


async def pause_seconds(connector: Connector, postgres: Server, clock: FakeClock) -> float:
    """How long nobody tries; the server itself would be there."""
    waited = 0.0
    while True:
        try:
            await (await connector(postgres.url().text)).close()
        except StoreUnavailable as error:
            assert "nothing listens there" in str(error)
            assert PASSWORD not in str(error)
            waited += 0.0125
            clock.advance(0.0125)
        else:
            return waited


async def test_the_first_pause_is_short_and_ends_by_itself(
    connector: Connector, postgres: Server, clock: FakeClock
) -> None:
    await fail(connector, postgres)
    assert await pause_seconds(connector, postgres, clock) == pytest.approx(0.075, abs=0.02)


@pytest.mark.parametrize(("failure_count", "seconds"), [(2, 0.15), (4, 0.6), (30, 3.75)])
async def test_pauses_grow_up_to_a_limit_and_are_spread(
    connector: Connector, postgres: Server, clock: FakeClock, failure_count: int, seconds: float
) -> None:
    for _ in range(failure_count):
        await fail(connector, postgres)
        clock.advance(MAX_PAUSE_SECONDS)
    clock.advance(-MAX_PAUSE_SECONDS)
    assert await pause_seconds(connector, postgres, clock) == pytest.approx(seconds, abs=0.02)


async def test_attempts_that_fail_at_once_count_as_one(
    connector: Connector, postgres: Server, clock: FakeClock
) -> None:
    await asyncio.gather(*(fail(connector, postgres) for _ in range(10)))
    assert await pause_seconds(connector, postgres, clock) == pytest.approx(0.075, abs=0.02)


def test_an_attempt_that_is_not_answered_fails_before_it_is_given_up() -> None:
    assert CONNECT_TIMEOUT_SECONDS < ACQUIRE_TIMEOUT_SECONDS


async def test_a_success_makes_the_next_pause_a_short_one(
    connector: Connector, postgres: Server, clock: FakeClock
) -> None:
    for _ in range(5):
        await fail(connector, postgres)
        clock.advance(MAX_PAUSE_SECONDS)
    assert await pause_seconds(connector, postgres, clock) == 0
    await fail(connector, postgres)
    assert await pause_seconds(connector, postgres, clock) == pytest.approx(0.075, abs=0.02)


def test_the_driver_s_own_words_for_a_lost_connection_are_not_told(postgres: Server) -> None:
    error = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is ...")
    assert reason(error, postgres.url()) == "the connection was lost"
