"""One look at a Git host: where the refs of an entry stand, and what changed since the cursor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.changes import ExactPaths, UnknownPaths, fallback_changes
from router.core.errors import GitUnavailable
from router.core.kustomize.changed import NO_BUILDS, unknown_builds
from router.core.model import Intent
from router.core.plan import (
    ADOPTED_REF,
    PAYLOAD,
    Known,
    known_without_host,
    plan_tip,
    tracked_ref,
)
from router.core.push import NOT_TOLD
from router.core.tips import is_news, moved_tips
from router.flow.matching import match_in_slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.kustomize.changed import Builds
    from router.core.model import RefState, Waiting
    from router.core.push import Commit
    from router.core.routing import GitAccess, Repository, Routing
    from router.core.tips import Move
    from router.flow.builds import BuildReader
    from router.ports.git import Git

CURSOR_UNKNOWN = "it is not known which commit of this ref was planned last"
TOLD_UNKNOWN = (
    "it is not known what layers were told of while the Git host could not be read: pushes arrived"
    " out of order then"
)
BASE_UNREACHABLE = (
    "base_unreachable: neither the Git host nor the clone has the commit planned last any more, so "
    "nothing can be compared; the next push is compared with this one"
)

NOT_COMPARED = "the commits could not be compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A tip to plan, and what changed from the commit before it."""

    move: Move
    known: Known
    builds: Builds = NO_BUILDS
    """What the builds of layers make of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a Git host told."""

    tips: Mapping[str, Commit]
    """Those of the refs that the entry tracks, by full name; also of refs that stand for no commit,
    which are never planned."""
    compared: tuple[Compared, ...]
    """In the order in which they are to be planned."""
    known: frozenset[Commit]
    """Those of the waiting pushes' commits that the clone has."""


async def read_host(
    git: Git,
    builds: BuildReader,
    entry: Repository,
    access: GitAccess,
    state: RefState,
    waiting: Sequence[Waiting],
) -> Look:
    """Ask the host for the entry's tips and compare those that moved. Raises GitUnavailable."""
    tips, commits = await _read_tips(git, entry, access, state)
    compared = []
    for move in moved_tips(entry, state, commits):
        known = await _compare(git, entry, access, state, move, waiting)
        made = await _read_builds(builds, entry, access, move, known)
        compared.append(Compared(move=move, known=known, builds=made))
    visible = {
        item.update.after
        for item in waiting
        if item.update.after not in (tips.get(item.update.ref), NOT_TOLD)
        and not item.is_followed
        and await git.has_commit(access, item.update.after)
    }
    return Look(tips=tips, compared=tuple(compared), known=frozenset(visible))


async def _read_tips(
    git: Git, entry: Repository, access: GitAccess, state: RefState
) -> tuple[Mapping[str, Commit], Mapping[str, Commit]]:
    """The tips, and those of them that are commits and, if they moved, in the clone."""
    if not entry.is_wildcard:
        tips = await git.fetch_tips(access, [entry.ref])
        return tips, tips
    tips = await git.list_tips(access, [entry.ref])
    moved = [move.ref for move in moved_tips(entry, state, tips)]
    fetched = await git.fetch_tips(access, moved) if moved else {}
    tips = {**tips, **fetched}
    left_out = [ref for ref in moved if ref not in fetched]
    if left_out:  # a ref that went away meanwhile, or one of a file
        again = await git.list_tips(access, [entry.ref])
        tips = {ref: tip for ref, tip in tips.items() if ref not in left_out or ref in again}
    return tips, {ref: tip for ref, tip in tips.items() if ref not in left_out}


async def _compare(
    git: Git,
    entry: Repository,
    access: GitAccess,
    state: RefState,
    move: Move,
    waiting: Sequence[Waiting],
) -> Known:
    """What changed up to the tip, since each of the commits that layers may come from."""
    bases = move.bases
    if bases is None:
        why = TOLD_UNKNOWN if move.base else CURSOR_UNKNOWN
        why = why if state.was_planned else ADOPTED_REF
        return Known(changes=UnknownPaths(why), knowledge="unknown")
    paths: set[str] = set()
    for base in bases:
        if base != move.tip and not await git.fetch_commit(access, base):
            return _guess(entry, move, waiting)
    for base in bases:
        paths.update(await git.changed_paths(access, base, move.tip) if base != move.tip else ())
    since = " and ".join(base[:12] for base in bases)
    how = f"the trees of {since} and {move.tip[:12]} were compared"
    return Known(changes=ExactPaths(tuple(sorted(paths))), knowledge="exact", how=how)


async def _read_builds(
    builds: BuildReader, entry: Repository, access: GitAccess, move: Move, known: Known
) -> Builds:
    """Of every commit that was compared; of what only a push's lists tell, nothing can be read."""
    if known.knowledge != "exact":
        return unknown_builds(entry.builds, NOT_COMPARED)
    commits = (*(move.bases or ()), move.tip)
    return await builds.read(entry, access, commits, known.changes)


def _guess(entry: Repository, move: Move, waiting: Sequence[Waiting]) -> Known:
    """What the push to the tip proves itself, where there is nothing to compare with."""
    updates = [item.update for item in waiting if item.update.after == move.tip][-1:]
    start = move.base if move.base == move.told else None
    changes = fallback_changes(
        start, updates, why=BASE_UNREACHABLE, force_pushes=entry.force_pushes
    )
    return known_without_host(changes, how=PAYLOAD)


async def find_late(git: Git, access: GitAccess, late: Sequence[Waiting]) -> frozenset[Commit]:
    """Those of the commits that pushes waited for in vain which the host does have.

    The ref has been there and went on before anybody looked. Never raises.
    """
    found = set()
    for item in late:
        with suppress(GitUnavailable):
            if await git.fetch_commit(access, item.update.after):
                found.add(item.update.after)
    return frozenset(found)


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
                move=item.move,
                known=item.known,
                matched=await match_in_slices(entry, item.known.changes, builds=item.builds),
                tips=seen,
            )
            for item in look.compared
        ]
    )
