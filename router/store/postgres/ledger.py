"""Deciding many intents in one transaction: cursors and numbers go on from one to the next.

The refs are locked and read once, and what the intents make of them is written once.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from router.core.model import Plan, RefState
from router.core.push import is_zero
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import to_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from router.core.model import Intent, TrackedRef
    from router.core.push import Commit
    from router.store.postgres.statements import Connection

Seen: TypeAlias = tuple[int, "Commit"]
"""A commit on a ref, by the ref's row."""

Decision: TypeAlias = tuple[Plan, int | None, int | None]
"""A plan, the row of the ref whose cursor it moved, and the sequence number it got there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A tracked ref as it stands within the transaction."""

    id: int
    cursor: Commit | None
    told: Commit | None
    sequence: int

    @property
    def state(self) -> RefState:
        return RefState(cursor=self.cursor, told=self.told, was_planned=self.sequence > 0)


@dataclass(slots=True)
class _Trial:
    """What one member's intents change, until all of them are decided."""

    refs: ChainMap[TrackedRef, Ref]
    seen: set[Seen] = field(default_factory=set)
    tips: dict[tuple[int, str], Commit] = field(default_factory=dict)


class Ledger:
    """The refs of a transaction, and what its intents make of them."""

    def __init__(self, refs: Mapping[TrackedRef, Ref], new: Collection[Seen]) -> None:
        """*new* are those commits of the intents that their refs did not have before."""
        self._found = refs
        self._refs = dict(refs)
        self._new = frozenset(new)
        self._seen: set[Seen] = set()
        self._tips: dict[tuple[int, str], Commit] = {}

    def decide(self, intents: Iterable[Intent]) -> list[Decision]:
        """What each intent plans, if anything; if one of them raises none has been."""
        trial = _Trial(ChainMap({}, self._refs))
        decisions = [self._decide(intent, trial) for intent in intents]
        self._refs.update(trial.refs.maps[0])
        self._seen |= trial.seen
        self._tips |= trial.tips
        return [decision for decision in decisions if decision is not None]

    def _decide(self, intent: Intent, trial: _Trial) -> Decision | None:
        if intent.tracked is None:
            plan = intent.decide(RefState())
            return None if plan is None else (plan, None, None)
        ref = trial.refs[intent.tracked]
        is_tip_known = not self._remember(ref, intent.after, trial)
        self._remember(ref, intent.before, trial)
        trial.tips.update({(ref.id, name): commit for name, commit in intent.tips.items()})
        plan = intent.decide(replace(ref.state, is_tip_known=is_tip_known))
        if plan is None:
            return None
        if plan.ref is None:
            return plan, None, None
        moved = replace(ref, cursor=plan.cursor, told=plan.told, sequence=ref.sequence + 1)
        trial.refs[intent.tracked] = moved
        return plan, ref.id, moved.sequence

    def _remember(self, ref: Ref, commit: Commit | None, trial: _Trial) -> bool:
        """Whether *commit* is new on this ref; no commit always is."""
        if commit is None or is_zero(commit):
            return True
        seen = (ref.id, commit)
        is_new = seen in self._new and seen not in self._seen and seen not in trial.seen
        trial.seen.add(seen)
        return is_new

    async def write(self, connection: Connection) -> None:
        """Write the refs that moved and the tips; forget the commits of intents that failed."""
        moved = [ref for tracked, ref in self._refs.items() if ref is not self._found[tracked]]
        rows = [(ref.id, ref.cursor, ref.told, ref.sequence) for ref in moved]
        await write_rows(connection, "update_refs", rows)
        tips = [(ref, to_bytes(name), commit) for (ref, name), commit in self._tips.items()]
        await write_rows(connection, "save_tips", sorted(tips))
        await write_rows(connection, "forget_commits", sorted(self._new - self._seen))


async def open_ledger(connection: Connection, intents: Sequence[Intent]) -> Ledger:
    """Lock the refs of *intents* until the transaction ends, making those that are missing.

    All their commits are remembered at once; the ledger knows which of them were new.
    """
    tracked = {intent.tracked for intent in intents if intent.tracked is not None}
    if not tracked:
        return Ledger({}, ())
    refs = await _lock_refs(connection, tracked)
    if len(refs) < len(tracked):
        rows = [(each.repository, each.url, each.ref) for each in tracked - set(refs)]
        await write_rows(connection, "insert_refs", rows)
        refs = await _lock_refs(connection, tracked)
    seen = {
        (refs[intent.tracked].id, commit)
        for intent in intents
        for commit in (intent.before, intent.after)
        if intent.tracked is not None and commit is not None and not is_zero(commit)
    }
    return Ledger(refs, await _insert_commits(connection, seen))


async def _insert_commits(connection: Connection, seen: Collection[Seen]) -> list[Seen]:
    """Those that were new."""
    if not seen:
        return []
    rows = await connection.fetch(SQL["insert_commits"], *columns(sorted(seen), 2))
    return [(row["ref_id"], row["commit_id"]) for row in rows]


async def _lock_refs(
    connection: Connection, tracked: Collection[TrackedRef]
) -> dict[TrackedRef, Ref]:
    names = {(each.repository, each.url, each.ref): each for each in tracked}
    rows = await connection.fetch(SQL["lock_refs"], *columns(names, 3))
    return {
        names[row["repository"], row["url"], row["ref"]]: Ref(
            id=row["id"], cursor=row["cursor"], told=row["told"], sequence=row["sequence"]
        )
        for row in rows
    }
