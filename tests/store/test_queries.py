from __future__ import annotations

import re
import sqlite3
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from router.core.errors import OperatorError
from router.store.queries import SQLITE, parse_queries, read_sql
from router.store.sqlite.connection import connect_writer
from router.store.sqlite.schema import migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SNAPSHOT = files("tests.store") / "schema.sql"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_writer(tmp_path / "store.db")
    migrate(connection)
    connection.execute(SQLITE["create_open_layers"])
    yield connection
    connection.close()


def explain(connection: sqlite3.Connection, name: str) -> str:
    sql = SQLITE[name]
    named = {found: 1 for found in re.findall(r":(\w+)", sql)}
    parameters = named or (1,) * sql.count("?")
    return "\n".join(
        row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
    )


def test_every_statement_of_the_file_has_a_name_and_a_purpose() -> None:
    text = read_sql("sqlite/queries.sql")
    assert list(SQLITE) == re.findall(r"^-- name: (.+)$", text, re.MULTILINE)
    assert len(SQLITE) == len(re.findall(r";$", text, re.MULTILINE))


def test_a_query_without_a_purpose_is_not_taken() -> None:
    assert parse_queries("-- name: a\nSELECT 1;\n-- name: b\n-- Two.\nSELECT 2;\n") == {
        "b": "SELECT 2"
    }


@pytest.mark.parametrize("name", sorted(SQLITE))
def test_every_statement_fits_the_schema(connection: sqlite3.Connection, name: str) -> None:
    explain(connection, name)


def test_every_statement_is_used() -> None:
    package = files("router.store.sqlite")
    code = "".join(entry.read_text() for entry in package.iterdir() if entry.name.endswith(".py"))
    assert [name for name in SQLITE if f'SQL["{name}"]' not in code] == []


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("clusters_due", "receivers_due (cluster=? AND due_at<?)"),
        ("due_receivers", "receivers_due (cluster=? AND due_at<?)"),
        ("next_due", "receivers_due (cluster=? AND due_at<?)"),
        ("next_due", "receivers_due (cluster=? AND due_at>?)"),
        ("wake_cluster", "receivers_due (cluster=? AND due_at>?)"),
        ("first_delivery", "deliveries_once"),
        ("receivers_of", "PRIMARY KEY (layer=?)"),
        ("layer_positions", "PRIMARY KEY (receiver=?)"),
        ("plans_of", "plans_by_delivery"),
        ("old_deliveries", "deliveries_by_age (received_at>? AND received_at<?)"),
        ("is_waited_for", "wants_by_plan (plan=?)"),
        ("is_waited_for", "h USING PRIMARY KEY (delivery=?)"),
        ("close_hints", "hints_waiting (repository=? AND delivery=?)"),
        ("hint_statuses", "PRIMARY KEY (delivery=?)"),
        ("closed_hints", "PRIMARY KEY (delivery=?)"),
        ("waiting_hints", "hints_waiting (repository=?)"),
        ("waiting_hints", "hints_by_before (repository=? AND ref=? AND before_id=?)"),
        ("waiting_repositories", "hints_waiting"),
        ("tips", "PRIMARY KEY (ref_id=?)"),
        ("delete_hints", "h USING PRIMARY KEY (delivery=?)"),
        ("delete_matches", "PRIMARY KEY (plan=? AND ordinal=?)"),
        ("delete_wants", "PRIMARY KEY (receiver=? AND number=? AND ordinal=?)"),
        ("delete_attempts", "attempts_by_age"),
        ("serving_attempts", "attempts_by_receiver (receiver=? AND wanted>? AND wanted<?)"),
        ("serving_attempts", "attempts_by_receiver (receiver=? AND wanted=? AND outcome=?"),
    ],
)
def test_what_runs_often_uses_its_index(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    assert index in explain(connection, name)


@pytest.mark.parametrize(
    "name",
    [
        "due_receivers",
        "asked",
        "layer_positions",
        "deliveries_at",
        "old_deliveries",
        "plans",
        "wants",
        "waiting_hints",
        "waiting_repositories",
    ],
)
def test_what_is_read_in_order_is_not_sorted(connection: sqlite3.Connection, name: str) -> None:
    assert "TEMP B-TREE" not in explain(connection, name)


def test_all_migrations_together_give_the_schema_that_was_agreed(
    connection: sqlite3.Connection,
) -> None:
    rows = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
        "ORDER BY type DESC, name"
    )
    assert "".join(f"{row['sql']};\n" for row in rows) == SNAPSHOT.read_text()


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    before = connection.execute("PRAGMA schema_version").fetchone()[0]
    migrate(connection)
    assert connection.execute("PRAGMA schema_version").fetchone()[0] == before


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    connection = connect_writer(tmp_path / "store.db")
    connection.execute("CREATE TABLE clusters (name TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="clusters"):
        migrate(connection)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    assert tables == ["clusters"]
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 0
    connection.close()


def test_a_database_of_a_newer_version_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 999")
    with pytest.raises(OperatorError, match="has schema 999"):
        migrate(connection)
