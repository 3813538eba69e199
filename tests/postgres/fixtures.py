"""What tests of PostgreSQL start from: a server, and a schema that holds nothing yet."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import asyncpg
import pytest

from router.store.postgres.schema import migrate
from tests.postgres.clocked import give_clock
from tests.postgres.server import shared_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from router.core.database import DatabaseUrl
    from tests.postgres.server import Server

_numbers = count(1)

EMPTY = """
DO $$ DECLARE name TEXT; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT quote_ident(tablename) FROM pg_tables
  WHERE schemaname = current_schema()
    AND tablename NOT IN ('schema_migrations', 'in_force', 'test_clock')
  LOOP
    EXECUTE 'DELETE FROM ' || name;
  END LOOP;
  UPDATE in_force SET number = 0;
END $$;
"""
"""TRUNCATE would make every table's files anew, which takes longer than most tests do. As
`replica`, no foreign key asks for an order: all tables are emptied."""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all workers of a run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_server(run, shared) as server:
        yield server


@pytest.fixture
async def new_schema(postgres: Server) -> AsyncIterator[DatabaseUrl]:
    """A schema of the test's own, without a table in it."""
    name = f"s{os.getpid()}_{next(_numbers)}"
    connection = await asyncpg.connect(postgres.url().text)
    await connection.execute(f"CREATE SCHEMA {name}")
    yield postgres.url(search_path=name)
    await connection.execute(f"DROP SCHEMA {name} CASCADE")
    await connection.close()


_clocked: dict[int, DatabaseUrl] = {}
"""By port, the schema that the tests of this process empty instead of making one each."""


@pytest.fixture
async def clocked_schema(postgres: Server) -> DatabaseUrl:
    """A migrated, empty schema whose clock is a test's."""
    return await empty_clocked_schema(postgres)


async def empty_clocked_schema(postgres: Server) -> DatabaseUrl:
    """See clocked_schema; for tests that need one after the other."""
    if postgres.port not in _clocked:
        _clocked[postgres.port] = await _make_clocked(postgres)
    url = _clocked[postgres.port]
    connection = await asyncpg.connect(url.text)
    await connection.execute(EMPTY)
    await connection.close()
    return url


async def _make_clocked(postgres: Server) -> DatabaseUrl:
    name = f"clocked{os.getpid()}"
    connection = await asyncpg.connect(postgres.url().text)
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.close()
    url = postgres.url(search_path=f"{name},pg_catalog")
    await migrate(url)
    await give_clock(url)
    return url
