"""What intents plan, and how plans are written: refs, commits, plans, matches, wanted numbers.

Everything works on many intents at once, of whatever deliveries are saved together; each function
runs inside a transaction that the writer opened and commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from router.core.model import RefState, SavedPlan
from router.core.push import is_zero
from router.store.queries import SQLITE as SQL
from router.store.rows import (
    cluster_of,
    from_match,
    from_plan,
    is_told_by_affected,
    to_bytes,
)
from router.store.sqlite.statements import execute_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from sqlite3 import Connection, Row

    from router.core.model import Intent, Plan, TrackedRef
    from router.core.push import Commit


@dataclass(slots=True)
class _Ref:
    """A tracked ref as the intents so far leave it."""

    id: int
    cursor: Commit | None = None
    told: Commit | None = None
    sequence: int = 0
    is_moved: bool = False

    def move(self, plan: Plan) -> None:
        """A plan moves the cursor and takes the next sequence number."""
        self.cursor, self.told = plan.cursor, plan.told
        self.sequence += 1
        self.is_moved = True


class Decision(NamedTuple):
    """A plan, the row of the ref whose cursor it moved, and the sequence number it got there."""

    plan: Plan
    ref: int | None = None
    sequence: int | None = None


class Planned(NamedTuple):
    """A decision, the position of the delivery it belongs to, and the generation it was made in."""

    position: int
    generation: int
    decision: Decision


def decide(connection: Connection, intents: Sequence[Intent]) -> Sequence[Decision | None]:
    """What each intent plans, if anything, in their order; commits and tips are remembered.

    An intent meets what those before it have moved. What one raises is raised.
    """
    refs = _find_refs(connection, intents)
    fresh = _remember(connection, refs, intents)
    decisions = [_decide(connection, intent, refs, fresh) for intent in intents]
    moved = [(ref.id, ref.cursor, ref.told, ref.sequence) for ref in refs.values() if ref.is_moved]
    execute_rows(connection, SQL["move_refs"], moved)
    return decisions


def _find_refs(connection: Connection, intents: Iterable[Intent]) -> dict[TrackedRef, _Ref]:
    """The refs that *intents* are about; those never heard of are made."""
    tracked = dict.fromkeys(intent.tracked for intent in intents if intent.tracked is not None)
    keys = {(ref.repository, ref.url, ref.ref): ref for ref in tracked}
    found = {
        keys[row["repository"], row["url"], row["ref"]]: _Ref(
            row["id"], row["cursor"], row["told"], row["sequence"]
        )
        for row in execute_rows(connection, SQL["find_refs"], list(keys))
    }
    for key, ref in keys.items():
        if ref not in found:
            row_id = connection.execute(SQL["insert_ref"], key).lastrowid
            assert row_id is not None
            found[ref] = _Ref(row_id)
    return found


def _remember(
    connection: Connection, refs: Mapping[TrackedRef, _Ref], intents: Iterable[Intent]
) -> set[tuple[int, Commit]]:
    """Remember all commits that *intents* name; returns those that are new on their ref."""
    named = {
        (refs[intent.tracked].id, commit): None
        for intent in intents
        if intent.tracked is not None
        for commit in (intent.after, intent.before)
        if commit is not None and not is_zero(commit)
    }
    fresh = execute_rows(connection, SQL["insert_commit"], list(named))
    return {(row["ref_id"], row["commit_id"]) for row in fresh}


def _decide(
    connection: Connection,
    intent: Intent,
    refs: Mapping[TrackedRef, _Ref],
    fresh: set[tuple[int, Commit]],
) -> Decision | None:
    if intent.tracked is None:
        plan = intent.decide(RefState())
        return None if plan is None else Decision(plan)
    ref = refs[intent.tracked]
    is_tip_known = not _is_new(ref, intent.after, fresh)
    _is_new(ref, intent.before, fresh)
    _save_tips(connection, ref, intent.tips)
    state = RefState(
        cursor=ref.cursor,
        told=ref.told,
        was_planned=ref.sequence > 0,
        is_tip_known=is_tip_known,
    )
    plan = intent.decide(state)
    if plan is None or plan.ref is None:
        return None if plan is None else Decision(plan)
    ref.move(plan)
    return Decision(plan, ref.id, ref.sequence)


def _is_new(ref: _Ref, commit: Commit | None, fresh: set[tuple[int, Commit]]) -> bool:
    """Whether *commit* is new on this ref, and from now on it is not; no commit always is."""
    if commit is None or is_zero(commit):
        return True
    key = (ref.id, commit)
    if key not in fresh:
        return False
    fresh.discard(key)
    return True


def _save_tips(connection: Connection, ref: _Ref, tips: Mapping[str, Commit]) -> None:
    if tips:
        rows = [(ref.id, to_bytes(name), commit) for name, commit in tips.items()]
        execute_rows(connection, SQL["save_tip"], rows)


def insert_plans(
    connection: Connection, planned: Sequence[Planned], *, now: int
) -> Sequence[SavedPlan]:
    """Save plans with their matches, and raise what they want."""
    if not planned:
        return ()
    (last,) = connection.execute(SQL["last_plan"]).fetchone()
    numbered = list(enumerate(planned, start=last + 1))
    execute_rows(connection, SQL["insert_plan"], [_plan_row(*item) for item in numbered])
    plans = [(plan_id, item.decision.plan) for plan_id, item in numbered]
    matches = [
        from_match(plan_id, ordinal, match)
        for plan_id, plan in plans
        if not is_told_by_affected(plan.matches)
        for ordinal, match in enumerate(plan.matches)
    ]
    execute_rows(connection, SQL["insert_match"], matches)
    _raise_wants(connection, plans, now)
    return [SavedPlan(plan=item.decision.plan, sequence=item.decision.sequence) for item in planned]


def _plan_row(plan_id: int, planned: Planned) -> tuple[Any, ...]:
    """The parameters of `insert_plan`."""
    plan, ref, sequence = planned.decision
    row = from_plan(planned.position, planned.generation, plan, ref, sequence)
    return plan_id, *row


def _raise_wants(connection: Connection, plans: Sequence[tuple[int, Plan]], now: int) -> None:
    asked = [
        (want.receiver, cluster_of(want.receiver), not want.is_held, now)
        for _, plan in plans
        for want in plan.wants
    ]
    raised = _by_receiver(execute_rows(connection, SQL["raise_wanted"], asked))
    rows = [row for plan_id, plan in plans for row in _want_rows(plan_id, plan, raised)]
    execute_rows(connection, SQL["insert_want"], rows)
    layers = dict.fromkeys((layer, receiver) for receiver, _, _, _, layer, _ in rows)
    execute_rows(connection, SQL["insert_layer_receiver"], list(layers))


def _want_rows(
    plan_id: int, plan: Plan, raised: Mapping[str, list[tuple[int, int]]]
) -> Sequence[tuple[int, int, int, int, str, bool]]:
    """The parameters of `insert_want`; takes the numbers that *plan* raised."""
    rows: list[tuple[int, int, int, int, str, bool]] = []
    for want in plan.wants:
        receiver, number = raised[want.receiver].pop()
        for layer in want.layers:
            rows.append((receiver, number, len(rows), plan_id, layer, want.is_held))
    return rows


def _by_receiver(rows: Iterable[Row]) -> Mapping[str, list[tuple[int, int]]]:
    """For each receiver its row and the numbers it was raised to, the lowest last."""
    raised: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        raised.setdefault(row["key"], []).append((row["id"], row["wanted"]))
    for numbers in raised.values():
        numbers.sort(reverse=True)
    return raised
