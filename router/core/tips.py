"""Git mode: what the tips of a Git host say against the commit last planned.

The ref's tip is what counts; pushes only hint that it may have moved. A push waits while its commit
may still become visible: hosts tell of a push before every one of their servers shows it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.model import Closing
from router.core.push import NOT_TOLD

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from router.core.model import DeliveryStatus, RefState, Waiting
    from router.core.push import Commit
    from router.core.routing import Repository

ALREADY_PLANNED = "nothing is left to plan: the ref stands where it was planned last"
NOT_VISIBLE = (
    "not_visible: the Git host did not show this commit in time; sweeps go on looking for it"
)

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A tip that is to be planned, and the commit that it is compared with."""

    ref: str
    base: Commit | None
    """None when it is not known what was there."""
    tip: Commit
    told: Commit | None
    """The commit that layers were told of last: *base*, but after a fallback."""
    older: Commit | None = None
    """A wildcard: where this ref was before, else the next lower version: a source that follows
    one line of versions comes from there, whatever was planned in between."""

    @property
    def bases(self) -> tuple[Commit, ...] | None:
        """The commits to compare the tip with, each once; None when one of them is not known."""
        if self.base is None or self.told is None:
            return None
        older = () if self.older is None else (self.older,)
        return tuple(dict.fromkeys((self.base, self.told, *older)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The waiting updates of an entry, sorted by what a look at the host tells of them."""

    covered: tuple[Waiting, ...] = ()
    """The ref stands at their commit, or has been there."""
    pending: tuple[Waiting, ...] = ()
    """Their commit may still become visible."""
    late: tuple[Waiting, ...] = ()
    """Their commit did not become visible in time."""


def moved_tips(entry: Repository, state: RefState, tips: Mapping[str, Commit]) -> tuple[Move, ...]:
    """The tips to plan, in order; each is compared with the one before, the first with the cursor.

    *tips* are those of the refs that the entry tracks; a ref that is gone keeps its cursor. A
    wildcard has one cursor: tips that are there at first sight only set it, to the highest version;
    later ones are compared with their own line of versions, too. After a fallback there is always
    something to plan: layers may hold what the ref went back from.
    """
    moves: list[Move] = []
    base, told = state.cursor, state.told
    refs = _moved_refs(entry, state, tips)
    lines = _Lines({ref: tip for ref, tip in state.tips.items() if ref in tips} if refs else {})
    for ref in refs:
        moves.append(Move(ref=ref, base=base, tip=tips[ref], told=told, older=lines.older(ref)))
        lines.add(ref, tips[ref])
        base = told = tips[ref]
    return tuple(moves)


class _Lines:
    """Versions in their order, with their commits."""

    def __init__(self, seen: dict[str, Commit]) -> None:
        self._seen = seen
        self._order = sorted((version_key(ref), ref) for ref in seen)

    def older(self, ref: str) -> Commit | None:
        """Where *ref* was, or where the highest of the lower versions is."""
        place = bisect_left(self._order, (version_key(ref), ref))
        lower = self._seen[self._order[place - 1][1]] if place else None
        return self._seen.get(ref) or lower

    def add(self, ref: str, tip: Commit) -> None:
        if ref not in self._seen:
            insort(self._order, (version_key(ref), ref))
        self._seen[ref] = tip


def _moved_refs(entry: Repository, state: RefState, tips: Mapping[str, Commit]) -> Sequence[str]:
    if entry.is_wildcard and state.tips:
        moved = [ref for ref, tip in tips.items() if state.tips.get(ref) != tip]
        if moved:
            return sorted(moved, key=version_key)
        tips = tips if state.told != state.cursor else {}
    if not tips:
        return ()
    highest = max(tips, key=version_key)
    is_moved = tips[highest] != state.cursor or state.told != state.cursor
    return (highest,) if is_moved else ()


def is_news(entry: Repository, state: RefState, tips: Mapping[str, Commit]) -> bool:
    """Whether a look would find something to plan or to remember in *tips*."""
    is_seen = not entry.is_wildcard or all(state.tips.get(ref) == tip for ref, tip in tips.items())
    return not is_seen or bool(_moved_refs(entry, state, tips))


def judge_waiting(
    waiting: Sequence[Waiting],
    *,
    tips: Mapping[str, Commit],
    bases: Mapping[str, Commit | None],
    known: Collection[Commit],
    now: datetime,
    visible_timeout_seconds: float,
) -> Judged:
    """What becomes of the pushes that wait, when the host's *tips* are planned.

    *bases* are the commits that the tips which moved are compared with, *known* those of the
    pushes' commits that the clone has. A push that begins where the ref was before it moved has
    arrived. A push from the very tip that the host shows is still to become visible, also if it
    leads back to a commit that is known, unless the push that led back from it has arrived. A push
    that does not tell its commit asked for a look, and had it.
    """
    arrived = {
        item.update.before for item in waiting if item.update.after == tips.get(item.update.ref)
    }
    covered, pending, late = [], [], []
    for item in waiting:
        update, tip = item.update, tips.get(item.update.ref)
        has_begun = tip is not None and update.before == bases.get(update.ref, "")
        has_been = update.before != tip and (item.is_followed or update.after in known)
        is_told = update.after != NOT_TOLD
        if not is_told or update.after == tip or has_begun or has_been or update.after in arrived:
            covered.append(item)
        elif (now - item.received_at).total_seconds() >= visible_timeout_seconds:
            late.append(item)
        else:
            pending.append(item)
    return Judged(covered=tuple(covered), pending=tuple(pending), late=tuple(late))


def close_waiting(
    waiting: Iterable[Waiting], status: DeliveryStatus, reason: str
) -> tuple[Closing, ...]:
    """Close every one of *waiting* alike."""
    return tuple(
        Closing(delivery=item.delivery, ref=item.update.ref, status=status, reason=reason)
        for item in waiting
    )


def close_with_plan(waiting: Sequence[Waiting], planned_tip: Commit | None) -> tuple[Closing, ...]:
    """Close what one plan covers: the push to the planned tip first, for it tells the plan best."""
    if not waiting:
        return ()
    told = next((item for item in waiting if item.update.after == planned_tip), waiting[-1])
    others = [item for item in waiting if item is not told]
    return (
        *close_waiting([told], "routed", ""),
        *close_waiting(others, "routed", f"planned with delivery {told.delivery}"),
    )


def close_judged(
    judged: Judged, planned_tip: Commit | None, *, missing: str | None
) -> tuple[Closing, ...]:
    """What a look closes: what its plan covers, if it has one, and what did not become visible.

    *missing* says that the host lacks the ref, if it does.
    """
    closed = (
        close_waiting(judged.covered, "routed", ALREADY_PLANNED)
        if planned_tip is None
        else close_with_plan(judged.covered, planned_tip)
    )
    late = f"{NOT_VISIBLE}; {missing}" if missing else NOT_VISIBLE
    return (*closed, *close_waiting(judged.late, "not_visible", late))


def missing_ref(entry: Repository, tips: Mapping[str, Commit]) -> str | None:
    """That the host lacks the ref an entry is about; a wildcard may well stand for none."""
    is_missing = not tips and not entry.is_wildcard
    return f"the Git host has no {entry.ref}" if is_missing else None


def version_key(ref: str) -> tuple[object, ...]:
    """Sorts names as versions: v1.9 before v1.10, and v2.0-rc1 before v2.0."""
    main, dash, rest = ref.partition("-")
    return _natural(main), not dash, _natural(rest)


def _natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Runs of digits compare as numbers, and before other text."""
    return tuple(
        (False, int(part), part) if part.isdecimal() else (True, 0, part)
        for part in _DIGITS.split(text)
    )
