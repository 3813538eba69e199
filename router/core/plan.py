"""From what changed to what is wanted: the plans of a push, and of a tip read from a Git host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from router.core.changes import (
    GIT_WOULD_KNOW,
    ExactPaths,
    UnknownPaths,
    changes_since,
    listed_changes,
    next_cursor,
)
from router.core.errors import StaleCursor
from router.core.match import match_layers
from router.core.model import MAX_KEPT_PATHS, Intent, Match, Plan, TrackedRef, Want
from router.core.naming import normalize_url
from router.core.push import NOT_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.match import Matched
    from router.core.model import Knowledge, RefState, Waiting
    from router.core.push import Commit, RefUpdate
    from router.core.routing import Repository, Routing
    from router.core.tips import Move

ADOPTED = "adopted: the layer's definition is new or has changed"
ADOPTED_REF = "adopted: no commit of this ref was planned before"
PAYLOAD = "the file lists are complete"
MAX_IN_TURN = 10_000
"""Matches of moves of which one is not known, up to which they are planned one by one."""

APART = f"several refs moved that do not follow one another; {GIT_WOULD_KNOW}"
JOINED = "planned with the last of the updates that came with it: every layer is called"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a change in git mode, and how."""

    changes: ExactPaths | UnknownPaths
    knowledge: Knowledge
    how: str = ""
    """How the changed paths are known; empty where they are not."""


