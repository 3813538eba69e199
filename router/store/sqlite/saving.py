"""What is written when a delivery is saved or a routing file comes into force.

Each function runs inside a transaction that the writer opened and commits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from router.core.errors import StaleGeneration
from router.core.model import Plan, RefState, Saved, SavedPlan
from router.core.push import is_zero
from router.ports import Activated
from router.store.queries import SQLITE as SQL
from router.store.rows import (
    bytes_or_none,
    from_delivery,
    from_hints,
    from_match,
    from_paths,
    is_told_by_affected,
    to_affected,
    to_bytes,
    to_ref_state,
)
from router.store.sqlite import history

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from sqlite3 import Connection

    from router.core.model import (
        Activation,
        Delivery,
        DeliveryStory,
        Intent,
        TrackedRef,
        Want,
    )
    from router.core.push import Commit

Decision: TypeAlias = tuple[Plan, int | None, int | None]
"""A plan, the row of the ref whose cursor it moved, and the sequence number it got there."""


def save_delivery(
    connection: Connection,
    delivery: Delivery,
    intents: Sequence[Intent],
    *,
    generation: int,
    now: int,
) -> Saved:
    """See Store.save_delivery."""
    position = insert_delivery(connection, delivery)
    if position is None:
        first = _first_story(connection, delivery)
        return Saved(delivery=first.delivery, plans=first.plans, is_duplicate=True)
    check_generation(connection, generation)
    decisions = decide(connection, intents)
    plans = insert_plans(connection, position, decisions, generation=generation, now=now)
    return Saved(delivery=delivery, plans=plans)


def check_generation(connection: Connection, generation: int) -> None:
    """Raises StaleGeneration when *generation* is not the one in force."""
    (newest,) = connection.execute(SQL["newest_number"]).fetchone()
    if newest != generation:
        raise StaleGeneration(f"planned under generation {generation}, in force is {newest}")


def activate(
    connection: Connection,
    activation: Activation,
    adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
    *,
    now: int,
) -> Activated:
    """See Store.activate."""
    number = _take_number(connection, activation, now)
    _save_receivers(connection, activation, now)
    adopted = _save_definitions(connection, activation)
    for delivery, intent in adopt(adopted) if adopted else ():
        decisions = decide(connection, [intent])
        if decisions:
            position = insert_own_delivery(connection, delivery)
            insert_plans(connection, position, decisions, generation=number, now=now)
    _update_callable(connection, activation, now)
    return Activated(number=number, adopted=adopted)


def insert_delivery(connection: Connection, delivery: Delivery) -> int | None:
    """The delivery's position, with what of it waits; None when it is a duplicate."""
    inserted = connection.execute(SQL["insert_delivery"], from_delivery(delivery))
    if not inserted.rowcount:
        return None
    position = inserted.lastrowid
    assert position is not None
    hints = from_hints(position, delivery.updates)
    if hints:
        connection.executemany(SQL["insert_hint"], hints)
    return position


def insert_own_delivery(connection: Connection, delivery: Delivery) -> int:
    """The position of a delivery of our own making: only those of a hook repeat."""
    position = insert_delivery(connection, delivery)
    assert position is not None
    return position


def _first_story(connection: Connection, delivery: Delivery) -> DeliveryStory:
    row = connection.execute(
        SQL["first_delivery"],
        (delivery.hook, bytes_or_none(delivery.provider_delivery_id), delivery.body_digest),
    ).fetchone()
    return history.story_at(connection, row["position"])


def insert_plans(
    connection: Connection,
    position: int,
    decisions: Sequence[Decision],
    *,
    generation: int,
    now: int,
) -> tuple[SavedPlan, ...]:
    """Save plans with their matches, and raise what they want."""
    plans = []
    for plan, ref, sequence in decisions:
        row = _plan_row(position, generation, plan, ref, sequence)
        plan_id = connection.execute(SQL["insert_plan"], row).lastrowid
        assert plan_id is not None
        _insert_matches(connection, plan_id, plan)
        _raise_wants(connection, plan_id, plan.wants, now)
        plans.append(SavedPlan(plan=plan, sequence=sequence))
    return tuple(plans)


