"""The statements and migrations of PostgreSQL, against a real server."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from router.core.errors import OperatorError
from router.store.migrations import migrations
from router.store.postgres.schema import migrate
from router.store.postgres.statements import SQL
from router.store.queries import read_sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.database import DatabaseUrl
    from tests.postgres.server import Server

SNAPSHOT = files("tests.store") / "schema_postgres.txt"
NEWEST = migrations("postgres")[-1][0]

GENERIC = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

LISTING = """
SELECT line FROM (
  SELECT c.relname AS owner, 1 AS rank, a.attnum AS place, format(
    '%s.%s %s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN l.collname <> 'default' THEN ' COLLATE ' || l.collname ELSE '' END,
    CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
    CASE WHEN a.attidentity <> '' THEN ' IDENTITY'
      ELSE coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') END
  ) AS line
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT t.relname, 2, 0, format('%s: %s', t.relname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
  WHERE k.connamespace = current_schema()::regnamespace AND k.contype <> 'n'
  UNION ALL
  SELECT tablename, 3, 0, replace(indexdef, current_schema() || '.', '')
  FROM pg_indexes WHERE schemaname = current_schema()
  UNION ALL
  SELECT sequencename, 4, 0, format('%s: %s', sequencename, data_type)
  FROM pg_sequences WHERE schemaname = current_schema()
) AS lines
ORDER BY rank = 4, owner COLLATE "C", rank, place, line COLLATE "C"
"""


@pytest.fixture
async def connection(new_schema: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[Any]]:
    await migrate(new_schema)
    connection = await asyncpg.connect(new_schema.text)
    yield connection
    await connection.close()


async def explain(url: DatabaseUrl, name: str, **settings: str) -> str:
    """The plan whatever the parameters are; it scans only what has no index that fits."""
    connection = await asyncpg.connect(url.text, server_settings=GENERIC | settings)
    await connection.execute(f"PREPARE asked AS {SQL[name]}")
    count = max(map(int, re.findall(r"\$(\d+)", SQL[name])), default=0)
    parameters = f"({', '.join(['NULL'] * count)})" if count else ""
    rows = await connection.fetch(f"EXPLAIN EXECUTE asked{parameters}")
    await connection.close()
    return "\n".join(row[0] for row in rows)


def test_every_statement_of_the_file_has_a_name_and_a_purpose() -> None:
    text = read_sql("postgres/queries.sql")
    assert list(SQL) == re.findall(r"^-- name: (.+)$", text, re.MULTILINE)
    assert len(SQL) == len(re.findall(r";$", text, re.MULTILINE))


def test_every_statement_is_used() -> None:
    package = files("router.store.postgres")
    code = "".join(entry.read_text() for entry in package.iterdir() if entry.name.endswith(".py"))
    assert [name for name in SQL if f'"{name}"' not in code] == []


async def test_every_statement_fits_the_schema(connection: asyncpg.Connection[Any]) -> None:
    for name, sql in SQL.items():
        if name != "create_migrations":
            await connection.prepare(sql)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("claim_due", "receivers_due"),
        ("claim_due", "wants_pkey"),
        ("next_due", "receivers_due"),
        ("lock_receivers", "receivers_key_key"),
        ("lock_receivers", "receivers_due"),
        ("first_deliveries", "deliveries_once"),
        ("lock_refs", "refs_repository_url_ref_key"),
        ("find_ref", "refs_repository_url_ref_key"),
        ("receivers_of", "layer_receivers_pkey"),
        ("layer_positions", "wants_pkey"),
        ("plans_of", "plans_by_delivery"),
        ("old_deliveries", "deliveries_by_age"),
        ("waited_for", "wants_by_plan"),
        ("waited_for", "hints_waiting"),
        ("close_hints", "hints"),
        ("hint_statuses", "hints_pkey"),
        ("closed_hints", "hints_pkey"),
        ("waiting_hints", "hints_waiting"),
        ("waiting_hints", "hints_by_before"),
        ("waiting_repositories", "hints_waiting"),
        ("tips", "tips_by_name"),
        ("delete_matches", "matches_pkey"),
        ("delete_wants", "wants_by_plan"),
        ("delete_attempts", "attempts_by_age"),
        ("serving_attempts", "attempts_by_receiver"),
        ("lock_waiting", "deliveries_id_key"),
        ("update_callable", "wants_pkey"),
    ],
)
async def test_what_runs_often_uses_its_index(
    clocked_schema: DatabaseUrl, name: str, index: str
) -> None:
    assert re.search(rf"\b{index}", await explain(clocked_schema, name))


@pytest.mark.parametrize(
    "name",
    ["layer_positions", "deliveries", "old_deliveries", "plans", "waiting_hints"],
)
async def test_what_is_read_in_order_is_not_sorted(clocked_schema: DatabaseUrl, name: str) -> None:
    assert "Sort" not in await explain(clocked_schema, name, enable_sort="off")


async def test_all_migrations_together_give_the_schema_that_was_agreed(
    connection: asyncpg.Connection[Any],
) -> None:
    rows = await connection.fetch(LISTING)
    assert "".join(f"{row['line']}\n" for row in rows) == SNAPSHOT.read_text()


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in migrations("postgres")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_migrating_twice_changes_nothing(
    new_schema: DatabaseUrl, connection: asyncpg.Connection[Any]
) -> None:
    before = await connection.fetch("SELECT * FROM schema_migrations")
    assert await migrate(new_schema) == NEWEST
    assert await connection.fetch("SELECT * FROM schema_migrations") == before


async def test_a_migration_that_fails_leaves_nothing_behind(new_schema: DatabaseUrl) -> None:
    connection = await asyncpg.connect(new_schema.text)
    await connection.execute("CREATE TABLE clusters (name TEXT)")
    with pytest.raises(OperatorError, match="clusters"):
        await migrate(new_schema)
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    await connection.close()
    assert [row[0] for row in tables] == ["clusters"]


async def test_a_database_of_a_newer_version_is_refused(
    new_schema: DatabaseUrl, connection: asyncpg.Connection[Any]
) -> None:
    await connection.execute("INSERT INTO schema_migrations (number) VALUES (999)")
    with pytest.raises(OperatorError, match="has schema 999"):
        await migrate(new_schema)


async def test_tables_of_another_schema_on_the_path_are_not_taken_for_ours(
    new_schema: DatabaseUrl, connection: asyncpg.Connection[Any], postgres: Server
) -> None:
    theirs = new_schema.parameters["search_path"]
    ours = f"{theirs}_ours"
    await connection.execute(f"CREATE SCHEMA {ours}")
    assert await migrate(postgres.url(search_path=f"{ours},{theirs}")) == 0
    await connection.execute(f"DROP SCHEMA {ours} CASCADE")
