"""What a push of artifacts plans: the digest planned last is the cursor of its tag."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from router.core.artifacts import (
    COVERED,
    EARLIER_DIGEST,
    FIRST_PUSH,
    LATE_DIGEST,
    MAX_ONE_BY_ONE,
    NO_DIGEST,
    OTHER_DIGEST,
    SAME_DIGEST,
    TOGETHER,
    UNCERTAIN,
    explain_artifact,
    plan_artifacts,
)
from router.core.model import Plan, RefState
from router.core.push import ArtifactPush, ArtifactUpdate
from router.core.requested import plan_adoption
from tests.builders import make_artifact, make_artifact_routing

if TYPE_CHECKING:
    from router.core.model import Intent, TrackedRef, UpdateRecord
    from router.core.routing import Routing

ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64
APP = "ghcr.io/acme/app"
ROUTING = make_artifact_routing(
    make_artifact("app"),
    make_artifact("release", tag="v*"),
    make_artifact("minor", tag="v1.*"),
    make_artifact("elsewhere", hook="ghcr-other"),
)


def pushed(
    *tags: str, artifact: str = APP, digest: str | None = ONE, routing: Routing = ROUTING
) -> tuple[list[str], list[TrackedRef | None], list[Plan | None]]:
    """Why each tag was ignored, and the refs and the plans of the others when never planned."""
    records, intents = plan_push(*tags, artifact=artifact, digest=digest, routing=routing)
    plans = [intent.decide(RefState()) for intent in intents]
    return [record.reason for record in records], [each.tracked for each in intents], plans


def plan_push(
    *tags: str, artifact: str, digest: str | None, routing: Routing
) -> tuple[tuple[UpdateRecord, ...], tuple[Intent, ...]]:
    updates = [ArtifactUpdate(artifact=artifact, tag=tag, digest=digest) for tag in tags]
    push = ArtifactPush(updates=tuple(updates), delivery_id=None)
    return plan_artifacts(routing, "ghcr", push)


def plan_of(state: RefState, digest: str | None) -> Plan:
    """The plan of a push of *digest* to a tag in that state."""
    _, (intent,) = plan_push("main", artifact=APP, digest=digest, routing=ROUTING)
    plan = intent.decide(state)
    assert isinstance(plan, Plan)
    return plan


NEVER = RefState()
AT_ONE = RefState(cursor=ONE, told=ONE, was_planned=True)
UNSET = RefState(was_planned=True)


@pytest.mark.parametrize(
    ("state", "digest", "reason", "knowledge", "cursor"),
    [
        (NEVER, ONE, FIRST_PUSH, "unknown", ONE),
        (AT_ONE, TWO, OTHER_DIGEST, "exact", TWO),
        # Moved back, or a delivery that comes late: what the tag has now is not certain.
        (replace(AT_ONE, is_tip_known=True), TWO, EARLIER_DIGEST, "unknown", None),
        (replace(UNSET, is_tip_known=True), TWO, UNCERTAIN, "unknown", None),
        (UNSET, TWO, UNCERTAIN, "unknown", TWO),
        (NEVER, None, NO_DIGEST, "unknown", None),
        (AT_ONE, None, NO_DIGEST, "unknown", None),
    ],
)
def test_a_tag_is_wanted_when_its_digest_may_be_another(
    state: RefState, digest: str | None, reason: str, knowledge: str, cursor: str | None
) -> None:
    plan = plan_of(state, digest)
    assert (plan.reason, plan.knowledge) == (reason, knowledge)
    assert (plan.repository, plan.ref, plan.before) == (f"oci://{APP}", "main", state.cursor)
    assert (plan.commit, plan.cursor, plan.told) == (digest, cursor, cursor)
    assert [want.receiver for want in plan.wants] == ["prod/flux-system/app"]
    assert [(match.layer, match.reason) for match in plan.matches] == [("app", reason)]


NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def plan_at(state: RefState, digest: str, pushed_at: datetime | None) -> Plan:
    """The plan of a push of *digest*, made at that moment by the registry's clock."""
    update = ArtifactUpdate(artifact=APP, tag="main", digest=digest, pushed_at=pushed_at)
    _, (intent,) = plan_artifacts(
        ROUTING, "ghcr", ArtifactPush(updates=(update,), delivery_id=None)
    )
    plan = intent.decide(state)
    assert isinstance(plan, Plan)
    return plan


@pytest.mark.parametrize(
    ("pushed_at", "cursor", "reason", "newest"),
    [
        (NOON + SECOND, TWO, OTHER_DIGEST, NOON + SECOND),
        # Deliveries changed places: the tag may have either digest.
        (NOON - SECOND, None, LATE_DIGEST, NOON),
        (NOON, None, LATE_DIGEST, NOON),  # a clock may tell no more than seconds
        (None, TWO, OTHER_DIGEST, NOON),
    ],
)
def test_a_push_that_was_made_before_a_planned_one_does_not_become_the_cursor(
    pushed_at: datetime | None, cursor: str | None, reason: str, newest: datetime
) -> None:
    state = RefState(cursor=ONE, told=NOON.isoformat(), was_planned=True)
    plan = plan_at(state, TWO, pushed_at)
    assert (plan.cursor, plan.reason, plan.told) == (cursor, reason, newest.isoformat())
    assert plan.wants


