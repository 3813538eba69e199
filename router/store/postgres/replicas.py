"""Which replicas live and what they lease, on the database's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.model import Standing
from router.store.postgres.saving import stale
from router.store.rows import seconds_to_micros

if TYPE_CHECKING:
    from router.store.postgres.database import Database

BUSY_SECONDS = 0.1
"""How long a lease is said to be somebody else's that was taken at this very moment."""


async def report(
    database: Database, replica: str, *, digest: str, seconds: float
) -> Standing | None:
    """See Store.report."""
    asked = (replica, digest, seconds_to_micros(seconds))
    for row in await database.fetch("report_replica", *asked):
        return Standing(
            number=row["number"],
            digest=row["digest"],
            is_held=row["is_held"],
            own_number=row["own_number"],
        )
    return None


async def lease(
    database: Database, name: str, *, owner: str, seconds: float, generation: int
) -> float:
    """See Store.lease."""
    asked = (name, owner, seconds_to_micros(seconds), generation)
    (row,) = await database.fetch("take_lease", *asked)
    if row["number"] != generation:
        raise stale(generation, row["number"])
    if row["is_taken"]:
        return 0.0
    return max(BUSY_SECONDS, (row["micros_left"] or 0) / 1_000_000)
