"""What changed paths affect under the routing file in force now, beside what they did then.

Nothing is planned and nothing is called. Where the paths are not known or not all of them are kept,
every layer that they might affect is told as affected. What was decided of builds stands.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.core.artifacts import explain_artifact
from router.core.changes import ExactPaths, UnknownPaths, listed_changes
from router.core.match import Matched, Matcher, explain_layers
from router.core.model import Match
from router.core.plan import JOINED, PAYLOAD, describe_changes
from router.core.push import RefUpdate, is_zero
from router.flow.matching import MATCH_SLICE_PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.model import DeliveryStory, Plan, UpdateRecord
    from router.core.push import Commit
    from router.core.routing import Repository, Routing

GIVEN = "as given"
NOT_MATCHED = "it had no match: it owned no changed path, or was not in the routing file"
NOT_ASKED = "it was not asked for"
NOT_KEPT = "not known: only a look at the repository can tell what its build reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One layer of the routing file in force, beside what was decided of it then."""

    now: Match
    then: Match | None = None
    """None where nothing was decided then."""

    @property
    def differs(self) -> bool:
        return self.then is not None and self.then.is_affected != self.now.is_affected


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one ref's changed paths affect now."""

    repository: str | None
    """None where no entry of the routing file tracked the ref when it was delivered."""
    reason: str
    """How the changed paths are known, or why they are not; or why there is nothing to tell."""
    ref: str | None = None
    before: Commit | None = None
    after: Commit | None = None
    is_known: bool = False
    """All changed paths are known and kept, or the layers were asked for by name."""
    path_count: int = 0
    """Changed paths, as far as their number is known."""
    verdicts: tuple[Verdict, ...] = ()
    """Every layer that the entry has now, in file order; empty where the entry is gone."""
    gone: tuple[str, ...] = ()
    """Layers that were affected then and that the entry has no more."""
    unmapped: tuple[str, ...] = ()
    unmapped_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """What is kept of the changed paths, and how they came to be known."""

    known: ExactPaths | UnknownPaths
    how: str = PAYLOAD
    missing: str = ""
    """Why the kept paths are not all that changed; empty where they are."""
    path_count: int = 0


async def explain_paths(entry: Repository, paths: Sequence[str]) -> Explanation:
    """What these changed paths of an entry's repository would affect."""
    known = ExactPaths(tuple(dict.fromkeys(paths)))
    changes = _Changes(known=known, how=GIVEN, path_count=len(known.paths))
    about = Explanation(repository=entry.name, reason="", ref=entry.ref)
    return await _judge(entry, about, changes, then=None)


async def explain_delivery(routing: Routing, story: DeliveryStory) -> tuple[Explanation, ...]:
    """One explanation for each plan of a delivery, and for each update that has no plan there."""
    updates = story.delivery.updates
    plans = [saved.plan for saved in story.plans]
    planned = {(plan.repository, plan.ref) for plan in plans}
    rest = [record for record in updates if (record.repository, record.ref) not in planned]
    return (
        *[await _explain_plan(routing, plan, updates) for plan in plans],
        *[await _explain_update(routing, record) for record in rest],
    )


async def _explain_plan(
    routing: Routing, plan: Plan, updates: Sequence[UpdateRecord]
) -> Explanation:
    then = {match.layer: match for match in plan.matches}
    about = Explanation(
        repository=plan.repository,
        reason="",
        ref=plan.ref,
        before=plan.before,
        after=plan.commit,
        path_count=plan.path_count,
    )
    entry = routing.entry(plan.repository)
    if entry is None:
        return _explain_artifact(routing, about, plan, then)
    if plan.knowledge == "requested":
        return _repeat_request(entry, about, plan, then)
    if plan.ref is not None and not _follows(entry, plan.ref):
        return _left_behind(entry, about, then)
    records = [each for each in updates if (each.repository, each.ref) == (entry.name, plan.ref)]
    return await _judge(entry, about, _planned_changes(plan, records), then=then)


def _explain_artifact(
    routing: Routing, about: Explanation, plan: Plan, then: Mapping[str, Match]
) -> Explanation:
    """Of a plan without an entry: that of an artifact, or one whose entry is gone."""
    matches = explain_artifact(routing, plan)
    kept = {match.layer for match in matches}
    return replace(
        about,
        reason=plan.reason if matches else "its entry is not in the routing file any more",
        is_known=bool(matches) and plan.knowledge != "unknown",
        verdicts=tuple(Verdict(now=now, then=_decided_then(now.layer, then)) for now in matches),
        gone=tuple(
            match.layer for match in plan.matches if match.is_affected and match.layer not in kept
        ),
    )


def _follows(entry: Repository, ref: str) -> bool:
    """Also its own wildcard, by which the plan of an adoption may be told."""
    return ref == entry.ref or entry.tracks(ref)


def _planned_changes(plan: Plan, records: Sequence[UpdateRecord]) -> _Changes:
    if plan.knowledge == "unknown":
        return _Changes(known=UnknownPaths(plan.reason))
    listed = (path for record in records for path in record.paths)
    paths = plan.paths or tuple(dict.fromkeys(listed))
    how = PAYLOAD if plan.knowledge == "payload" else "the two trees were compared"
    return _Changes(
        known=ExactPaths(paths),
        how=how,
        missing=_missing(len(paths), plan.path_count),
        path_count=plan.path_count,
    )


