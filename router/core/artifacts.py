"""Pushes of OCI artifacts: which layers follow them, and what one plans.

A tag is to a registry what a ref is to a Git host, and the digest of its manifest what a commit is:
the tag's cursor is the digest planned last, and a push of that digest again changes nothing. No
registry tells the digest before. So one that the tag had earlier may be a way back or a delivery
that comes late; which digest the tag has now is not certain, until one comes that is new. Nor is it
after a push that the registry says was made before one that is planned already: then the deliveries
changed places.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from router.core.model import Intent, Match, Plan, TrackedRef, UpdateRecord
from router.core.naming import ARTIFACT_SCHEME
from router.core.plan import plan_wants
from router.core.push import NOT_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.core.model import RefState
    from router.core.push import ArtifactPush, ArtifactUpdate
    from router.core.routing import Artifact, Routing

FIRST_PUSH = "no push of this tag was planned before"
NO_DIGEST = (
    "the registry does not tell the digest, so that every push may have changed the artifact"
)
SAME_DIGEST = "the tag has the digest that was planned last: nothing changed"
OTHER_DIGEST = "the tag has another digest than the one planned last"
EARLIER_DIGEST = "the tag had this digest before: it was moved back, or this delivery comes late"
LATE_DIGEST = (
    "a later push of this tag was planned before: it is not certain which digest the tag has"
)
TOGETHER = "many tags were pushed at once: every layer that follows them is called"
COVERED = "many tags were pushed at once: the last of them calls every layer that follows them"
UNCERTAIN = "it is not certain which digest the tag had before"

MAX_ONE_BY_ONE = 10_000
"""Layers, counted for each tag of a delivery that they follow, up to which tags are planned one by
one. A thousand tags that a thousand layers follow take a hundred times as many: 14 s, and 1 GB."""


def plan_artifacts(
    routing: Routing, hook: str, push: ArtifactPush
) -> tuple[tuple[UpdateRecord, ...], tuple[Intent, ...]]:
    """What a push of artifacts leads to: one record for each tag, one intent for each to plan."""
    names = dict.fromkeys(update.artifact for update in push.updates)
    known = {name: routing.followers(hook, name) for name in names}
    records, followed = [], list[_Followed]()
    for update in push.updates:
        followers = _followers(known[update.artifact], update.tag)
        why = "" if known[update.artifact] else "no layer of this hook follows this artifact"
        if known[update.artifact] and not followers:
            why = "no layer follows this tag of the artifact"
        records.append(_record(update, why))
        if followers:
            followed.append(_Followed(update, followers))
    return tuple(records), tuple(_plan_all(routing, hook, followed))


class _Followed(NamedTuple):
    """A tag that was pushed, and the layers that follow it."""

    update: ArtifactUpdate
    followers: tuple[Artifact, ...]

    @property
    def group(self) -> tuple[str, ...]:
        """What the tags have in common that the same layers follow."""
        return tuple(artifact.layer.name for artifact in self.followers)


def _followers(known: Sequence[Artifact], tag: str) -> tuple[Artifact, ...]:
    """Those of the layers of an artifact that follow *tag*; most have the same pattern."""
    patterns = {artifact.tag: artifact for artifact in known}
    has_tag = {pattern: artifact.has_tag(tag) for pattern, artifact in patterns.items()}
    return tuple(artifact for artifact in known if has_tag[artifact.tag])


def _plan_all(routing: Routing, hook: str, followed: Sequence[_Followed]) -> Iterator[Intent]:
    """Plan each tag by itself, or those that the same layers follow together if they are many.

    Then the last of them wants the layers, whatever their tags had before, and no digest is certain
    afterwards: what comes next notifies.
    """
    if sum(len(each.followers) for each in followed) <= MAX_ONE_BY_ONE:
        for update, followers in followed:
            yield _plan(routing, hook, update, followers)
        return
    last = {each.group: each.update for each in followed}
    for each in followed:
        is_last = last[each.group] is each.update
        yield _plan_joint(routing, hook, each.update, each.followers if is_last else ())


def explain_artifact(routing: Routing, plan: Plan) -> tuple[Match, ...]:
    """What a plan of an artifact's tag would affect now: one match for each layer that follows it.

    A plan that was asked for, by a person or an adoption, affects the layers that it named.
    """
    asked = {match.layer for match in plan.matches if match.is_affected}
    return tuple(
        _judge(artifact, plan, is_asked=artifact.layer.name in asked)
        for artifact in routing.artifacts
        if artifact.layer.repository == plan.repository
    )


def _judge(artifact: Artifact, plan: Plan, *, is_asked: bool) -> Match:
    is_affected, reason = plan.reason not in (SAME_DIGEST, COVERED), plan.reason
    if plan.knowledge == "requested":
        is_affected = is_asked
        reason = plan.reason if is_asked else "it was not asked for"
    elif not artifact.has_tag(plan.ref or ""):
        is_affected, reason = False, f"the layer follows {artifact.tag}"
    return Match(
        layer=artifact.layer.name,
        is_affected=is_affected,
        reason=reason,
        pattern=artifact.tag if is_affected and not is_asked else None,
    )


def _record(update: ArtifactUpdate, why_ignored: str) -> UpdateRecord:
    return UpdateRecord(
        ref=update.tag,
        before=NOT_TOLD,
        after=update.digest or NOT_TOLD,
        forced=None,
        repository=None if why_ignored else ARTIFACT_SCHEME + update.artifact,
        status="ignored" if why_ignored else "routed",
        reason=f"{ARTIFACT_SCHEME}{update.artifact}: {why_ignored}" if why_ignored else "",
    )


def _plan(
    routing: Routing, hook: str, update: ArtifactUpdate, followers: Sequence[Artifact]
) -> Intent:
    """The plan of one tag, to be decided when it is certain which digest was planned last.

    Each hook has its own cursor: what was planned through one says nothing to the layers of another
    that follows the same artifact.
    """
    names = tuple(artifact.layer.name for artifact in followers)
    wants = plan_wants(routing, names)

    def decide(state: RefState) -> Plan:
        is_late = _is_late(state, update)
        reason = _why(state, update.digest, is_late=is_late)
        is_same = reason == SAME_DIGEST
        is_sure = is_same or not (state.is_tip_known or is_late)
        cursor = update.digest if is_sure else None
        return Plan(
            repository=ARTIFACT_SCHEME + update.artifact,
            knowledge="exact" if reason in (SAME_DIGEST, OTHER_DIGEST) else "unknown",
            reason=reason,
            matches=() if is_same else _matches(followers, reason),
            wants=() if is_same else wants,
            ref=update.tag,
            commit=update.digest,
            before=state.cursor,
            cursor=cursor,
            told=_newest(state, update) or cursor,
        )

    return Intent(decide=decide, tracked=_tracked(hook, update), after=update.digest)


def _plan_joint(
    routing: Routing, hook: str, update: ArtifactUpdate, followers: Sequence[Artifact]
) -> Intent:
    """The plan of one of many tags; without *followers* that of one that another stands for."""
    reason = TOGETHER if followers else COVERED
    plan = Plan(
        repository=ARTIFACT_SCHEME + update.artifact,
        knowledge="unknown",
        reason=reason,
        matches=_matches(followers, reason),
        wants=plan_wants(routing, [artifact.layer.name for artifact in followers]),
        ref=update.tag,
        commit=update.digest,
    )

    def decide(state: RefState) -> Plan:
        return replace(plan, before=state.cursor, told=_newest(state, update))

    return Intent(decide=decide, tracked=_tracked(hook, update), after=update.digest)


def _tracked(hook: str, update: ArtifactUpdate) -> TrackedRef:
    return TrackedRef(
        repository=ARTIFACT_SCHEME + update.artifact,
        url=f"{hook}:{update.artifact}",
        ref=update.tag,
    )


def _is_late(state: RefState, update: ArtifactUpdate) -> bool:
    """Whether another push, made no earlier, was planned already; clocks tell seconds at worst."""
    newest = _moment(state.told)
    return newest is not None and update.pushed_at is not None and update.pushed_at <= newest


def _newest(state: RefState, update: ArtifactUpdate) -> str | None:
    moments = [each for each in (_moment(state.told), update.pushed_at) if each is not None]
    return max(moments).isoformat() if moments else None


def _moment(told: str | None) -> datetime | None:
    """What is kept of a tag; a digest is kept there of one whose registry tells no moments."""
    try:
        return None if told is None else datetime.fromisoformat(told)
    except ValueError:
        return None


def _why(state: RefState, digest: str | None, *, is_late: bool) -> str:
    if digest is None:
        return NO_DIGEST
    if not state.was_planned:
        return FIRST_PUSH
    if state.cursor is None:
        return UNCERTAIN
    if state.cursor == digest:
        return SAME_DIGEST
    if state.is_tip_known:
        return EARLIER_DIGEST
    return LATE_DIGEST if is_late else OTHER_DIGEST


def _matches(followers: Sequence[Artifact], reason: str) -> tuple[Match, ...]:
    return tuple(
        Match(layer=artifact.layer.name, is_affected=True, reason=reason, pattern=artifact.tag)
        for artifact in followers
    )
