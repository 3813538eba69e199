"""Removes old history in small steps, so that no delivery waits long for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from router.store.queries import SQLITE as SQL

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_ROWS = 500
"""Rows removed in one step. Each may lie on a page of its own, that the commit writes: with more
rows a delivery that is saved meanwhile would wait for longer than 50 ms."""

MAX_CANDIDATES = 50
"""Deliveries looked at in one step, for those that have to be kept cost time as well."""

Place: TypeAlias = tuple[int, int]
"""When a delivery was received, and its position: the order in which they are removed."""

OLDEST: Place = (-(2**63), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step came to."""

    removed: int
    """Deliveries removed whole."""
    reached: Place | None
    """Where the next step goes on; None when nothing old is left."""


def prune_generations(connection: Connection, *, before: int) -> None:
    """Remove routing files that went out of force before *before*."""
    connection.execute(SQL["delete_generations"], (before,))


def prune_deliveries(connection: Connection, *, before: int, after: Place, limit: int) -> Step:
    """Remove deliveries with their plans, matches, wants and hints, from *after* on.

    A delivery of more rows than one step may remove goes in several.
    """
    count = min(limit, MAX_CANDIDATES)
    asked = (before, *after, count)
    candidates = connection.execute(SQL["old_deliveries"], asked).fetchall()
    removed, rows_left = 0, MAX_ROWS
    for received_at, position in candidates:
        if not _is_waited_for(connection, position):
            rows_left -= _remove(connection, position, rows_left)
            if rows_left <= 0:
                return Step(removed=removed, reached=after)
            removed += 1
        after = (received_at, position)
    return Step(removed=removed, reached=after if len(candidates) == count else None)


def _is_waited_for(connection: Connection, position: int) -> bool:
    (is_waited_for,) = connection.execute(SQL["is_waited_for"], {"position": position}).fetchone()
    return bool(is_waited_for)


def _remove(connection: Connection, position: int, limit: int) -> int:
    """Rows removed; when these are *limit*, the delivery stays for the next step."""
    rows = connection.execute(SQL["delete_matches"], (position, limit)).rowcount
    rows += connection.execute(SQL["delete_wants"], (position, limit - rows)).rowcount
    rows += connection.execute(SQL["delete_hints"], (position, limit - rows)).rowcount
    if rows < limit:
        connection.execute(SQL["delete_delivery"], (position,))
    return rows


def prune_attempts(connection: Connection, *, before: int) -> bool:
    """Remove attempts, but never a receiver's last one; whether there may be more to remove."""
    removed = connection.execute(SQL["delete_attempts"], (before, MAX_ROWS)).rowcount
    return removed == MAX_ROWS
