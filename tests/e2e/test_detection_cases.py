"""What a service that finds changed layers must bear: payloads, order, losses and new files.

The numbers in the names are those of the cases that every such service should pass, by kind. All
of it runs on real repositories, clones and databases.
"""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from router.core.model import Attempt
from router.flow.observe import FALLBACK_SECONDS
from tests.builders import MAIN
from tests.e2e.git_case import LAYERS, START, Cases
from tests.e2e.git_history import Move

pytestmark = pytest.mark.e2e

ALL = set(LAYERS)


async def test_6_a_commit_that_the_host_collected_is_compared_from_the_clone(cases: Cases) -> None:
    case = await cases.start()
    start = case.history.refs[MAIN]
    assert await case.push(case.change("a/x")) == {"a"}
    move = case.history.push(MAIN, case.history.commit(START | {"b/x": "1"}, start))
    case.history.forget_unreachable()
    assert await case.push(move) == {"a", "b"}


async def test_6_a_commit_that_nobody_has_any_more_calls_every_layer(cases: Cases) -> None:
    case = await cases.start()
    start = case.history.refs[MAIN]
    assert await case.push(case.change("a/x")) == {"a"}
    move = case.history.push(MAIN, case.history.commit(START | {"b/x": "1"}, start))
    case.history.forget_unreachable()
    shutil.rmtree(case.world.clones)
    await case.world.restart()
    await case.world.push(move)
    story = (await case.world.stories())[-1]
    assert await case.world.wanted() == ALL
    assert story.plans[0].plan.reason.startswith("base_unreachable")
    assert await case.push(case.change("c/x")) == {"c"}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"paths": [], "forced": True}, id="7 no commits"),
        pytest.param({"paths": [], "forced": False}, id="9 no list"),
        pytest.param({"paths": ["b/x", "c/x"]}, id="9 a wrong list"),
        pytest.param({"paths": [f"b/{number}" for number in range(3000)]}, id="1 a full list"),
    ],
)
async def test_what_a_payload_tells_counts_for_nothing(told: dict[str, Any], cases: Cases) -> None:
    case = await cases.start()
    assert await case.push(case.change("a/x"), **told) == {"a"}


async def test_12_a_layer_that_leaves_is_not_called_and_one_that_returns_is(cases: Cases) -> None:
    case = await cases.start()
    await case.world.reload(cases.entry({"a": ["a/"], "b": ["b/"]}))
    assert await case.push(case.change("b/x", "c/x")) == {"b"}
    await case.world.reload(cases.entry())
    assert await case.world.wanted() == {"c"}
    assert await case.push(case.change("c/x")) == {"c"}


async def test_13_a_push_and_a_new_file_are_planned_by_old_and_new_patterns(cases: Cases) -> None:
    case = await cases.start()
    await case.world.tell(case.change("tools/x"))
    await case.world.reload(cases.entry({"a": ["a/", "tools/"], "b": ["b/"], "c": ["c/"]}))
    await case.world.look()
    assert await case.world.wanted() == {"a"}
    await case.world.tell(case.change("tools/x"))
    await case.world.reload(cases.entry())
    await case.world.look()
    assert await case.world.wanted() == {"a"}
    assert await case.push(case.change("tools/x")) == set()


async def test_13_a_file_that_does_not_load_leaves_the_last_good_one_in_force(
    cases: Cases,
) -> None:
    case = await cases.start()
    case.world.source.text = "broken"
    await case.world.reloader.reload(case.world.parts.in_force)
    assert await case.push(case.change("a/x")) == {"a"}
    await case.world.restart()
    assert await case.push(case.change("b/x")) == {"b"}


async def test_13_what_nobody_owns_calls_every_layer_where_the_operator_wants_it(
    cases: Cases,
) -> None:
    case = await cases.start(None, cases.entry(unmapped="all"))
    assert await case.push(case.change("README.md")) == ALL


async def test_21_a_redelivery_is_told_as_such_and_a_copy_plans_nothing(cases: Cases) -> None:
    case = await cases.start()
    move = case.change("a/x")
    assert await case.push(move, delivery="one") == {"a"}
    assert (await case.world.tell(move, delivery="one")).is_duplicate
    assert await case.push(move, delivery="two") == set()


async def test_22_pushes_that_arrive_out_of_order_end_at_the_newest_tip(cases: Cases) -> None:
    case = await cases.start()
    first, second, third = (case.change(path) for path in ("a/x", "b/x", "a/x"))
    assert await case.push(second) == {"a", "b"}
    for late in (third, first):
        assert await case.push(late) == set()
    entry = case.world.routing.repositories[0]
    assert (await case.world.state(entry)).cursor == third.after


