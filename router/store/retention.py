"""Removes old history in small steps, so that no delivery waits long for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.store.queries import SQLITE as SQL

if TYPE_CHECKING:
    from sqlite3 import Connection


def prune_deliveries(connection: Connection, *, before: int, limit: int) -> int:
    """Remove deliveries with their plans, matches and wants; returns how many deliveries."""
    connection.execute(SQL["delete_generations"], (before,))
    return connection.execute(SQL["delete_deliveries"], (before, limit)).rowcount


def prune_attempts(connection: Connection, *, before: int, limit: int) -> int:
    """Remove attempts, but never a receiver's last one; returns how many."""
    return connection.execute(SQL["delete_attempts"], (before, limit)).rowcount
