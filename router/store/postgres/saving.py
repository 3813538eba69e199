"""What is written when deliveries are saved, many of them in one transaction.

Locks are taken in one order everywhere, so that replicas do not block each other for good: the
generation, deliveries, refs, receivers by their keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from router.core.errors import StaleGeneration
from router.core.model import Saved
from router.store.postgres.ledger import open_ledger
from router.store.postgres.planning import PlanRows
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import from_delivery, from_hints, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncpg import Record

    from router.core.model import Delivery, Intent
    from router.store.postgres.ledger import Ledger
    from router.store.postgres.statements import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A delivery that is to be saved."""

    delivery: Delivery
    intents: Sequence[Intent]
    generation: int
    once: bytes | None
    """What a redelivery of it would have, too; None when none could be told."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """The delivery is a duplicate of the one at *position*, if that is known already."""

    position: int | None


Outcome: TypeAlias = Saved | Repeats | Exception


def to_saving(delivery: Delivery, intents: Sequence[Intent], generation: int) -> Saving:
    return Saving(delivery=delivery, intents=intents, generation=generation, once=once_of(delivery))


def once_of(delivery: Delivery) -> bytes | None:
    """What is the same for a delivery and its redelivery, and for no other delivery."""
    parts = (delivery.hook, delivery.provider_delivery_id, delivery.body_digest)
    if None in parts:
        return None
    lengths = [to_bytes(part or "") for part in parts]
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in lengths)).digest()


def key_of(saving: Saving) -> bytes | None:
    """Of those that may be duplicates of each other, one is saved at a time."""
    return saving.once


async def save_deliveries(connection: Connection, batch: Sequence[Saving]) -> Sequence[Outcome]:
    """Save what can be; a delivery whose intents raise is left out alone."""
    intent_count = sum(len(saving.intents) for saving in batch)
    moment = await connection.fetchrow(SQL["moment"], len(batch), intent_count)
    assert moment is not None
    places = dict(zip(moment["positions"], batch, strict=True))
    in_force = moment["number"]
    fit = {place: each for place, each in places.items() if each.generation == in_force}
    inserted = await insert_deliveries(connection, fit)
    outcomes = await _save_plans(
        connection, {place: fit[place] for place in sorted(inserted)}, moment
    )
    left = {place: each for place, each in places.items() if place not in inserted}
    outcomes |= await _explain(connection, left, in_force) if left else {}
    return [outcomes[place] for place in places]


async def insert_deliveries(connection: Connection, places: Mapping[int, Saving]) -> set[int]:
    """Insert deliveries at positions; returns the positions of those that are no duplicates."""
    if not places:
        return set()
    rows = [_delivery_row(place, each) for place, each in places.items()]
    inserted = await connection.fetch(SQL["insert_deliveries"], *columns(rows, 12))
    return {row["position"] for row in inserted}


def _delivery_row(position: int, saving: Saving) -> tuple[Any, ...]:
    return (position, *from_delivery(saving.delivery), saving.once)


async def insert_hints(connection: Connection, places: Iterable[tuple[int, Delivery]]) -> None:
    """Have the updates of deliveries wait that are to be planned later."""
    hints = [hint for place, delivery in places for hint in from_hints(place, delivery.updates)]
    await write_rows(connection, "insert_hints", hints)


async def _save_plans(
    connection: Connection, places: Mapping[int, Saving], moment: Record
) -> dict[int, Outcome]:
    """Decide the intents of deliveries that are inserted, and write what follows from them."""
    ledger = await open_ledger(
        connection, [intent for each in places.values() for intent in each.intents]
    )
    rows = PlanRows(generation=moment["number"], now=moment["now"])
    plan_ids = list(moment["plans"])
    outcomes = {
        place: _decide(place, each, ledger, rows, plan_ids) for place, each in places.items()
    }
    failed = [place for place, outcome in outcomes.items() if isinstance(outcome, Exception)]
    if failed:
        await connection.execute(SQL["withdraw_deliveries"], failed)
    saved = [(place, places[place].delivery) for place in places if place not in failed]
    await insert_hints(connection, saved)
    await ledger.write(connection)
    await rows.write(connection)
    return outcomes


def _decide(
    place: int, saving: Saving, ledger: Ledger, rows: PlanRows, plan_ids: list[int]
) -> Outcome:
    try:
        decisions = ledger.decide(saving.intents)
    except Exception as error:  # its caller's, who alone has it
        return error
    return Saved(delivery=saving.delivery, plans=rows.add(place, decisions, plan_ids))


async def _explain(
    connection: Connection, places: Mapping[int, Saving], in_force: int
) -> dict[int, Outcome]:
    """Why deliveries were not inserted: each is a duplicate, or of another generation."""
    keys = [each.once for each in places.values() if _can_repeat(each)]
    rows = await connection.fetch(SQL["first_deliveries"], keys) if keys else []
    firsts = {row["once"]: row["position"] for row in rows}
    return {
        place: _explain_one(each, firsts.get(each.once) if _can_repeat(each) else None, in_force)
        for place, each in places.items()
    }


def _can_repeat(saving: Saving) -> bool:
    return saving.once is not None and saving.delivery.status in ("routed", "accepted")


def _explain_one(saving: Saving, first: int | None, in_force: int) -> Outcome:
    if first is None and saving.generation != in_force:
        return stale(saving.generation, in_force)
    return Repeats(first)


def stale(generation: int, in_force: int) -> StaleGeneration:
    """The error for a plan of another generation than the one in force."""
    return StaleGeneration(f"planned under generation {generation}, in force is {in_force}")
