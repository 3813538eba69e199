from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from router.core.changes import ExactPaths
from router.core.errors import StaleCursor
from router.core.match import match_layers
from router.core.model import Intent, Plan, RefState, SavedPlan, Waiting
from router.core.plan import (
    Known,
    affected_layers,
    plan_tip,
    plan_update,
    plan_wants,
    plan_without_host,
)
from router.core.requested import plan_adoption, plan_notify, plan_replay
from router.core.routing import GitAccess
from router.core.tips import Move
from tests.builders import MAIN, URL, commit, make_layer, make_repository, make_routing, make_update


def plan_paths(*paths: str, cursor: str | None = commit(1)) -> Plan:
    routing = make_routing()
    entry = routing.repositories[0]
    listed = ExactPaths(paths)
    intent = plan_update(
        routing, entry, make_update(paths=paths), listed, match_layers(entry.index, listed)
    )
    plan = intent.decide(RefState(cursor=cursor, told=cursor, was_planned=cursor is not None))
    assert plan is not None
    return plan


def test_a_push_from_the_cursor_wants_the_receivers_of_its_layers_only() -> None:
    plan = plan_paths("apps/app1/a.yaml", "docs/readme.md")
    assert plan.knowledge == "payload"
    assert [want.receiver for want in plan.wants] == ["prod/flux-system/app1"]
    assert plan.unmapped_count == 1
    assert "2 changed paths, 1 of no layer (e.g. 'docs/readme.md')" in plan.reason


def test_the_shared_base_wants_every_app() -> None:
    assert affected_layers(plan_paths("apps/base/x.yaml").matches) == ("app1", "app2", "app3")


def test_a_push_from_elsewhere_wants_every_layer_and_says_why() -> None:
    plan = plan_paths("apps/app1/a.yaml", cursor=commit(9))
    assert plan.knowledge == "unknown"
    assert len(plan.wants) == 7
    assert "does not start at the commit last planned" in plan.reason


def test_deciding_again_for_another_state_gives_another_plan() -> None:
    routing = make_routing()
    entry, listed = routing.repositories[0], ExactPaths(("apps/app1/a",))
    intent = plan_update(routing, entry, make_update(), listed, match_layers(entry.index, listed))
    states = (RefState(), RefState(cursor=commit(1), told=commit(1), was_planned=True))
    plans = [intent.decide(state) for state in states]
    assert [plan and plan.knowledge for plan in plans] == ["unknown", "payload"]


def test_layers_that_share_a_receiver_want_it_once() -> None:
    shared = ("prod/flux-system/apps",)
    layers = [replace(make_layer(name, [name]), receivers=shared) for name in ("a", "b")]
    routing = make_routing(make_repository(layers))
    (want,) = plan_wants(routing, ["a", "b"])
    assert (want.receiver, want.layers, want.is_held) == (shared[0], ("a", "b"), False)


def test_a_want_is_held_only_when_every_asking_layer_is_suspended() -> None:
    layers = [
        make_layer("a", ["a"], is_suspended=True),
        make_layer("b", ["b"]),
    ]
    routing = make_routing(make_repository(layers))
    held = {want.receiver: want.is_held for want in plan_wants(routing, ["a", "b"])}
    assert held == {"prod/flux-system/a": True, "prod/flux-system/b": False}


def test_a_suspended_cluster_holds_all_its_receivers_and_no_others() -> None:
    layers = [make_layer("a", ["a"], clusters=("prod", "stage"))]
    routing = make_routing(make_repository(layers), suspended_clusters=["stage"])
    held = {want.receiver: want.is_held for want in plan_wants(routing, ["a"])}
    assert held == {"prod/flux-system/a": False, "stage/flux-system/a": True}


def test_an_adoption_is_one_plan_for_each_repository() -> None:
    one = make_repository({"a": ["a"], "b": ["b"]}, name="one")
    two = make_repository(
        [make_layer("c", ["c"], repository="two")], name="two", url="https://x.test/two"
    )
    intents = plan_adoption(make_routing(one, two), {"b", "c"})
    plans = [plan for intent in intents if (plan := intent.decide(RefState()))]
    assert [(plan.repository, affected_layers(plan.matches)) for plan in plans] == [
        ("one", ("b",)),
        ("two", ("c",)),
    ]
    assert all(plan.knowledge == "requested" for plan in plans)


