"""What others do between two moments of one statement, or while it waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.store.postgres.store import PostgresStore
from tests.store.builders import (
    APP1,
    LEASE_SECONDS,
    make_want,
    save,
)
from tests.store.test_postgres_connections import waiting_count
from tests.store.test_postgres_outages import connected, opened, until

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
            claimer.claim_due({"prod": 1}, limit=1, owner="us", lease_seconds=LEASE_SECONDS)
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