def _missing(kept_count: int, path_count: int) -> str:
    if kept_count >= path_count:
        return ""
    return f"only {kept_count} of {path_count} changed paths are kept"


async def _explain_update(routing: Routing, record: UpdateRecord) -> Explanation:
    about = Explanation(
        repository=record.repository,
        reason=record.reason,
        ref=record.ref,
        before=record.before,
        after=record.after,
        path_count=len(record.paths),
    )
    if record.repository is None:
        told = f"{record.reason}; what it would concern now, only a redelivery can tell"
        return replace(about, reason=told)
    entry = routing.entry(record.repository)
    if entry is None:
        return replace(about, reason="its entry is not in the routing file any more")
    if is_zero(record.after):
        return about
    if not entry.tracks(record.ref):
        return _left_behind(entry, about, {}, is_decided=False)
    if record.reason == JOINED:
        joined = _Changes(known=UnknownPaths(JOINED))
        return await _judge(entry, replace(about, reason=""), joined, then=None)
    return await _judge(entry, about, _told_changes(entry, record), then=None)


def _told_changes(entry: Repository, record: UpdateRecord) -> _Changes:
    """What the push itself proves, where no plan of this delivery tells more."""
    update = RefUpdate(
        ref=record.ref,
        before=record.before,
        after=record.after,
        forced=record.forced,
        paths=record.paths,
        incomplete=record.incomplete,
    )
    count = len(record.paths)
    return _Changes(
        known=listed_changes(update, force_pushes=entry.force_pushes),
        missing=f"only the first {count} changed paths are kept" if record.is_truncated else "",
        path_count=count,
    )


def _repeat_request(
    entry: Repository, about: Explanation, plan: Plan, then: Mapping[str, Match]
) -> Explanation:
    """A plan of layers that were asked for by name affects these, whatever changed."""
    verdicts = tuple(
        Verdict(
            now=then.get(name) or Match(layer=name, is_affected=False, reason=NOT_ASKED),
            then=then.get(name) or Match(layer=name, is_affected=False, reason=NOT_ASKED),
        )
        for name in entry.index.layers
    )
    gone = _gone(entry, then)
    return replace(about, reason=plan.reason, is_known=True, verdicts=verdicts, gone=gone)


def _left_behind(
    entry: Repository, about: Explanation, then: Mapping[str, Match], *, is_decided: bool = True
) -> Explanation:
    reason = f"the entry follows {entry.ref} now"
    verdicts = tuple(
        Verdict(
            now=Match(layer=name, is_affected=False, reason=reason),
            then=_decided_then(name, then) if is_decided else None,
        )
        for name in entry.index.layers
    )
    return replace(about, reason=reason, is_known=True, verdicts=verdicts, gone=_gone(entry, then))


async def _judge(
    entry: Repository,
    about: Explanation,
    changes: _Changes,
    *,
    then: Mapping[str, Match] | None,
) -> Explanation:
    """Every layer of the entry under *changes*, beside *then* (None: nothing was decided)."""
    matches, matched = await _match(entry, changes.known)
    if changes.missing:
        matches = tuple(_doubt(match, changes.missing) for match in matches)
    matches = tuple(_recall_build(match, entry, then) for match in matches)
    told = describe_changes(changes.how, changes.known, matched)
    return replace(
        about,
        reason="; ".join(filter(None, (about.reason, told, changes.missing))),
        is_known=not (changes.missing or isinstance(changes.known, UnknownPaths)),
        path_count=changes.path_count,
        verdicts=tuple(
            Verdict(now=match, then=None if then is None else _decided_then(match.layer, then))
            for match in matches
        ),
        gone=_gone(entry, then or {}),
        unmapped=matched.unmapped,
        unmapped_count=matched.unmapped_count,
    )


async def _match(
    entry: Repository, changes: ExactPaths | UnknownPaths
) -> tuple[tuple[Match, ...], Matched]:
    """Every layer, and what is unmapped; with turns for other requests in between."""
    if isinstance(changes, UnknownPaths):
        return explain_layers(entry.index, changes), Matched(matches=())
    matcher = Matcher(entry.index, unmapped=entry.unmapped)
    for start in range(0, len(changes.paths), MATCH_SLICE_PATHS):
        matcher.feed(changes.paths[start : start + MATCH_SLICE_PATHS])
        await asyncio.sleep(0)
    return matcher.explain(), matcher.result()


def _doubt(match: Match, missing: str) -> Match:
    """What no kept path affects may be affected by another one."""
    if match.is_affected:
        return match
    return Match(layer=match.layer, is_affected=True, reason=f"not known: {missing}")


def _recall_build(match: Match, entry: Repository, then: Mapping[str, Match] | None) -> Match:
    """A layer that no changed path matches may still have a build that reads one."""
    if match.is_affected or match.layer not in entry.builds:
        return match
    if then is not None:
        return _decided_then(match.layer, then)
    return Match(layer=match.layer, is_affected=True, reason=NOT_KEPT)


def _decided_then(layer: str, then: Mapping[str, Match]) -> Match:
    return then.get(layer) or Match(layer=layer, is_affected=False, reason=NOT_MATCHED)


def _gone(entry: Repository, then: Mapping[str, Match]) -> tuple[str, ...]:
    layers = frozenset(entry.index.layers)
    return tuple(
        match.layer for match in then.values() if match.is_affected and match.layer not in layers
    )
