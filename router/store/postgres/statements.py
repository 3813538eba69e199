"""The SQL statements by name, and how they are given many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from router.store.queries import parse_queries, read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

SQL = parse_queries(read_sql("postgres/queries.sql"))


def columns(rows: Iterable[Sequence[Any]], count: int) -> list[list[Any]]:
    """The arrays that `unnest` makes *rows* of again, *count* of them, even if there is no row."""
    made = [list(column) for column in zip(*rows, strict=True)]
    return made or [[] for _ in range(count)]


async def write_rows(connection: Connection, name: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement that takes its rows as arrays; for no rows there is nothing to do."""
    if rows:
        await connection.execute(SQL[name], *columns(rows, len(rows[0])))
