"""What is written when a routing file comes into force, in one transaction of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.ports.store import Activated
from router.store.postgres.ledger import open_ledger
from router.store.postgres.planning import PlanRows
from router.store.postgres.saving import insert_deliveries, insert_hints, stale, to_saving
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.core.model import Activation, Delivery, Intent
    from router.store.postgres.statements import Connection


async def activate(
    connection: Connection,
    activation: Activation,
    adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
    *,
    after: int | None = None,
) -> Activated:
    """See Store.activate. Nobody else may save plans meanwhile."""
    moment = await connection.fetchrow(SQL["moment"], 0, 0)
    assert moment is not None
    if after is not None and after != moment["number"]:
        raise stale(after, moment["number"])
    now: int = moment["now"]
    number = await _take_number(connection, activation, moment["number"], now)
    await connection.execute(SQL["lock_all_receivers"])
    await connection.execute(SQL["delete_unwanted_receivers"])
    clusters = columns(sorted(activation.clusters.items()), 2)
    await connection.execute(SQL["save_receivers"], *clusters, now)
    adopted = await _save_definitions(connection, activation)
    if adopted:
        await _adopt(connection, adopt(adopted), PlanRows(generation=number, now=now))
    opened = [(key, layer) for key, layers in activation.receivers.items() for layer in layers]
    await connection.execute(SQL["update_callable"], *columns(opened, 2), now)
    return Activated(number=number, adopted=adopted)


async def _take_number(
    connection: Connection, activation: Activation, in_force: int, now: int
) -> int:
    last = await connection.fetchrow(SQL["last_generation"])
    if last is not None and last["digest"] == activation.digest:
        return in_force
    row = (in_force + 1, activation.digest, to_bytes(activation.text), now)
    await connection.execute(SQL["insert_generation"], *row)
    return in_force + 1


async def _save_definitions(connection: Connection, activation: Activation) -> tuple[str, ...]:
    """The layers whose definition is not the stored one, in the order of the routing file."""
    definitions = activation.definitions
    rows = await connection.fetch(SQL["definitions"])
    stored: dict[str, str] = {row["layer"]: row["digest"] for row in rows}
    gone = [layer for layer in stored if layer not in definitions]
    if gone:
        await connection.execute(SQL["delete_definitions"], gone)
    changed = [item for item in definitions.items() if stored.get(item[0]) != item[1]]
    await write_rows(connection, "save_definitions", changed)
    return tuple(layer for layer, _ in changed)


async def _adopt(
    connection: Connection, adoptions: Sequence[tuple[Delivery, Intent]], rows: PlanRows
) -> None:
    """Save those of the deliveries whose intent plans something."""
    ledger = await open_ledger(connection, [intent for _, intent in adoptions])
    decided = [(delivery, ledger.decide([intent])) for delivery, intent in adoptions]
    planned = [(delivery, decisions) for delivery, decisions in decided if decisions]
    count = sum(len(decisions) for _, decisions in planned)
    ids = await connection.fetchrow(SQL["moment"], len(planned), count)
    assert ids is not None
    places = dict(zip(ids["positions"], planned, strict=True))
    savings = {place: to_saving(each[0], (), rows.generation) for place, each in places.items()}
    await insert_deliveries(connection, savings)
    await insert_hints(connection, ((place, each[0]) for place, each in places.items()))
    plan_ids = list(ids["plans"])
    for place, (_, decisions) in places.items():
        rows.add(place, decisions, plan_ids)
    await ledger.write(connection)
    await rows.write(connection)
