"""Brings a SQLite file to the newest schema: numbered migrations, forward only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.errors import OperatorError
from router.store.migrations import migrations as migrations_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection


def migrations() -> Sequence[tuple[int, str]]:
    """Every migration's number and SQL, in order."""
    return migrations_of("sqlite")


def migrate(connection: Connection) -> None:
    """Apply what is missing, each migration in a transaction of its own.

    Raises OperatorError when the file was written by a newer version of this program.
    """
    known = migrations()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    newest = known[-1][0]
    if version > newest:
        raise OperatorError(
            f"the database has schema {version}, but this version knows only {newest}: "
            "run the newer flux-router that wrote it, or restore a backup"
        )
    for number, sql in known:
        if number > version:
            _apply(connection, number, sql)


def _apply(connection: Connection, number: int, sql: str) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;"
        )
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
