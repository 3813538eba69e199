"""flux-router migrate."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import TYPE_CHECKING

import click

from router.config.settings import load_settings
from router.core.errors import OperatorError
from router.remote.system import SystemClock
from router.store.sqlite.connection import connect_reader
from router.store.sqlite.schema import migrations
from router.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
def migrate() -> None:
    """Bring the database of ROUTER_DATABASE_URL to the newest schema, while no service runs.

    `serve` does the same when it starts. There is no way back but a backup.
    """
    path = load_settings(os.environ).database_path
    before = _read_version(path) if path.exists() else 0
    asyncio.run(_open_once(path))
    after, _ = migrations()[-1]
    if not before:
        click.echo(f"{path}: made, with schema {after}")
    elif before == after:
        click.echo(f"{path}: schema {after} is the newest, nothing to do")
    else:
        click.echo(f"{path}: from schema {before} to {after}")


async def _open_once(path: Path) -> None:
    """Opening takes the lock and migrates; a service that runs refuses it."""
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
