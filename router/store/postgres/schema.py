"""Brings a database to the newest schema: numbered migrations, forward only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.errors import OperatorError
from router.store.migrations import migrations
from router.store.postgres.connection import connect_alone
from router.store.postgres.failures import TROUBLES, unusable
from router.store.postgres.statements import SQL

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl
    from router.store.postgres.statements import Connection

MIN_POSTGRES = 15
"""The oldest version that its makers looked after when this was written."""


async def migrate(url: DatabaseUrl) -> int:
    """Apply what is missing, in one transaction; returns the number the schema had before.

    Several may do so at once: one does the work and the others find it done. Raises OperatorError
    when the database cannot be used, or was written by a newer version of this program.
    """
    try:
        connection = await connect_alone(url)
        try:
            return await _migrate(connection)
        finally:
            await connection.close()
    except (*TROUBLES, ValueError) as error:
        raise unusable(error, url) from error


async def _migrate(connection: Connection) -> int:
    await _check_server(connection)
    number = await read_number(connection)
    if number < migrations("postgres")[-1][0]:
        # What others did while the lock was waited for must be seen, whatever the default is.
        async with connection.transaction(isolation="read_committed"):
            await connection.execute(SQL["lock_schema"])
            number = await read_number(connection)
            await _apply(connection, number)
    return number


async def read_number(connection: Connection) -> int:
    """The number of the schema, 0 where there is none. Raises OperatorError for a newer one."""
    if not await connection.fetchval(SQL["has_migrations"]):
        return 0
    number: int = await connection.fetchval(SQL["schema_number"]) or 0
    newest = migrations("postgres")[-1][0]
    if number > newest:
        raise OperatorError(
            f"the database has schema {number}, but this version knows only {newest}: "
            "run the newer flux-router that wrote it, or restore a backup"
        )
    return number


async def _apply(connection: Connection, number: int) -> None:
    if not number:
        await connection.execute(SQL["create_migrations"])
    for each, sql in migrations("postgres"):
        if each > number:
            await connection.execute(sql)
            await connection.execute(SQL["insert_migration"], each)


async def _check_server(connection: Connection) -> None:
    """Raises OperatorError for a server on which a promise of the store would not hold."""
    version = connection.get_server_version()
    if version.major < MIN_POSTGRES:
        raise OperatorError(f"PostgreSQL {MIN_POSTGRES} is needed, this is {version.major}")
    if await connection.fetchval(SQL["synchronous_commit"]) == "off":
        raise OperatorError(
            "synchronous_commit is off in this database: what was acknowledged could be lost; "
            "turn it on, or add synchronous_commit=on to the URL"
        )
