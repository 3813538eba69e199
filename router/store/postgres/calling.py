"""Who is due, and leases, which run on the database's clock."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from router.core.errors import StoreUnavailable
from router.ports.store import Claimed
from router.store.calls import MAX_ASKED, to_claim
from router.store.postgres.saving import stale
from router.store.postgres.statements import columns
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
    generation: int,
) -> Claimed:
    """See Store.claim_due. Writes nothing when nothing is due."""
    room = {cluster: min(count, limit) for cluster, count in free.items() if count > 0}
    if limit <= 0 or not room:
        return Claimed(claims=(), next_due_seconds=None)
    asked = (list(room), list(room.values()), limit, owner, seconds_to_micros(lease_seconds))
    rows = await database.fetch("claim_due", *asked, MAX_ASKED, generation)
    due = [list(group) for _, group in groupby(rows, key=itemgetter("id"))]
    taken = Counter(group[0]["cluster"] for group in due)
    left = [cluster for cluster, count in room.items() if count > taken[cluster]]
    asked_late: Mapping[int, Sequence[Record]] = {}
    seconds = None
    with suppress(*[StoreUnavailable] if due else []):  # what is leased must be called all the same
        asked_late = await _asked_late(database, [each[0] for each in due if _lacks_newest(each)])
        if len(due) < limit and left:
            (row,) = await database.fetch("next_due", left, seconds_to_micros(BUSY_SECONDS))
            if not due and row["number"] != generation:
                raise stale(generation, row["number"])
            seconds = row["micros_left"] and row["micros_left"] / 1_000_000
    claims = tuple(_claim(each[0], asked_late.get(each[0]["id"], each)) for each in due)
    return Claimed(claims=claims, next_due_seconds=seconds)


def _lacks_newest(rows: Sequence[Record]) -> bool:
    """Whether the last to ask came between the statement's snapshot and its lock."""
    return bool(rows[-1]["number"] != rows[0]["wanted"])


async def _asked_late(
    database: Database, receivers: Sequence[Record]
) -> Mapping[int, Sequence[Record]]:
    """All who asked for the calls of leased receivers, by receiver."""
    if not receivers:
        return {}
    numbers = [(row["id"], row["notified"], row["wanted"]) for row in receivers]
    rows = await database.fetch("asked", *columns(numbers, 3), MAX_ASKED)
    return {receiver: list(group) for receiver, group in groupby(rows, key=itemgetter("id"))}


def _claim(receiver: Record, askers: Sequence[Record]) -> Claim:
    """A row for each who asked; one row without when nobody is known."""
    known = [row for row in askers if row["layer"] is not None]
    return to_claim(receiver, known, receiver["now"])