def known_without_host(changes: ExactPaths | UnknownPaths, *, how: str) -> Known:
    """What the pushes themselves prove."""
    if isinstance(changes, UnknownPaths):
        return Known(changes=changes, knowledge="unknown")
    return Known(changes=changes, knowledge="payload", how=how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Several updates that a delivery has for one entry, planned together."""

    last: RefUpdate
    """The one that plans for all of them."""
    changes: UnknownPaths


def find_joint(entry: Repository, updates: Sequence[RefUpdate]) -> Joint | None:
    """The updates of a delivery for one entry, if they are to be planned together.

    Where one starts elsewhere than the one before it ended, it cannot be known what changed, and
    every layer is called, whatever the others did. A thousand tags of an entry with a thousand
    layers would otherwise be a million matches. Moves that follow one another are planned in turn,
    unless they are so many.
    """
    moved = [update for update in updates if not update.is_deleted]
    if len(moved) < 2:
        return None
    listed = (listed_changes(update, force_pushes=entry.force_pushes) for update in moved)
    unknown = next((each for each in listed if isinstance(each, UnknownPaths)), None)
    is_small = unknown is None or len(moved) * len(entry.layers) <= MAX_IN_TURN
    if is_small and all(here.after == there.before for here, there in pairwise(moved)):
        return None
    return Joint(last=moved[-1], changes=unknown or UnknownPaths(APART))


def plan_update(
    routing: Routing,
    entry: Repository,
    update: RefUpdate,
    listed: ExactPaths | UnknownPaths,
    matched: Matched,
    *,
    is_joint: bool = False,
) -> Intent:
    """The plan of one update of a tracked ref, to be decided when the ref's state is certain.

    *matched* holds the layers of the *listed* changes: matching may be slow, deciding must not be.
    A joint one stands for others that came with it, after which it is not certain where the cursor
    is: only a commit that was never seen is one then.
    """

    def decide(state: RefState) -> Plan:
        start = replace(state, told=None) if is_joint else state
        changes = changes_since(start, update, listed)
        cursor = next_cursor(start, update)
        found = matched if changes is listed else match_layers(entry.index, changes)
        return Plan(
            repository=entry.name,
            knowledge="unknown" if isinstance(changes, UnknownPaths) else "payload",
            reason=describe_changes(PAYLOAD, changes, found),
            matches=found.matches,
            wants=plan_wants(routing, affected_layers(found.matches)),
            ref=update.ref,
            commit=update.after,
            before=state.told,
            cursor=cursor,
            told=cursor,
            unmapped_count=found.unmapped_count,
            path_count=len(changes.paths) if isinstance(changes, ExactPaths) else 0,
        )

    return Intent(
        decide=decide,
        tracked=tracked_ref(entry),
        before=update.before,
        after=None if update.is_foretold else update.after,
    )


def plan_tip(
    routing: Routing,
    entry: Repository,
    *,
    move: Move,
    known: Known,
    matched: Matched,
    tips: Mapping[str, Commit],
) -> Intent:
    """The plan of a tip that was read from the Git host: it becomes the cursor.

    *tips* are those of a wildcard to remember as seen. The intent raises StaleCursor when the ref
    is not where *move* starts any more.
    """
    plan = replace(
        _plan_known(routing, entry, known, matched),
        ref=move.ref,
        commit=move.tip,
        before=move.base,
        cursor=move.tip,
        told=move.tip,
    )

    def decide(state: RefState) -> Plan:
        _check_fresh(state, cursor=move.base, told=move.told)
        return plan

    return Intent(decide=decide, tracked=tracked_ref(entry), after=move.tip, tips=tips)


def plan_without_host(
    routing: Routing,
    entry: Repository,
    state: RefState,
    newest: Waiting | None,
    *,
    known: Known,
    matched: Matched,
) -> Intent:
    """The plan of what waits up to the *newest* push, where the Git host could not be read.

    The cursor stays. What layers are told of follows the rules of payload mode: the commit of the
    push, if its lists lead there from the last one, or if it was never heard of before. Without a
    push a ref is planned of which nothing is known. The intent raises StaleCursor when the ref is
    not in *state* any more.
    """
    update = newest.update if newest else None
    commit = (update.after if update else NOT_TOLD) or None
    plan = replace(
        _plan_known(routing, entry, known, matched),
        ref=update.ref if update else entry.ref,
        commit=commit,
        before=state.told,
        cursor=state.cursor,
        paths=(),
    )

    def decide(now: RefState) -> Plan:
        _check_fresh(now, cursor=state.cursor, told=state.told)
        is_old = now.is_tip_known or (newest is not None and newest.is_followed)
        is_told = known.knowledge == "payload" or not is_old
        return replace(plan, told=plan.commit if is_told else None)

    return Intent(
        decide=decide,
        tracked=tracked_ref(entry),
        before=(update.before if update else NOT_TOLD) or None,
        after=commit,
    )


def _check_fresh(state: RefState, *, cursor: Commit | None, told: Commit | None) -> None:
    if (state.cursor, state.told) != (cursor, told):
        raise StaleCursor("the ref was planned meanwhile")


def _plan_known(routing: Routing, entry: Repository, known: Known, matched: Matched) -> Plan:
    """A plan without what concerns its ref."""
    paths = known.changes.paths if isinstance(known.changes, ExactPaths) else ()
    return Plan(
        repository=entry.name,
        knowledge=known.knowledge,
        reason=describe_changes(known.how, known.changes, matched),
        matches=matched.matches,
        wants=plan_wants(routing, affected_layers(matched.matches)),
        unmapped_count=matched.unmapped_count,
        path_count=len(paths),
        paths=paths[:MAX_KEPT_PATHS],
    )


def remember_update(entry: Repository, update: RefUpdate) -> Intent:
    """No plan, for a deleted ref or one that another's plan covers: the cursor stays.

    Its commits count as seen.
    """
    return Intent(
        decide=lambda _state: None,
        tracked=tracked_ref(entry),
        before=update.before,
        after=update.after,
    )


def tracked_ref(entry: Repository) -> TrackedRef:
    """What an entry's cursor belongs to; the spelling of the URL does not count."""
    return TrackedRef(repository=entry.name, url=normalize_url(entry.url), ref=entry.ref)


def describe_changes(how: str, changes: ExactPaths | UnknownPaths, matched: Matched) -> str:
    """One sentence on *how* the changed paths are known, or why they are not."""
    if isinstance(changes, UnknownPaths):
        return changes.reason
    count = len(changes.paths)
    text = f"{how}: {count} changed path{'' if count == 1 else 's'}"
    if matched.unmapped_count:
        text += f", {matched.unmapped_count} of no layer (e.g. {matched.unmapped[0]!r})"
    return text


def affected_layers(matches: Iterable[Match]) -> tuple[str, ...]:
    """The names of the layers that a plan affects."""
    return tuple(match.layer for match in matches if match.is_affected)


def plan_wants(routing: Routing, layers: Iterable[str]) -> tuple[Want, ...]:
    """The receivers of *layers*, each once, with the layers that ask for it."""
    asking: dict[str, list[str]] = {}
    for layer in layers:
        for receiver in routing.layers[layer].receivers:
            asking.setdefault(receiver, []).append(layer)
    return tuple(
        Want(
            receiver=receiver,
            layers=tuple(names),
            is_held=all([routing.is_held(receiver, name) for name in names]),
        )
        for receiver, names in asking.items()
    )
