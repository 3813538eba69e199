"""How many statements the server is asked for what is done most often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from router.store.postgres import calling, recording, saving
from router.store.postgres.statements import SQL
from router.store.postgres.store import PostgresStore
from tests.store.builders import (
    APP1,
    adopt_nothing,
    claim,
    make_activation,
    make_attempt,
    make_delivery,
    make_intent,
    make_want,
    save,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.database import DatabaseUrl
    from router.core.model import Attempt
    from router.store.postgres.database import Database
    from router.store.postgres.statements import Connection
    from tests.fakes.clock import FakeClock


@pytest.fixture
async def store(new_schema: DatabaseUrl, clock: FakeClock) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(new_schema, clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    yield store
    await store.close()


class Counted:
    """A connection that counts what it is asked to do."""

    def __init__(self, connection: Connection) -> None:
        self.count = 0
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        self.count += 1
        return getattr(self._connection, name)


async def cost_of_saving(store: PostgresStore, clock: FakeClock, size: int) -> int:
    """Statements for a batch of deliveries that want two receivers each."""

    async def run(connection: Connection) -> int:
        counted = Counted(connection)
        batch = [
            saving.to_saving(
                make_delivery(clock, provider_delivery_id=clock.new_id()),
                [make_intent(make_want(APP1), make_want(f"prod/n/{number}"), after=f"c{number}")],
                1,
            )
            for number in range(size)
        ]
        outcomes = await saving.save_deliveries(cast("Connection", counted), batch)
        assert not any(isinstance(each, Exception) for each in outcomes)
        return counted.count

    return await store._database.write(run)


async def test_a_batch_costs_as_many_statements_whatever_its_size(
    store: PostgresStore, clock: FakeClock
) -> None:
    await save(store, clock)
    costs = [await cost_of_saving(store, clock, size) for size in (1, 2, 50)]
    assert costs == [8, 8, 8]


async def test_recording_costs_as_many_statements_whatever_the_number_of_calls(
    store: PostgresStore, clock: FakeClock
) -> None:
    async def record_all(attempts: list[Attempt]) -> int:
        async def run(connection: Connection) -> int:
            counted = Counted(connection)
            batch = [
                recording.Recording(attempt=each, owner="us", retry_seconds=1.0)
                for each in attempts
            ]
            await recording.record_attempts(
                cast("Connection", counted), batch, process_now=lambda: 0
            )
            return counted.count

        return await store._database.write(run)

    await save(store, clock, *(make_want(f"prod/n/{number}") for number in range(60)))
    costs = []
    for size in (1, 1, 2, 50):
        claims = await claim(store, {"prod": size})
        costs.append(await record_all([make_attempt(clock, each) for each in claims]))
    assert costs == [6, 4, 4, 4]  # a cluster is heard of for the first time once


async def test_claiming_writes_nothing_when_nothing_is_due(
    store: PostgresStore, clock: FakeClock
) -> None:
    await save(store, clock)
    assert len(await claim(store)) == 1

    class Within:
        """A database of one transaction, that counts its statements."""

        def __init__(self, connection: Connection) -> None:
            self.names: list[str] = []
            self._connection = connection

        async def fetch(self, name: str, *parameters: Any) -> list[Any]:
            self.names.append(name)
            return await self._connection.fetch(SQL[name], *parameters)

    async def run(connection: Connection) -> list[str]:
        within = Within(connection)
        claimed = await calling.claim_due(
            cast("Database", within),
            {"prod": 9},
            limit=9,
            owner="us",
            lease_seconds=1,
            generation=1,
        )
        assert claimed.claims == ()
        assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned()") is None
        return within.names

    assert await store._database.write(run) == ["claim_due", "next_due"]