def _plan_row(
    position: int, generation: int, plan: Plan, ref: int | None, sequence: int | None
) -> tuple[Any, ...]:
    """The parameters of `insert_plan`."""
    return (
        position,
        generation,
        plan.repository,
        plan.knowledge,
        to_bytes(plan.reason),
        bytes_or_none(plan.ref),
        plan.commit,
        plan.before,
        plan.cursor,
        plan.told,
        plan.unmapped_count,
        plan.path_count,
        from_paths(plan.paths),
        ref,
        sequence,
        to_affected(plan.matches),
    )


def decide(connection: Connection, intents: Iterable[Intent]) -> Sequence[Decision]:
    """What each intent plans, if anything; commits and tips are remembered, cursors moved."""
    decisions = (_decide(connection, intent) for intent in intents)
    return [decision for decision in decisions if decision is not None]


def _decide(connection: Connection, intent: Intent) -> Decision | None:
    if intent.tracked is None:
        plan = intent.decide(RefState())
        return None if plan is None else (plan, None, None)
    ref, state = _find_ref(connection, intent.tracked)
    is_tip_known = not _remember(connection, ref, intent.after)
    _remember(connection, ref, intent.before)
    _save_tips(connection, ref, intent.tips)
    plan = intent.decide(replace(state, is_tip_known=is_tip_known))
    if plan is None:
        return None
    if plan.ref is None:
        return plan, None, None
    (sequence,) = connection.execute(SQL["update_ref"], (plan.cursor, plan.told, ref)).fetchone()
    return plan, ref, sequence


def _save_tips(connection: Connection, ref: int, tips: Mapping[str, Commit]) -> None:
    if tips:
        rows = [(ref, to_bytes(name), commit) for name, commit in tips.items()]
        connection.executemany(SQL["save_tip"], rows)


def _find_ref(connection: Connection, tracked: TrackedRef) -> tuple[int, RefState]:
    """The ref's row, made if there is none, and its state, without tips."""
    key = (tracked.repository, tracked.url, tracked.ref)
    row = connection.execute(SQL["find_ref"], key).fetchone()
    if row is not None:
        return row["id"], to_ref_state(row)
    ref = connection.execute(SQL["insert_ref"], key).lastrowid
    assert ref is not None
    return ref, RefState()


def _remember(connection: Connection, ref: int, commit: Commit | None) -> bool:
    """Whether *commit* is new on this ref; no commit always is."""
    if commit is None or is_zero(commit):
        return True
    return connection.execute(SQL["insert_commit"], (ref, commit)).rowcount > 0


def _insert_matches(connection: Connection, plan_id: int, plan: Plan) -> None:
    if is_told_by_affected(plan.matches):
        return
    connection.executemany(
        SQL["insert_match"],
        [from_match(plan_id, ordinal, match) for ordinal, match in enumerate(plan.matches)],
    )


def _raise_wants(connection: Connection, plan_id: int, wants: Sequence[Want], now: int) -> None:
    rows: list[tuple[int, int, int, int, str, bool]] = []
    for want in wants:
        receiver, number = connection.execute(
            SQL["raise_wanted"],
            {
                "key": want.receiver,
                "cluster": cluster_of(want.receiver),
                "is_open": not want.is_held,
                "now": now,
            },
        ).fetchone()
        for layer in want.layers:
            rows.append((receiver, number, len(rows), plan_id, layer, want.is_held))
    connection.executemany(SQL["insert_want"], rows)
    connection.executemany(SQL["insert_layer_receiver"], [(row[4], row[0]) for row in rows])


def cluster_of(receiver: str) -> str:
    """The cluster in a receiver's key; Kubernetes names hold no slash."""
    return receiver.rsplit("/", 2)[0]


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
