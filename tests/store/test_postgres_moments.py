"""What others do between two moments of one statement, or while it waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.core.model import Intent
from router.store.postgres.store import PostgresStore
from tests.store.builders import (
    APP1,
    APP2,
    LEASE_SECONDS,
    MAIN,
    Asking,
    claim,
    make_attempt,
    make_delivery,
    make_plan,
    make_want,
    record,
    save,
    status,
)
from tests.store.test_postgres_connections import waiting_count
from tests.store.test_postgres_outages import connected, named, opened, until

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl
    from tests.fakes.clock import FakeClock
    from tests.postgres.server import Server

STOPPING_CLOCK = """
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('application_name') = current_schema() THEN
    PERFORM pg_advisory_lock_shared(7);
    PERFORM pg_advisory_unlock_shared(7);
  END IF;
  RETURN pg_catalog.clock_timestamp();
END $$;
"""
"""Whoever is named after the schema asks for the time in vain while another one has the lock."""


async def test_a_claim_names_who_asked_while_it_was_made(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    shadowed = postgres.url(search_path=f"{schema},pg_catalog")
    slow = postgres.url(search_path=f"{schema},pg_catalog", application_name=schema)
    async with opened(shadowed) as store, connected(new_schema) as admin:
        await admin.execute(STOPPING_CLOCK)
        claimer = await PostgresStore.open(slow, clock=clock)
        saved = [await save(store, clock, make_want(APP1), after="c1")]
        await admin.execute("SELECT pg_advisory_lock(7)")
        claiming = asyncio.create_task(
            claimer.claim_due(
                {"prod": 1}, limit=1, owner="us", lease_seconds=LEASE_SECONDS, generation=1
            )
        )

        async def is_stuck() -> bool:
            return await waiting_count(admin, slow) == 1

        await until(is_stuck)
        saved.append(await save(store, clock, make_want(APP1), after="c2"))
        await admin.execute("SELECT pg_advisory_unlock(7)")
        (only,) = (await claiming).claims
        assert only.wanted == 2
        assert [each.delivery for each in only.asked] == [each.delivery.id for each in saved]
        assert [each.commit for each in only.asked] == ["c1", "c2"]
        await claimer.close()


async def test_a_call_is_not_taken_for_older_because_its_record_had_to_wait(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    url = named(new_schema)
    store = await PostgresStore.open(url, clock=clock)
    async with opened(new_schema) as other, connected(new_schema) as admin:
        await save(other, clock, make_want(APP1), make_want(APP2))
        first, second = await claim(store)
        assert not await record(store, clock, first)
        began = make_attempt(clock, second, "unreachable", duration_seconds=0)
        async with connected(new_schema) as locking, locking.transaction():
            await locking.execute("SELECT * FROM receivers FOR UPDATE")
            recording = asyncio.create_task(
                store.record_attempt(began, owner="us", retry_seconds=60)
            )

            async def is_stuck() -> bool:
                return await waiting_count(admin, url) == 1

            await until(is_stuck)
            clock.advance(60)
        assert not await recording
        await save(other, clock, make_want(APP1))
        (again,) = await claim(store)
        assert await record(store, clock, again), "the cluster was not known to be unreachable"
    await store.close()


async def test_who_is_undone_to_end_a_deadlock_is_run_again(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    """The other one waits for longer before it looks for deadlocks, so that we are the victim."""
    url = named(new_schema, deadlock_timeout="1s")
    async with opened(url) as store, connected(new_schema) as admin:
        await save(store, clock, make_want(APP1), make_want(APP2))
        asking = Asking(make_plan(make_want(APP1), make_want(APP2), cursor="c2"))
        intent = Intent(decide=asking, tracked=MAIN, after="c2")
        async with connected(new_schema) as other, other.transaction():
            await other.execute("SET LOCAL deadlock_timeout = '60s'")
            await other.execute("SELECT * FROM receivers WHERE key = $1 FOR UPDATE", APP2)
            saving = asyncio.create_task(
                store.save_delivery(make_delivery(clock), [intent], generation=1)
            )

            async def is_stuck() -> bool:
                return await waiting_count(admin, url) == 1

            await until(is_stuck)
            await other.execute("SELECT * FROM receivers WHERE key = $1 FOR UPDATE", APP1)
        saved = await saving
        assert [each.is_tip_known for each in asking.states] == [False, False]
        assert [each.sequence for each in saved.plans] == [2]
        assert (await status(store)).wanted == 2
