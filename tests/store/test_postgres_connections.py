"""What becomes of connections that nobody answers on, or that many ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import StoreUnavailable
from router.remote.system import SystemClock
from router.store.postgres.database import MAX_CONNECTIONS, MAX_READERS, Database
from router.store.postgres.store import PostgresStore
from tests.postgres.network import silent_way
from tests.store.builders import (
    adopt_nothing,
    ask,
    make_activation,
    make_delivery,
    make_intent,
    make_want,
    save,
    status,
)
from tests.store.test_postgres_outages import BY_NAME, connected, named, opened, until

if TYPE_CHECKING:
    import asyncpg

    from router.core.database import DatabaseUrl
    from tests.fakes.clock import FakeClock
    from tests.postgres.server import Server


PATIENCE_SECONDS = 20
"""Only a failing test waits that long."""


async def waiting_count(admin: asyncpg.Connection[Any], url: DatabaseUrl) -> int:
    """Sessions of *url* that wait for a lock."""
    name = url.parameters["application_name"]
    count: int = await admin.fetchval(
        f"SELECT count(*) {BY_NAME} AND wait_event_type = 'Lock'", name
    )
    return count


async def test_where_one_connection_fell_silent_no_other_is_waited_for(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    async with silent_way(postgres.port) as way:
        url = postgres.url(port=way.port, search_path=schema)
        database = await Database.open(url, clock=SystemClock(), command_timeout_seconds=1.0)
        store = PostgresStore(database, clock=SystemClock())
        await store.activate(make_activation(), adopt=adopt_nothing)
        await save(store, clock)
        await asyncio.gather(*(store.receivers() for _ in range(MAX_CONNECTIONS)))
        way.fall_silent()
        with pytest.raises(StoreUnavailable, match="does not answer in time"):
            await save(store, clock)
        await asyncio.gather(*(store.receivers() for _ in range(MAX_CONNECTIONS)))
        await store.close()


async def test_pushes_are_saved_however_many_read(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    url = named(new_schema)
    async with opened(url) as store, connected(new_schema) as admin:
        first = await save(store, clock)
        async with connected(new_schema) as other, other.transaction():
            await other.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
            reading = [
                asyncio.create_task(store.delivery(first.delivery.id))
                for _ in range(MAX_CONNECTIONS * 2)
            ]

            async def are_stuck() -> bool:
                return await waiting_count(admin, url) == MAX_READERS

            await until(are_stuck)
            await save(store, clock)
        stories = await asyncio.gather(*reading)
        assert None not in stories
        assert (await status(store)).wanted == 2


async def test_a_delivery_whose_commit_was_not_answered_is_a_duplicate_when_it_comes_again(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    first, again = (make_delivery(clock, provider_delivery_id="p1") for _ in range(2))
    intents = [make_intent(make_want(), after="c2")]
    async with silent_way(postgres.port) as way, connected(new_schema) as admin:
        url = postgres.url(port=way.port, search_path=schema)
        async with opened(url) as store:
            await save(store, clock)
            way.cut_after = b"COMMIT\0"
            with pytest.raises(StoreUnavailable, match="connection"):
                await store.save_delivery(first, intents, generation=1)
            way.cut_after = None

            async def is_committed() -> bool:
                return bool(await admin.fetchval("SELECT count(*) = 2 FROM deliveries"))

            await until(is_committed)
            saved = await store.save_delivery(again, intents, generation=1)
            assert (saved.is_duplicate, saved.delivery.id) == (True, first.id)
            assert (await status(store)).wanted == 2


async def test_what_was_claimed_is_called_though_the_connection_is_lost_then(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    async with silent_way(postgres.port) as way:
        url = postgres.url(port=way.port, search_path=schema)
        async with opened(url) as store:
            await save(store, clock)
            way.cut_after = b"min(instant)"
            claimed = await ask(store)
            assert [each.wanted for each in claimed.claims] == [1]
            assert claimed.next_due_seconds is None
            with pytest.raises(StoreUnavailable):
                await ask(store)


async def test_who_is_cancelled_does_not_wait_for_a_server_that_fell_silent(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    async with silent_way(postgres.port) as way:
        url = postgres.url(port=way.port, search_path=schema)
        async with opened(url) as store:
            way.fall_silent()
            activating = asyncio.create_task(
                store.activate(make_activation("g2"), adopt=adopt_nothing)
            )
            await asyncio.wait_for(way.was_asked.wait(), PATIENCE_SECONDS)
            activating.cancel()
            done, _ = await asyncio.wait([activating], timeout=PATIENCE_SECONDS)
            assert done == {activating}
