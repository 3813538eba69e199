"""A schema in which the database's clock shows what a test's clock shows.

Functions are looked up along the search_path, and a schema that stands before pg_catalog may have a
clock_timestamp() of its own: https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import asyncpg

from router.store.postgres.store import PostgresStore
from router.store.rows import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from router.core.database import DatabaseUrl
    from router.ports.clock import Clock
    from router.ports.store import Store

CLOCK = """
CREATE TABLE test_clock (micros BIGINT NOT NULL);
INSERT INTO test_clock VALUES (0);
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT 'epoch'::timestamptz + micros * interval '1 microsecond' FROM test_clock $$;
"""


async def give_clock(url: DatabaseUrl) -> None:
    """Shadow the clock of the schema that *url* has first in its search_path."""
    connection = await asyncpg.connect(url.text)
    await connection.execute(CLOCK)
    await connection.close()


async def open_clocked(url: DatabaseUrl, clock: Clock) -> Store:
    """A store on a schema of give_clock, where time is what *clock* shows."""
    connection = await asyncpg.connect(url.text)
    store = await PostgresStore.open(url, clock=clock)
    return cast("Store", ClockedStore(store, connection, clock))


class ClockedStore:
    """Has the database's clock follow a test's before each call of a store."""

    def __init__(self, store: Store, connection: asyncpg.Connection[Any], clock: Clock) -> None:
        self._store = store
        self._connection = connection
        self._clock = clock
        self._shown: datetime | None = None

    async def close(self) -> None:
        await self._store.close()
        await self._connection.close()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        return self._following(attribute) if inspect.iscoroutinefunction(attribute) else attribute

    def _following(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **options: Any) -> Any:
            now = self._clock.now()
            if now != self._shown:
                self._shown = now
                await self._connection.execute("UPDATE test_clock SET micros = $1", to_micros(now))
            return await method(*arguments, **options)

        return call
