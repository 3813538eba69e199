"""Reading: deliveries and their stories, receivers and their numbers.

Each function that takes a connection reads in one transaction, that sees one moment.
"""

from __future__ import annotations

from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from router.core.model import DeliveryStory, StoredGeneration
from router.store.postgres.statements import SQL
from router.store.rows import (
    affected_match,
    from_affected,
    to_attempt,
    to_delivery,
    to_match,
    to_text,
    with_hints,
)
from router.store.stories import hinted, to_saved_plan, to_status, to_wants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncpg import Record

    from router.core.model import Attempt, Delivery, ReceiverStatus, SavedPlan
    from router.store.postgres.database import Database
    from router.store.postgres.statements import Connection

_AFTER_THE_NEWEST = 2**63 - 1


async def last_generation(database: Database) -> StoredGeneration | None:
    """See Store.last_generation."""
    for row in await database.fetch("last_generation"):
        return StoredGeneration(
            number=row["number"], digest=row["digest"], text=to_text(row["text"])
        )
    return None


async def deliveries(
    connection: Connection, *, limit: int, before: int | None
) -> Sequence[DeliveryStory]:
    """See Store.deliveries."""
    end = _AFTER_THE_NEWEST if before is None else before
    return await _summaries(connection, await connection.fetch(SQL["deliveries"], end, limit))


async def delivery(connection: Connection, delivery_id: str) -> DeliveryStory | None:
    """See Store.delivery."""
    row = await connection.fetchrow(SQL["delivery_by_id"], delivery_id)
    if row is None:
        return None
    attempts = await connection.fetch(SQL["serving_attempts"], row["position"])
    return await _story(connection, row, tuple(to_attempt(attempt) for attempt in attempts))


async def story_at(connection: Connection, position: int) -> DeliveryStory | None:
    """The delivery at *position*, if it is still kept, without its attempts."""
    rows = await connection.fetch(SQL["deliveries_at"], [position])
    return await _story(connection, rows[0]) if rows else None


async def delivery_at(connection: Connection, position: int) -> Delivery:
    """The delivery at *position*, which must exist, without what followed from it."""
    rows = await connection.fetch(SQL["deliveries_at"], [position])
    return (await deliveries_of(connection, rows))[position]


async def deliveries_of(connection: Connection, rows: Sequence[Record]) -> Mapping[int, Delivery]:
    """Position → delivery as it stands now, of rows of `deliveries`.

    Costs a statement only where an update had to wait to be planned.
    """
    found = {row["position"]: to_delivery(row) for row in rows}
    positions = hinted(found)
    if positions:
        closed: dict[int, dict[int, Record]] = {position: {} for position in positions}
        for hint in await connection.fetch(SQL["closed_hints"], positions):
            closed[hint["delivery"]][hint["ordinal"]] = hint
        found |= {place: with_hints(found[place], hints) for place, hints in closed.items()}
    return found


async def layer_deliveries(
    connection: Connection, layer: str, *, limit: int
) -> Sequence[DeliveryStory]:
    """See Store.layer_deliveries: those planned last, for planning may come long after."""
    last_plans: dict[int, int] = {}
    for row in await connection.fetch(SQL["receivers_of"], layer):
        for plan, position in await _first_of_each(connection, row["receiver"], layer, limit):
            last_plans[position] = max(plan, last_plans.get(position, 0))
    newest = sorted(last_plans, key=last_plans.__getitem__, reverse=True)[:limit]
    return await _summaries(connection, await connection.fetch(SQL["deliveries_at"], newest))


async def _first_of_each(
    connection: Connection, receiver: int, layer: str, limit: int
) -> Iterable[tuple[int, int]]:
    """The newest plan of each delivery, and the delivery; reads no more than it has to."""
    plans: dict[int, int] = {}
    rows = connection.cursor(SQL["layer_positions"], receiver, layer, prefetch=limit)
    async for row in rows:
        plans.setdefault(row["delivery"], row["id"])
        if len(plans) == limit:
            break
    return [(plan, position) for position, plan in plans.items()]


async def receivers(database: Database) -> Sequence[ReceiverStatus]:
    """See Store.receivers."""
    return [to_status(row, row["now"]) for row in await database.fetch("receivers")]


async def _summaries(connection: Connection, rows: Sequence[Record]) -> Sequence[DeliveryStory]:
    """The stories of a page, with one statement for all of their plans."""
    # Most plans of a page affect the same layers for one of few reasons: each is made once.
    affected = cache(partial(from_affected, match=cache(affected_match)))
    plans: dict[int, list[SavedPlan]] = {row["position"]: [] for row in rows}
    for plan in await connection.fetch(SQL["plans_of"], list(plans)):
        matches = affected(plan["affected"])
        plans[plan["delivery"]].append(to_saved_plan(plan, matches=matches, wants=()))
    found = await deliveries_of(connection, rows)
    return [
        DeliveryStory(position=position, delivery=delivery, plans=tuple(plans[position]))
        for position, delivery in found.items()
    ]


async def _story(
    connection: Connection, row: Record, attempts: tuple[Attempt, ...] = ()
) -> DeliveryStory:
    found = await deliveries_of(connection, [row])
    return DeliveryStory(
        position=row["position"],
        delivery=found[row["position"]],
        plans=await _whole_plans(connection, row["position"]),
        attempts=attempts,
    )


async def _whole_plans(connection: Connection, position: int) -> tuple[SavedPlan, ...]:
    """The plans of a delivery, with two statements for their matches and wants."""
    plans = await connection.fetch(SQL["plans"], position)
    ids = [plan["id"] for plan in plans]
    matches = _by_plan(await connection.fetch(SQL["matches"], ids))
    wants = _by_plan(await connection.fetch(SQL["wants"], ids))
    return tuple(
        to_saved_plan(
            plan,
            matches=tuple(to_match(match) for match in matches.get(plan["id"], ()))
            or from_affected(plan["affected"]),
            wants=tuple(to_wants(wants.get(plan["id"], ()))),
        )
        for plan in plans
    )


def _by_plan(rows: Sequence[Record]) -> Mapping[int, Sequence[Record]]:
    return {plan: list(group) for plan, group in groupby(rows, key=itemgetter("plan"))}
