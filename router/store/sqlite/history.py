"""Reading: deliveries and their stories, receivers and their numbers."""

from __future__ import annotations

import json
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING

from router.core.model import DeliveryStory, SavedPlan, Standing, StoredGeneration
from router.store.queries import SQLITE as SQL
from router.store.rows import (
    affected_match,
    from_affected,
    to_attempt,
    to_delivery,
    to_match,
    to_text,
    with_hints,
)
from router.store.stories import first_of_each, hinted, to_saved_plan, to_status, to_wants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from sqlite3 import Connection, Row

    from router.core.model import Attempt, Delivery, ReceiverStatus

_AFTER_THE_NEWEST = 2**63 - 1


def last_generation(connection: Connection) -> StoredGeneration | None:
    """See Store.last_generation."""
    row = connection.execute(SQL["last_generation"]).fetchone()
    if row is None:
        return None
    return StoredGeneration(number=row["number"], digest=row["digest"], text=to_text(row["text"]))


def standing(connection: Connection, digest: str) -> Standing | None:
    """See Store.report; that a file is held is told by whoever knows the replicas."""
    row = connection.execute(SQL["standing"], (digest,)).fetchone()
    if row is None:
        return None
    return Standing(
        number=row["number"], digest=row["digest"], is_held=False, own_number=row["own_number"]
    )


def deliveries(
    connection: Connection, *, limit: int, before: int | None
) -> Sequence[DeliveryStory]:
    """See Store.deliveries."""
    end = _AFTER_THE_NEWEST if before is None else before
    rows = connection.execute(SQL["deliveries"], (end, limit)).fetchall()
    return _summaries(connection, rows)


def delivery(connection: Connection, delivery_id: str) -> DeliveryStory | None:
    """See Store.delivery."""
    row = connection.execute(SQL["delivery_by_id"], (delivery_id,)).fetchone()
    if row is None:
        return None
    attempts = connection.execute(SQL["serving_attempts"], (row["position"],))
    return _story(connection, row, tuple(to_attempt(attempt) for attempt in attempts))


def story_at(connection: Connection, position: int) -> DeliveryStory:
    """The delivery at *position*, which must exist, without its attempts."""
    return _story(connection, connection.execute(SQL["delivery_at"], (position,)).fetchone())


def delivery_at(connection: Connection, position: int) -> Delivery:
    """The delivery at *position*, which must exist, without what followed from it."""
    rows = connection.execute(SQL["delivery_at"], (position,)).fetchall()
    return deliveries_of(connection, rows)[position]


def deliveries_of(connection: Connection, rows: Sequence[Row]) -> Mapping[int, Delivery]:
    """Position → delivery as it stands now, of rows of `deliveries`.

    Costs a statement only where an update had to wait to be planned.
    """
    found = {row["position"]: to_delivery(row) for row in rows}
    positions = hinted(found)
    if positions:
        closed: dict[int, dict[int, Row]] = {position: {} for position in positions}
        for hint in connection.execute(SQL["closed_hints"], (json.dumps(positions),)):
            closed[hint["delivery"]][hint["ordinal"]] = hint
        found |= {place: with_hints(found[place], hints) for place, hints in closed.items()}
    return found


def layer_deliveries(connection: Connection, layer: str, *, limit: int) -> Sequence[DeliveryStory]:
    """See Store.layer_deliveries: those planned last, for planning may come long after."""
    last_plans: dict[int, int] = {}
    for (receiver,) in connection.execute(SQL["receivers_of"], (layer,)).fetchall():
        rows = connection.execute(SQL["layer_positions"], (receiver, layer))
        for plan, position in islice(first_of_each(rows), limit):
            last_plans[position] = max(plan, last_plans.get(position, 0))
    newest = sorted(last_plans, key=last_plans.__getitem__, reverse=True)[:limit]
    asked = (json.dumps(newest),)
    return _summaries(connection, connection.execute(SQL["deliveries_at"], asked).fetchall())


def receivers(connection: Connection, *, now: int) -> Sequence[ReceiverStatus]:
    """See Store.receivers."""
    return [to_status(row, now) for row in connection.execute(SQL["receivers"])]


def _summaries(connection: Connection, rows: Sequence[Row]) -> Sequence[DeliveryStory]:
    """The stories of a page, with one statement for all of their plans."""
    # Most plans of a page affect the same layers for one of few reasons: each is made once.
    affected = cache(partial(from_affected, match=cache(affected_match)))
    plans: dict[int, list[SavedPlan]] = {row["position"]: [] for row in rows}
    for plan in connection.execute(SQL["plans_of"], (json.dumps(list(plans)),)):
        matches = affected(plan["affected"])
        plans[plan["delivery"]].append(to_saved_plan(plan, matches=matches, wants=()))
    return [
        DeliveryStory(position=position, delivery=delivery, plans=tuple(plans[position]))
        for position, delivery in deliveries_of(connection, rows).items()
    ]


def _story(connection: Connection, row: Row, attempts: tuple[Attempt, ...] = ()) -> DeliveryStory:
    plans = connection.execute(SQL["plans"], (row["position"],)).fetchall()
    return DeliveryStory(
        position=row["position"],
        delivery=deliveries_of(connection, [row])[row["position"]],
        plans=tuple(_whole_plan(connection, plan) for plan in plans),
        attempts=attempts,
    )


def _whole_plan(connection: Connection, row: Row) -> SavedPlan:
    matches = tuple(to_match(match) for match in connection.execute(SQL["matches"], (row["id"],)))
    wants = tuple(to_wants(connection.execute(SQL["wants"], (row["id"],))))
    return to_saved_plan(row, matches=matches or from_affected(row["affected"]), wants=wants)
