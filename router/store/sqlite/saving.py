"""Saving deliveries with what they plan: those that wait together, in one go.

Each function runs inside a transaction that the writer opened and commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.core.errors import StaleGeneration
from router.core.model import Saved
from router.store.queries import SQLITE as SQL
from router.store.rows import bytes_or_none, from_delivery, from_hints
from router.store.sqlite import history
from router.store.sqlite.planning import Planned, decide, insert_plans
from router.store.sqlite.statements import execute_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection

    from router.core.model import Delivery, Intent, SavedPlan


class Save(NamedTuple):
    """A delivery to be saved, what it intends, and the generation that this was made under."""

    delivery: Delivery
    intents: Sequence[Intent]
    generation: int


def save_deliveries(connection: Connection, saves: Sequence[Save], *, now: int) -> Sequence[Saved]:
    """See Store.save_delivery; as if one were saved after the other."""
    positions = insert_deliveries(connection, [save.delivery for save in saves])
    new = [
        (save, position)
        for save, position in zip(saves, positions, strict=True)
        if position is not None
    ]
    check_generations(connection, {save.generation for save, _ in new})
    decisions = decide(connection, [intent for save, _ in new for intent in save.intents])
    owners = [item for item in new for _ in item[0].intents]
    planned = [
        Planned(position, save.generation, decision)
        for (save, position), decision in zip(owners, decisions, strict=True)
        if decision is not None
    ]
    plans: dict[int, list[SavedPlan]] = {}
    for item, plan in zip(planned, insert_plans(connection, planned, now=now), strict=True):
        plans.setdefault(item.position, []).append(plan)
    return [
        _repeat(connection, save.delivery)
        if position is None
        else Saved(delivery=save.delivery, plans=tuple(plans.get(position, ())))
        for save, position in zip(saves, positions, strict=True)
    ]


def check_generations(connection: Connection, generations: Iterable[int | None]) -> None:
    """Raises StaleGeneration when one of *generations* (None: none is) is not in force."""
    (newest,) = connection.execute(SQL["newest_number"]).fetchone()
    for generation in generations:
        if generation != newest:
            raise StaleGeneration(f"planned under generation {generation}, in force is {newest}")


def insert_deliveries(
    connection: Connection, deliveries: Sequence[Delivery]
) -> Sequence[int | None]:
    """The position of each delivery, with what of it waits; None where it is a duplicate."""
    rows = [from_delivery(delivery) for delivery in deliveries]
    inserted = execute_rows(connection, SQL["insert_delivery"], rows)
    positions: dict[str, int] = {row["id"]: row["position"] for row in inserted}
    hints = [
        hint
        for delivery in deliveries
        if delivery.id in positions
        for hint in from_hints(positions[delivery.id], delivery.updates)
    ]
    execute_rows(connection, SQL["insert_hint"], hints)
    return [positions.get(delivery.id) for delivery in deliveries]


def insert_own_delivery(connection: Connection, delivery: Delivery) -> int:
    """The position of a delivery of our own making: only those of a hook repeat."""
    (position,) = insert_deliveries(connection, [delivery])
    assert position is not None
    return position


def _repeat(connection: Connection, delivery: Delivery) -> Saved:
    """The story of the delivery that this one repeats."""
    row = connection.execute(
        SQL["first_delivery"],
        (delivery.hook, bytes_or_none(delivery.provider_delivery_id), delivery.body_digest),
    ).fetchone()
    first = history.story_at(connection, row["position"])
    return Saved(delivery=first.delivery, plans=first.plans, is_duplicate=True)
