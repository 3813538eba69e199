"""SQLite connections with the settings the store relies on."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from router.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT_SECONDS = 5.0
"""How long to wait for a backup or a shell that holds SQLite's own lock."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""Above this the writer itself empties the log, so that steady load cannot grow it for ever."""

CACHE_KIBIBYTES = 16 * 1024
"""Holds the pages of the indexes that every delivery touches; SQLite's own default is 2 MiB."""

CACHED_STATEMENTS = 256
"""More than there are statements: none is ever parsed twice."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes; a commit on it is on disk when it returns."""
    return _connect(
        path,
        "rwc",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY",
        f"PRAGMA cache_size = -{CACHE_KIBIBYTES}",
        "PRAGMA wal_autocheckpoint = 0",
        f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
    )


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and that no writer keeps waiting."""
    return _connect(path, "ro")


def connect_checkpointer(path: Path) -> sqlite3.Connection:
    """A connection that moves the log into the file; what it moves is synced to disk."""
    return _connect(path, "rw", "PRAGMA synchronous = FULL")


def _connect(path: Path, mode: str, *settings: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    connection.row_factory = sqlite3.Row
    try:
        for setting in settings:
            connection.execute(setting)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def unavailable(error: BaseException) -> StoreUnavailable:
    """The error to raise for *error*, with its cause."""
    refused = StoreUnavailable(f"the database cannot be used now: {error}")
    refused.__cause__ = error
    return refused