async def test_23_a_push_while_its_receiver_is_called_leads_to_exactly_one_more_call(
    cases: Cases,
) -> None:
    case = await cases.start()
    await case.world.dispatch()
    await case.push(case.change("a/x"))
    claimed = await case.world.store.claim_due(
        {"prod": 9}, limit=9, owner="running", lease_seconds=20, generation=1
    )
    (claim,) = claimed.claims
    for _ in range(3):
        await case.push(case.change("a/x"))
    case.world.flux.calls.clear()
    await case.world.dispatch()
    assert case.world.flux.calls == []  # never two calls at once
    attempt = Attempt(
        receiver=claim.receiver,
        wanted=claim.wanted,
        started_at=case.world.clock.now(),
        duration_seconds=0,
        outcome="notified",
        status=200,
    )
    await case.world.store.record_attempt(attempt, owner="running", retry_seconds=None)
    await case.world.dispatch()
    assert case.world.flux.calls == ["a"]


@pytest.mark.parametrize("is_quiet", [True, False], ids=["by a sweep", "by the next push"])
async def test_24_a_lost_webhook_is_made_good(is_quiet: bool, cases: Cases) -> None:
    case = await cases.start()
    case.change("a/x")
    found = await case.sweep() if is_quiet else await case.push(case.change("b/x"))
    assert found == ({"a"} if is_quiet else {"a", "b"})


async def test_26_a_commit_that_the_host_shows_only_later_is_waited_for(cases: Cases) -> None:
    case = await cases.start()
    tip = case.history.refs[MAIN]
    made = case.history.commit(START | {"a/x": "1"}, tip)
    saved = await case.world.push(Move(MAIN, tip, made))
    assert case.world.hinted == {"fleet"}
    assert await case.world.wanted() == set()
    case.history.push(MAIN, made)
    await case.world.look()
    assert await case.world.wanted() == {"a"}
    assert (await case.world.story(saved)).delivery.status == "routed"


async def test_a_sha256_repository_is_planned_with_its_64_digits(cases: Cases) -> None:
    case = await cases.start(cases.history(object_format="sha256"))
    assert len(case.history.refs[MAIN]) == 64
    assert await case.push(case.change("a/x")) == {"a"}
    start = case.history.commit(START)
    assert await case.push(case.history.push(MAIN, start)) == {"a"}
    assert await case.push(case.history.remove(MAIN)) == set()
    other = case.history.commit(START | {"b/x": "1"})
    move = case.history.push(MAIN, other)
    assert move.before == "0" * 64
    assert await case.push(move) == {"b"}


async def test_what_a_fallback_called_is_called_again_by_the_comparison(cases: Cases) -> None:
    case = await cases.start()
    move = case.change("a/x")
    hidden = case.history.repository.path.with_suffix(".away")
    case.history.repository.path.rename(hidden)
    await case.world.tell(move, paths=["a/x"])
    await case.world.look()
    case.world.clock.advance(FALLBACK_SECONDS)
    await case.world.look()
    assert await case.world.wanted() == {"a"}
    assert "fleet" in case.world.refs.troubles
    hidden.rename(case.history.repository.path)
    case.change("b/x")
    assert await case.sweep() == {"a", "b"}
    assert case.world.refs.troubles == {}


@pytest.mark.parametrize("is_back", [True, False], ids=["back to the cursor", "to another commit"])
async def test_what_a_fallback_told_and_a_force_push_dropped_is_taken_back(
    is_back: bool, cases: Cases
) -> None:
    case = await cases.start()
    await case.world.dispatch()
    base, dropped = case.history.refs[MAIN], case.change("a/x")
    hidden = case.history.repository.path.with_suffix(".away")
    case.history.repository.path.rename(hidden)
    await case.world.tell(dropped)
    await case.world.outwait()
    await case.world.dispatch()
    hidden.rename(case.history.repository.path)
    target = base if is_back else case.history.commit(START | {"b/x": "1"}, base)
    await case.world.push(case.history.push(MAIN, target))
    await case.world.settle()
    held = case.world.flux.held["a"].commit
    assert case.history.trees[held]["a/x"] == case.history.trees[target]["a/x"]


async def test_a_push_that_one_without_webhook_overtook_is_told_as_planned(cases: Cases) -> None:
    case = await cases.start()
    first = case.change("a/x")
    case.change("b/x")
    saved = await case.world.push(first)
    await case.world.settle()
    assert (await case.world.story(saved)).delivery.status == "routed"
