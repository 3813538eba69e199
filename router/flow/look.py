"""One look at a Git host: where the refs of an entry stand, and what changed since the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.changes import ExactPaths, UnknownPaths, fallback_changes
from router.core.model import Intent
from router.core.plan import ADOPTED_REF, PAYLOAD, plan_tip, tracked_ref
from router.core.tips import is_news, moved_tips
from router.flow.matching import match_in_slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.model import Knowledge, RefState, Waiting
    from router.core.push import Commit
    from router.core.routing import GitAccess, Repository, Routing
    from router.core.tips import Move
    from router.ports import Git

CURSOR_UNKNOWN = "it is not known which commit of this ref was planned last"
BASE_UNREACHABLE = (
    "base_unreachable: neither the Git host nor the clone has the commit planned last any more, so "
    "nothing can be compared; the next push is compared with this one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A tip to plan, and what changed from the commit before it."""

    move: Move
    changes: ExactPaths | UnknownPaths
    knowledge: Knowledge
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a Git host told."""

    tips: Mapping[str, Commit]
    """Those of the refs that the entry tracks, by full name."""
    compared: tuple[Compared, ...]
    """In the order in which they are to be planned."""
    known: frozenset[Commit]
    """Those of the waiting pushes' commits that the clone has."""


async def read_host(
    git: Git, entry: Repository, access: GitAccess, state: RefState, waiting: Sequence[Waiting]
) -> Look:
    """Ask the host for the entry's tips and compare those that moved. Raises GitUnavailable."""
    tips = await _read_tips(git, entry, access, state)
    compared = [
        await _compare(git, entry, access, state, move, waiting)
        for move in moved_tips(entry, state, tips)
    ]
    known = {
        item.update.after
        for item in waiting
        if item.update.after != tips.get(item.update.ref)
        and await git.has_commit(access, item.update.after)
    }
    return Look(tips=tips, compared=tuple(compared), known=frozenset(known))


async def _read_tips(
    git: Git, entry: Repository, access: GitAccess, state: RefState
) -> Mapping[str, Commit]:
    if not entry.is_wildcard:
        return await git.fetch_tips(access, [entry.ref])
    listed = await git.list_tips(access, [entry.ref])
    moved = [move.ref for move in moved_tips(entry, state, listed)]
    fetched = await git.fetch_tips(access, moved) if moved else {}
    gone = {ref for ref in moved if ref not in fetched}
    return {ref: tip for ref, tip in {**listed, **fetched}.items() if ref not in gone}


async def _compare(
    git: Git,
    entry: Repository,
    access: GitAccess,
    state: RefState,
    move: Move,
    waiting: Sequence[Waiting],
) -> Compared:
    if move.base is None:
        why = CURSOR_UNKNOWN if state.was_planned else ADOPTED_REF
        return Compared(move=move, changes=UnknownPaths(why), knowledge="unknown", how="")
    if move.base != move.tip and not await git.fetch_commit(access, move.base):
        updates = [item.update for item in waiting if item.update.after == move.tip][-1:]
        changes = fallback_changes(
            move.base, updates, why=BASE_UNREACHABLE, force_pushes=entry.force_pushes
        )
        return Compared(move=move, changes=changes, knowledge=knowledge_of(changes), how=PAYLOAD)
    same = move.base == move.tip
    paths = () if same else await git.changed_paths(access, move.base, move.tip)
    how = f"the trees of {move.base[:12]} and {move.tip[:12]} were compared"
    return Compared(move=move, changes=ExactPaths(paths), knowledge="exact", how=how)


def knowledge_of(changes: ExactPaths | UnknownPaths) -> Knowledge:
    """What is known where git could not tell."""
    return "unknown" if isinstance(changes, UnknownPaths) else "payload"


async def plan_look(
    routing: Routing, entry: Repository, state: RefState, look: Look
) -> tuple[Intent, ...]:
    """The plans that a look leads to; for a wildcard the tips to remember, too."""
    seen = look.tips if entry.is_wildcard else {}
    if not look.compared:
        remember = Intent(decide=lambda _: None, tracked=tracked_ref(entry), tips=seen)
        return (remember,) if is_news(entry, state, look.tips) else ()
    return tuple(
        [
            plan_tip(
                routing,
                entry,
                ref=item.move.ref,
                tip=item.move.tip,
                cursor=item.move.base,
                changes=item.changes,
                matched=await match_in_slices(entry, item.changes),
                knowledge=item.knowledge,
                how=item.how,
                tips=seen,
            )
            for item in look.compared
        ]
    )
