"""Bringing a routing file into force: generations, definitions, and what may be called.

Each function runs inside a transaction that the writer opened and commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.ports.store import Activated
from router.store.queries import SQLITE as SQL
from router.store.rows import to_bytes
from router.store.sqlite.planning import Planned, decide, insert_plans
from router.store.sqlite.saving import check_generations, insert_own_delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from sqlite3 import Connection

    from router.core.model import Activation, Delivery, Intent


def activate(
    connection: Connection,
    activation: Activation,
    adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
    *,
    after: int | None = None,
    now: int,
) -> Activated:
    """See Store.activate."""
    if after is not None:
        check_generations(connection, [after or None])
    number = _take_number(connection, activation, now)
    _save_receivers(connection, activation, now)
    adopted = _save_definitions(connection, activation)
    for delivery, intent in adopt(adopted) if adopted else ():
        (decision,) = decide(connection, [intent])
        if decision is not None:
            position = insert_own_delivery(connection, delivery)
            insert_plans(connection, [Planned(position, number, decision)], now=now)
    _update_callable(connection, activation, now)
    return Activated(number=number, adopted=adopted)


def _take_number(connection: Connection, activation: Activation, now: int) -> int:
    last = connection.execute(SQL["last_generation"]).fetchone()
    if last is not None and last["digest"] == activation.digest:
        return int(last["number"])
    number = 1 if last is None else last["number"] + 1
    row = (number, activation.digest, to_bytes(activation.text), now)
    connection.execute(SQL["insert_generation"], row)
    return number


def _save_receivers(connection: Connection, activation: Activation, now: int) -> None:
    connection.execute(SQL["delete_unwanted_receivers"])
    connection.executemany(
        SQL["save_receiver"], [(key, cluster, now) for key, cluster in activation.clusters.items()]
    )


def _save_definitions(connection: Connection, activation: Activation) -> tuple[str, ...]:
    """The layers whose definition is not the stored one, in the order of the routing file."""
    definitions = activation.definitions
    stored: dict[str, str] = dict(connection.execute(SQL["definitions"]).fetchall())
    gone = [(layer,) for layer in stored if layer not in definitions]
    connection.executemany(SQL["delete_definition"], gone)
    changed = [item for item in definitions.items() if stored.get(item[0]) != item[1]]
    connection.executemany(SQL["save_definition"], changed)
    return tuple(layer for layer, _ in changed)


def _update_callable(connection: Connection, activation: Activation, now: int) -> None:
    connection.execute(SQL["create_open_layers"])
    connection.execute(SQL["clear_open_layers"])
    connection.executemany(
        SQL["insert_open_layer"],
        [(key, layer) for key, layers in activation.receivers.items() for layer in layers],
    )
    connection.execute(SQL["update_callable"], (now,))
