"""Git mode: which updates wait for a look at their Git host, and what such a look leads to.

See Store for what is promised.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.core.errors import StaleCursor
from router.core.model import RefState, Saved
from router.store.postgres import history
from router.store.postgres.ledger import open_ledger
from router.store.postgres.planning import PlanRows
from router.store.postgres.saving import insert_deliveries, insert_hints, stale, to_saving
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import to_bytes, to_delivery, to_ref_state, to_text
from router.store.stories import to_waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.core.model import Closing, Observation, TrackedRef, Waiting
    from router.store.postgres.statements import Connection


async def ref_state(connection: Connection, tracked: TrackedRef) -> RefState:
    """See Store.ref_state."""
    key = (tracked.repository, tracked.url, tracked.ref)
    row = await connection.fetchrow(SQL["find_ref"], *key)
    if row is None:
        return RefState()
    tips = await connection.fetch(SQL["tips"], row["id"])
    return replace(to_ref_state(row), tips={to_text(name): commit for name, commit in tips})


async def waiting(connection: Connection, repository: str) -> Sequence[Waiting]:
    """See Store.waiting."""
    hints = await connection.fetch(SQL["waiting_hints"], repository)
    if not hints:
        return ()
    positions = sorted({hint["delivery"] for hint in hints})
    rows = await connection.fetch(SQL["deliveries_at"], positions)
    deliveries = {row["position"]: to_delivery(row) for row in rows}
    return [to_waiting(deliveries[hint["delivery"]], hint) for hint in hints]


async def save_observation(
    connection: Connection, observation: Observation, *, generation: int
) -> Saved | None:
    """See Store.save_observation.

    A new delivery is saved only if something is planned. Plans whose delivery waits no more for its
    ref are another look's by now, or it was removed: StaleCursor.
    """
    intents = observation.intents
    moment = await connection.fetchrow(SQL["moment"], 1, len(intents))
    assert moment is not None
    if moment["number"] != generation:
        raise stale(generation, moment["number"])
    closed = await _close_all(connection, observation)
    ledger = await open_ledger(connection, intents)
    decisions = ledger.decide(intents)
    await ledger.write(connection)
    if not decisions:
        return None
    position = await _position(connection, observation, closed, moment["positions"][0])
    rows = PlanRows(generation=generation, now=moment["now"])
    plans = rows.add(position, decisions, list(moment["plans"]))
    await rows.write(connection)
    delivery = observation.delivery or await history.delivery_at(connection, position)
    return Saved(delivery=delivery, plans=plans)


async def _position(
    connection: Connection, observation: Observation, closed: Sequence[int | None], place: int
) -> int:
    """Where the delivery of the plans stands; a new one is inserted at *place*."""
    new = observation.delivery
    if new is not None:
        inserted = await insert_deliveries(connection, {place: to_saving(new, (), 0)})
        assert inserted  # only those of a hook repeat
        await insert_hints(connection, [(place, new)])
        return place
    if closed[0] is None:
        raise StaleCursor(f"what waited for {observation.repository} was planned meanwhile")
    return closed[0]


async def _close_all(connection: Connection, observation: Observation) -> Sequence[int | None]:
    """For each closing the position of its delivery; None where nothing waited."""
    closings = observation.closings
    if not closings:
        return ()
    ids = [closing.delivery for closing in closings]
    rows = await connection.fetch(SQL["lock_waiting"], ids)
    places = {row["id"]: row["position"] for row in rows}
    first: dict[tuple[int, bytes], int] = {}
    for index, closing in enumerate(closings):
        if closing.delivery in places:
            first.setdefault((places[closing.delivery], to_bytes(closing.ref)), index)
    asked = [(*key, closings[index]) for key, index in first.items()]
    effective = {first[key] for key in await _close(connection, observation.repository, asked)}
    positions = [
        places[closing.delivery] if index in effective else None
        for index, closing in enumerate(closings)
    ]
    await _settle(connection, dict(zip(positions, closings, strict=True)))
    return positions


async def _close(
    connection: Connection, repository: str, asked: Sequence[tuple[int, bytes, Closing]]
) -> set[tuple[int, bytes]]:
    """Where something did wait, and does so no more."""
    rows = [(place, ref, each.status, to_bytes(each.reason)) for place, ref, each in asked]
    closed = await connection.fetch(SQL["close_hints"], *columns(rows, 4), repository)
    return {(row["delivery"], row["ref"]) for row in closed}


async def _settle(connection: Connection, last: Mapping[int | None, Closing]) -> None:
    """Give the deliveries of which nothing waits any more their status."""
    positions = [position for position in last if position is not None]
    hints = await connection.fetch(SQL["hint_statuses"], positions)
    done = {hint["delivery"]: hint["is_routed"] for hint in hints if not hint["is_waiting"]}
    doubtful = [position for position, is_routed in done.items() if not is_routed]
    led_nowhere = set(doubtful) - await _routed(connection, doubtful)
    rows = [
        (position, last[position].status, to_bytes(last[position].reason))
        if position in led_nowhere
        else (position, "routed", None)
        for position in done
    ]
    await write_rows(connection, "close_deliveries", rows)


async def _routed(connection: Connection, positions: Collection[int]) -> set[int]:
    """Those of the deliveries that have a routed update, one that had not to wait."""
    if not positions:
        return set()
    rows = await connection.fetch(SQL["deliveries_at"], positions)
    return {
        position
        for position, delivery in (await history.deliveries_of(connection, rows)).items()
        if any(update.status == "routed" for update in delivery.updates)
    }
