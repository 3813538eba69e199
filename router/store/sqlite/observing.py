"""Git mode: which updates wait for a look at their Git host, and what such a look leads to.

Each function runs inside a transaction; see Store for what is promised.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from router.core.errors import StaleCursor
from router.core.model import RefState, Saved
from router.store.queries import SQLITE as SQL
from router.store.rows import to_bytes, to_delivery, to_ref_state, to_text
from router.store.sqlite import history
from router.store.sqlite.planning import Planned, decide, insert_plans
from router.store.sqlite.saving import check_generations, insert_own_delivery
from router.store.stories import to_waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from router.core.model import Closing, DeliveryStatus, Observation, TrackedRef, Waiting


def ref_state(connection: Connection, tracked: TrackedRef) -> RefState:
    """See Store.ref_state."""
    key = (tracked.repository, tracked.url, tracked.ref)
    row = connection.execute(SQL["find_ref"], key).fetchone()
    if row is None:
        return RefState()
    tips = connection.execute(SQL["tips"], (row["id"],))
    return replace(to_ref_state(row), tips={to_text(name): commit for name, commit in tips})


def waiting(connection: Connection, repository: str) -> Sequence[Waiting]:
    """See Store.waiting."""
    hints = connection.execute(SQL["waiting_hints"], (repository,)).fetchall()
    if not hints:
        return ()
    positions = json.dumps(sorted({hint["delivery"] for hint in hints}))
    rows = connection.execute(SQL["deliveries_at"], (positions,)).fetchall()
    deliveries = {row["position"]: to_delivery(row) for row in rows}
    return [to_waiting(deliveries[hint["delivery"]], hint) for hint in hints]


def waiting_repositories(connection: Connection) -> Sequence[str]:
    """See Store.waiting_repositories."""
    return [name for (name,) in connection.execute(SQL["waiting_repositories"])]


def save_observation(
    connection: Connection, observation: Observation, *, generation: int, now: int
) -> Saved | None:
    """See Store.save_observation.

    A new delivery is saved only if something is planned. Plans whose delivery waits no more for its
    ref are another look's by now, or it was removed: StaleCursor.
    """
    check_generations(connection, [generation])
    closed = _close_all(connection, observation)
    decided = decide(connection, observation.intents)
    decisions = [decision for decision in decided if decision is not None]
    if not decisions:
        return None
    new = observation.delivery
    position = insert_own_delivery(connection, new) if new else closed[0]
    if position is None:
        raise StaleCursor(f"what waited for {observation.repository} was planned meanwhile")
    planned = [Planned(position, generation, decision) for decision in decisions]
    plans = tuple(insert_plans(connection, planned, now=now))
    return Saved(delivery=new or history.delivery_at(connection, position), plans=plans)


def _close_all(connection: Connection, observation: Observation) -> Sequence[int | None]:
    """For each closing the position of its delivery; None where nothing waited."""
    closings = observation.closings
    positions = [_close(connection, observation.repository, closing) for closing in closings]
    last = dict(zip(positions, closings, strict=True))
    for position, closing in last.items():
        if position is not None:
            _settle(connection, position, closing)
    return positions


def _close(connection: Connection, repository: str, closing: Closing) -> int | None:
    row = connection.execute(
        SQL["close_hints"],
        (
            closing.status,
            to_bytes(closing.reason),
            closing.delivery,
            repository,
            to_bytes(closing.ref),
        ),
    ).fetchall()
    return row[0]["delivery"] if row else None


def _settle(connection: Connection, position: int, last: Closing) -> None:
    """Give a delivery of which nothing waits any more its status."""
    hints = connection.execute(SQL["hint_statuses"], (position,)).fetchone()
    if hints["is_waiting"]:
        return
    status: DeliveryStatus = "routed"
    reason = None
    if not hints["is_routed"] and not _is_routed(connection, position):
        status, reason = last.status, to_bytes(last.reason)
    connection.execute(SQL["close_delivery"], (status, reason, position))


def _is_routed(connection: Connection, position: int) -> bool:
    """Whether an update is routed that had not to wait."""
    delivery = history.delivery_at(connection, position)
    return any(update.status == "routed" for update in delivery.updates)
