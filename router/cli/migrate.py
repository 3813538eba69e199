"""flux-router migrate."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.config.settings import load_settings
from router.core.errors import OperatorError
from router.remote.system import SystemClock
from router.store.migrations import migrations
from router.store.sqlite.connection import connect_reader
from router.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl


@click.command()
def migrate() -> None:
    """Bring the database of ROUTER_DATABASE_URL to the newest schema.

    `serve` does the same when it starts. A SQLite file cannot be migrated while a service uses it.
    There is no way back but a backup.
    """
    url = load_settings(os.environ).database_url
    kind = "sqlite" if url.is_sqlite else "postgres"
    before = _migrate_file(Path(url.path)) if url.is_sqlite else _migrate_server(url)
    after, _ = migrations(kind)[-1]
    if not before:
        click.echo(f"{url}: made, with schema {after}")
    elif before == after:
        click.echo(f"{url}: schema {after} is the newest, nothing to do")
    else:
        click.echo(f"{url}: from schema {before} to {after}")


def _migrate_server(url: DatabaseUrl) -> int:
    """The schema before, 0 for none."""
    from router.store.postgres.schema import migrate  # most commands need no driver

    return asyncio.run(migrate(url))


def _migrate_file(path: Path) -> int:
    """The schema before, 0 for none. Opening takes the lock: a service that runs refuses it."""
    before = _read_version(path) if path.exists() else 0
    asyncio.run(_open_once(path))
    return before


async def _open_once(path: Path) -> None:
    store = await SqliteStore.open(path, clock=SystemClock())
    await store.close()


def _read_version(path: Path) -> int:
    try:
        connection = connect_reader(path.absolute())
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise OperatorError(f"cannot use the database {path}: {error}") from error
