"""Removes old history in small steps, so that nothing else waits long for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from router.store.postgres.statements import SQL

if TYPE_CHECKING:
    from router.store.postgres.database import Database
    from router.store.postgres.statements import Connection

MAX_ROWS = 5000
"""Rows removed in one step: some tens of milliseconds, in which nobody has to wait for them."""

MAX_CANDIDATES = 200
"""Deliveries looked at in one step."""

KEEP_LAPSED_MICROS = 3600 * 1_000_000
"""Leases and replicas that ended so long ago are nobody's any more."""

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


async def prune(database: Database, *, before: int, limit: int) -> int:
    """See Store.prune. Each step is a transaction of its own."""
    await database.fetch("delete_generations", before)
    await database.fetch("delete_lapsed", KEEP_LAPSED_MICROS)
    removed = 0
    place: Place | None = OLDEST
    while place is not None and removed < limit:
        step = await database.write(
            partial(_prune_deliveries, before=before, after=place, limit=limit - removed)
        )
        removed, place = removed + step.removed, step.reached
    while len(await database.fetch("delete_attempts", before, MAX_ROWS)) == MAX_ROWS:
        pass
    return removed


async def _prune_deliveries(
    connection: Connection, *, before: int, after: Place, limit: int
) -> Step:
    """Remove deliveries with their plans, matches, wants and hints, from *after* on.

    One of more rows than a step may remove goes in several, and then a step has it alone.
    """
    count = min(limit, MAX_CANDIDATES)
    candidates = await connection.fetch(SQL["old_deliveries"], before, *after, count)
    positions = [row["position"] for row in candidates]
    kept = {row["delivery"] for row in await connection.fetch(SQL["waited_for"], positions)}
    rows_left, going = MAX_ROWS, []
    for row in candidates:
        position = row["position"]
        if position not in kept:
            rows_left -= await _empty(connection, position, rows_left)
            if rows_left <= 0:
                break
            going.append(position)
        after = (row["received_at"], position)
    await connection.execute(SQL["delete_deliveries"], going)
    is_last = rows_left > 0 and len(candidates) < count
    return Step(removed=len(going), reached=None if is_last else after)


async def _empty(connection: Connection, position: int, limit: int) -> int:
    """Remove at most *limit* rows below a delivery; returns how many there were."""
    removed = 0
    for name in ("delete_matches", "delete_wants"):
        removed += len(await connection.fetch(SQL[name], position, limit - removed))
    return removed
