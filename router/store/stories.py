"""How plans, wants, stories and receivers are read from rows of either database. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from router.core.model import Plan, ReceiverStatus, SavedPlan, Waiting, Want
from router.store.rows import (
    is_waiting,
    text_or_none,
    to_attempt,
    to_instant,
    to_paths,
    to_ref_update,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from router.core.model import Delivery, Match
    from router.store.rows import Row


def to_saved_plan(row: Row, *, matches: tuple[Match, ...], wants: tuple[Want, ...]) -> SavedPlan:
    plan = Plan(
        repository=row["repository"],
        knowledge=row["knowledge"],
        reason=to_text(row["reason"]),
        matches=matches,
        wants=wants,
        ref=text_or_none(row["ref"]),
        commit=row["commit_id"],
        before=row["before_id"],
        cursor=row["cursor"],
        told=row["told"],
        unmapped_count=row["unmapped_count"],
        path_count=row["path_count"],
        paths=to_paths(row["paths"]),
    )
    return SavedPlan(plan=plan, sequence=row["sequence"])


def to_wants(rows: Iterable[Row]) -> Iterable[Want]:
    """The wants of a plan, from a row for each of their layers in the order of the plan."""
    for (key, _number, is_held), group in groupby(
        rows, key=lambda row: (row["key"], row["number"], row["is_held"])
    ):
        layers = tuple(row["layer"] for row in group)
        yield Want(receiver=key, layers=layers, is_held=bool(is_held))


def to_status(row: Row, now: int) -> ReceiverStatus:
    return ReceiverStatus(
        receiver=row["receiver"],
        wanted=row["receiver_wanted"],
        notified=row["notified"],
        callable=row["callable"],
        failures=row["failures"],
        is_leased=row["lease_until"] is not None and row["lease_until"] > now,
        due_at=to_instant(row["due_at"]),
        last_attempt=None if row["id"] is None else to_attempt(row),
    )


def hinted(deliveries: Mapping[int, Delivery]) -> list[int]:
    """The positions of deliveries that had an update wait to be planned."""
    return [
        position
        for position, delivery in deliveries.items()
        if any(is_waiting(update) for update in delivery.updates)
    ]


def to_waiting(delivery: Delivery, hint: Row) -> Waiting:
    """One update of *delivery* that waits, from a row of `waiting_hints`."""
    return Waiting(
        delivery=delivery.id,
        received_at=delivery.received_at,
        update=to_ref_update(delivery.updates[hint["ordinal"]]),
        is_followed=bool(hint["is_followed"]),
    )


def first_of_each(rows: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The first plan of each delivery, from pairs of both."""
    seen: set[int] = set()
    for plan, position in rows:
        if position not in seen:
            seen.add(position)
            yield plan, position
