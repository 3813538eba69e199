"""Who is due, and leases, which run on the database's clock."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from router.ports import Claimed
from router.store.calls import MAX_ASKED, to_claim
from router.store.rows import seconds_to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from router.core.model import Claim
    from router.store.postgres.database import Database

BUSY_SECONDS = 0.1
"""After so long it is looked again for a receiver that another replica was just taking."""


async def claim_due(
    database: Database,
    free: Mapping[str, int],
    *,
    limit: int,
    owner: str,
    lease_seconds: float,
) -> Claimed:
    """See Store.claim_due. Writes nothing when nothing is due."""
    room = {cluster: min(count, limit) for cluster, count in free.items() if count > 0}
    if limit <= 0 or not room:
        return Claimed(claims=(), next_due_seconds=None)
    asked = (list(room), list(room.values()), limit, owner, seconds_to_micros(lease_seconds))
    rows = await database.fetch("claim_due", *asked, MAX_ASKED)
    due = [list(group) for _, group in groupby(rows, key=itemgetter("id"))]
    taken = Counter(group[0]["cluster"] for group in due)
    left = [cluster for cluster, count in room.items() if count > taken[cluster]]
    return Claimed(
        claims=tuple(_claim(group) for group in due),
        next_due_seconds=await _next_due_seconds(database, left) if len(due) < limit else None,
    )


def _claim(rows: Sequence[Record]) -> Claim:
    """A receiver and who asked for it, a row each; one row without when nobody is known."""
    first = rows[0]
    askers = [row for row in rows if row["layer"] is not None]
    return to_claim(first, askers, first["now"])


async def _next_due_seconds(database: Database, clusters: Sequence[str]) -> float | None:
    if not clusters:
        return None
    rows = await database.fetch("next_due", clusters, seconds_to_micros(BUSY_SECONDS))
    return None if rows[0][0] is None else rows[0][0] / 1_000_000