def test_a_tag_that_is_moved_back_is_wanted_also_when_its_first_deliveries_changed_places() -> None:
    one = plan_at(NEVER, ONE, NOON)
    three = plan_at(after(one), "sha256:" + "3" * 64, NOON + 2 * SECOND)
    two = plan_at(after(three), TWO, NOON + SECOND)
    back = plan_at(replace(after(two), is_tip_known=True), TWO, NOON + 9 * SECOND)
    assert [plan.reason for plan in (one, three, two, back)] == [
        FIRST_PUSH,
        OTHER_DIGEST,
        LATE_DIGEST,
        UNCERTAIN,
    ]
    assert back.wants
    assert plan_at(after(two), TWO, NOON).cursor is None  # an uncertain cursor stays uncertain


def after(plan: Plan) -> RefState:
    """The tag's state once *plan* is saved."""
    return RefState(cursor=plan.cursor, told=plan.told, was_planned=True)


def test_the_digest_planned_last_changes_nothing() -> None:
    plan = plan_of(replace(AT_ONE, is_tip_known=True), ONE)
    assert (plan.reason, plan.knowledge) == (SAME_DIGEST, "exact")
    assert (plan.wants, plan.matches) == ((), ())
    assert (plan.cursor, plan.told) == (ONE, ONE)


def test_each_tag_of_a_wildcard_has_a_cursor_of_its_own() -> None:
    _, tracked, plans = pushed("v1.0", "v2.0")
    assert len(set(tracked)) == 2
    assert [plan.ref for plan in plans if plan] == ["v1.0", "v2.0"]


def test_a_tag_wants_every_layer_that_follows_it_and_tells_by_which_pattern() -> None:
    _, _, (plan,) = pushed("v1.0")
    assert plan is not None
    assert [(each.layer, each.pattern) for each in plan.matches] == [
        ("release", "v*"),
        ("minor", "v1.*"),
    ]
    assert [want.layers for want in plan.wants] == [("release",), ("minor",)]


@pytest.mark.parametrize(
    ("artifact", "tag", "reason"),
    [
        ("ghcr.io/acme/other", "main", "no layer of this hook follows this artifact"),
        ("quay.io/acme/app", "main", "no layer of this hook follows this artifact"),
        (APP, "dev", "no layer follows this tag of the artifact"),
        (APP, "main2", "no layer follows this tag of the artifact"),
    ],
)
def test_what_no_layer_follows_is_ignored_and_says_why(
    artifact: str, tag: str, reason: str
) -> None:
    assert pushed(tag, artifact=artifact) == ([f"oci://{artifact}: {reason}"], [], [])


def test_one_delivery_may_hold_a_tag_that_counts_and_one_that_does_not() -> None:
    records, intents = plan_push("dev", "main", artifact=APP, digest=ONE, routing=ROUTING)
    assert [(each.ref, each.status, each.repository) for each in records] == [
        ("dev", "ignored", None),
        ("main", "routed", f"oci://{APP}"),
    ]
    assert len(intents) == 1


def test_two_layers_of_one_tag_share_its_cursor_and_two_hooks_do_not() -> None:
    both = make_artifact_routing(make_artifact("a"), make_artifact("b"))
    _, _, (plan,) = pushed("main", routing=both)
    assert plan is not None
    assert [want.layers for want in plan.wants] == [("a",), ("b",)]
    push = ArtifactPush(
        updates=(ArtifactUpdate(artifact=APP, tag="main", digest=ONE),), delivery_id=None
    )
    (here,), (there,) = (plan_artifacts(ROUTING, hook, push)[1] for hook in ("ghcr", "ghcr-other"))
    assert here.tracked != there.tracked


def test_a_new_layer_of_an_artifact_is_adopted() -> None:
    intents = plan_adoption(ROUTING, {"release"})
    (plan,) = (intent.decide(RefState()) for intent in intents)
    assert plan is not None
    assert plan.repository == f"oci://{APP}"
    assert [want.receiver for want in plan.wants] == ["prod/flux-system/release"]


def test_very_many_tags_are_planned_together_by_the_last_that_the_same_layers_follow() -> None:
    layers = [make_artifact(f"layer{number}", tag="v*") for number in range(200)]
    routing = make_artifact_routing(*layers, make_artifact("main"))
    tags = [f"v{number}" for number in range(MAX_ONE_BY_ONE // 200)]
    _, _, plans = pushed(*tags, routing=routing)
    assert {plan.reason for plan in plans if plan} == {FIRST_PUSH}  # not so many yet
    ignored, tracked, plans = pushed("main", "other", *tags, routing=routing)
    assert [reason != "" for reason in ignored[:3]] == [False, True, False]
    assert len({ref.ref for ref in tracked if ref}) == len(tags) + 1
    reasons = [plan.reason for plan in plans if plan]
    assert reasons == [TOGETHER, *[COVERED] * (len(tags) - 1), TOGETHER]
    wanted = [len(plan.wants) for plan in plans if plan]
    assert wanted == [1, *[0] * (len(tags) - 1), 200]
    # Nothing is certain then: the digest of none becomes the cursor, so that what comes next calls.
    assert {plan.cursor for plan in plans if plan} == {None}
    for plan, is_affected in ((plans[1], False), (plans[-1], True)):
        assert plan is not None
        matches = explain_artifact(routing, plan)
        assert matches[0].is_affected is is_affected