def test_in_git_mode_only_a_ref_that_was_planned_is_adopted_with_the_routing_file() -> None:
    routing = make_routing(make_repository({"a": ["a"]}, git=GitAccess(url=URL)))
    (intent,) = plan_adoption(routing, {"a"})
    assert intent.decide(RefState()) is None
    plan = intent.decide(RefState(was_planned=True, cursor=commit(1)))
    assert plan is not None
    assert (plan.ref, affected_layers(plan.matches)) == (None, ("a",))


GIT = make_routing(make_repository({"a": ["a"], "b": ["b"]}, git=GitAccess(url=URL)))
A_CHANGED = ExactPaths(("a/x",))
MATCHED = match_layers(GIT.repositories[0].index, A_CHANGED)
PLANNED = RefState(cursor=commit(1), told=commit(1), was_planned=True)


def plan_tip_from(base: str, *, told: str) -> Intent:
    return plan_tip(
        GIT,
        GIT.repositories[0],
        move=Move(ref=MAIN, base=base, tip=commit(2), told=told),
        known=Known(changes=A_CHANGED, knowledge="exact", how="the trees were compared"),
        matched=MATCHED,
        tips={},
    )


def test_a_tip_read_from_the_host_becomes_the_cursor_and_what_layers_are_told_of() -> None:
    plan = plan_tip_from(commit(1), told=commit(1)).decide(PLANNED)
    assert plan is not None
    assert (plan.before, plan.commit, plan.cursor, plan.told) == (commit(1), *[commit(2)] * 3)
    assert plan.reason == "the trees were compared: 1 changed path"
    assert plan.paths == ("a/x",)
    assert affected_layers(plan.matches) == ("a",)


@pytest.mark.parametrize(
    "state",
    [RefState(), replace(PLANNED, cursor=commit(9)), replace(PLANNED, told=commit(9))],
)
def test_a_plan_made_for_another_state_of_the_ref_is_stale(state: RefState) -> None:
    for intent in (plan_tip_from(commit(1), told=commit(1)), plan_push_without_host()):
        with pytest.raises(StaleCursor):
            intent.decide(state)


def plan_push_without_host(*, knowledge: str = "unknown", is_followed: bool = False) -> Intent:
    update = make_update(before=commit(1), after=commit(2), paths=("a/x",))
    newest = Waiting(
        delivery="d",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        update=update,
        is_followed=is_followed,
    )
    known = Known(changes=A_CHANGED, knowledge=knowledge, how="listed")  # type: ignore[arg-type]
    return plan_without_host(
        GIT, GIT.repositories[0], PLANNED, newest, known=known, matched=MATCHED
    )


def test_without_the_host_the_cursor_stays_and_layers_are_told_of_a_push() -> None:
    plan = plan_push_without_host().decide(PLANNED)
    assert plan is not None
    assert (plan.commit, plan.cursor, plan.told) == (commit(2), commit(1), commit(2))


@pytest.mark.parametrize(
    ("knowledge", "is_followed", "is_tip_known", "told"),
    [
        ("unknown", False, False, commit(2)),
        ("unknown", True, False, None),  # an old push that came late
        ("unknown", False, True, None),
        ("payload", True, True, commit(2)),  # its lists lead on from what was told last
    ],
)
def test_an_old_push_without_the_host_leaves_open_what_layers_hold(
    knowledge: str, is_followed: bool, is_tip_known: bool, told: str | None
) -> None:
    intent = plan_push_without_host(knowledge=knowledge, is_followed=is_followed)
    plan = intent.decide(replace(PLANNED, is_tip_known=is_tip_known))
    assert plan is not None
    assert plan.told == told


def test_payload_mode_goes_on_from_what_layers_were_told_of() -> None:
    listed = ExactPaths(("apps/app1/a",))
    routing = make_routing()
    entry = routing.repositories[0]
    update = make_update(before=commit(5), after=commit(6))
    intent = plan_update(routing, entry, update, listed, match_layers(entry.index, listed))
    plan = intent.decide(RefState(cursor=commit(1), told=commit(5), was_planned=True))
    assert plan is not None
    assert (plan.knowledge, plan.cursor, plan.told) == ("payload", commit(6), commit(6))


def test_a_replay_wants_what_is_still_there_and_tells_what_is_gone() -> None:
    before = make_routing(make_repository({"a": ["a"], "b": ["b"]}))
    saved = SavedPlan(plan=plan_notify(before, "a"), sequence=None)
    other = SavedPlan(plan=plan_notify(before, "b"), sequence=None)
    now = make_routing(make_repository({"b": ["b"]}))
    plans, gone = plan_replay(now, [saved, other])
    assert [affected_layers(plan.matches) for plan in plans] == [("b",)]
    assert gone == ("a",)
