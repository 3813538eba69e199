"""Branches and tags that come, go, share a name or a repository: each entry's own, and no others.

The numbers in the names are those of the cases that every such service should pass, by kind.
"""

from __future__ import annotations

import json

import pytest

from router.flow.accept import Acceptor
from tests.builders import MAIN, SECRET, URL, make_routing
from tests.e2e.git_case import LAYERS, START, Cases
from tests.providers.signing import signed

pytestmark = pytest.mark.e2e

ALL = set(LAYERS)
STAGE = "refs/heads/stage"


async def test_16_a_branch_that_appears_is_adopted_with_all_its_layers(cases: Cases) -> None:
    case = await cases.start(cases.history("refs/heads/other"))
    assert await case.world.wanted() == set()
    assert await case.push(case.history.push(MAIN, case.history.commit(START))) == ALL
    assert await case.push(case.change("a/x")) == {"a"}


async def test_17_a_branch_that_is_deleted_and_made_again_is_compared_over_the_gap(
    cases: Cases,
) -> None:
    case = await cases.start()
    tip = case.history.refs[MAIN]
    saved = await case.world.tell(case.history.remove(MAIN))
    assert saved.delivery.status == "ignored"
    assert await case.sweep() == set()
    assert await case.push(case.history.push(MAIN, tip)) == set()
    case.history.remove(MAIN)
    assert await case.sweep() == set()
    assert await case.push(case.history.push(MAIN, case.history.commit(START | {"b/x": "1"}))) == {
        "b"
    }


async def test_18_a_branch_and_a_tag_of_one_name_are_two_refs(cases: Cases) -> None:
    case = await cases.start()
    other = case.history.commit(START | {"a/x": "tag"})
    saved = await case.world.tell(case.history.push("refs/tags/main", other))
    assert saved.delivery.status == "ignored"
    assert await case.sweep() == set()
    assert await case.push(case.change("b/x")) == {"b"}


async def test_18_tags_that_no_webhook_tells_of_are_swept_and_share_one_cursor(
    cases: Cases,
) -> None:
    entry = cases.entry(ref="refs/tags/v*")
    case = await cases.start(cases.history(MAIN, "refs/tags/v1.9", "refs/tags/v1.10"), entry)
    tips = {
        f"refs/tags/v2.{number}": case.history.commit(START | {f"{layer}/x": "2"})
        for number, layer in enumerate("abca")
    }
    for ref, tip in tips.items():
        case.history.annotate(ref, tip)
    case.history.push("refs/tags/other", case.history.commit({}))
    assert await case.sweep() == ALL
    story = (await case.world.stories())[-1]
    assert [saved.plan.ref for saved in story.plans] == list(tips)
    assert (await case.world.state(entry)).cursor == tips["refs/tags/v2.3"]


async def test_18_an_annotated_tag_is_planned_by_the_commit_it_stands_for(cases: Cases) -> None:
    case = await cases.start(
        cases.history(MAIN, "refs/tags/stable"), cases.entry(ref="refs/tags/stable")
    )
    move = case.history.annotate("refs/tags/stable", case.history.commit(START | {"c/x": "1"}))
    saved = await case.world.push(move)
    assert await case.world.wanted() == {"c"}
    assert (await case.world.story(saved)).delivery.status == "routed"


async def test_20_every_ref_of_one_delivery_is_planned_by_its_own_entry(cases: Cases) -> None:
    stage = cases.entry({"s": ["s/"]}, name="stage", ref=STAGE)
    case = await cases.start(cases.history(MAIN, STAGE), cases.entry(), stage)
    moves = [case.change("a/x"), case.change("s/x", ref=STAGE)]
    updates = [{"ref": each.ref, "before": each.before, "after": each.after} for each in moves]
    body = json.dumps({"repository": URL, "updates": updates}).encode()
    hook = make_routing(provider="generic").hooks["github"]
    headers = signed("generic", {"content-type": "application/json"}, body, secret=SECRET)
    saved = await Acceptor(case.world.parts).accept(hook, headers, body)
    assert case.world.hinted == {"fleet", "stage"}
    await case.world.look()
    assert await case.world.wanted() == {"a", "s"}
    story = await case.world.story(saved)
    assert [update.status for update in story.delivery.updates] == ["routed", "routed"]


async def test_an_orphan_branch_of_another_entry_leaves_the_others_alone(cases: Cases) -> None:
    stage = cases.entry({"s": ["s/"]}, name="stage", ref=STAGE)
    case = await cases.start(None, cases.entry(), stage)
    assert await case.push(case.history.push(STAGE, case.history.commit({"s/x": "1"}))) == {"s"}
    assert await case.push(case.change("a/x")) == {"a"}
    assert await case.push(case.history.push(STAGE, case.history.commit({"s/y": "1"}))) == {"s"}


async def test_a_branch_that_gives_way_to_a_folder_of_branches_is_no_trouble(cases: Cases) -> None:
    deep = cases.entry({"s": ["s/"]}, name="deep", ref="refs/heads/main/next")
    case = await cases.start(None, cases.entry(), deep)
    tip = case.history.refs[MAIN]
    case.history.remove(MAIN)
    move = case.history.push("refs/heads/main/next", case.history.commit(START | {"a/x": "1"}, tip))
    assert await case.push(move) == {"s"}
    case.history.remove("refs/heads/main/next")
    assert await case.push(case.history.push(MAIN, move.after)) == {"a"}


async def test_a_release_after_a_backport_is_compared_with_its_own_line(cases: Cases) -> None:
    history = cases.history("refs/tags/v2.0.0")
    case = await cases.start(history, cases.entry(ref="refs/tags/v*"))
    backport = history.commit(START | {"a/x": "fix", "b/x": "old"})
    await case.push(history.push("refs/tags/v1.9.5", backport))
    fixed = history.commit(START | {"a/x": "fix"})
    assert "a" in await case.push(history.push("refs/tags/v2.0.1", fixed))


async def test_a_tag_of_a_file_is_seen_once_and_never_planned(cases: Cases) -> None:
    history = cases.history(MAIN, "refs/tags/v1")
    case = await cases.start(history, cases.entry(ref="refs/tags/v*"))
    file = history.repository.git("hash-object", "-w", "--stdin", stdin=b"key")
    history.repository.git("update-ref", "refs/tags/v2", file)
    for is_moved in (True, False):
        assert await case.sweep() == set()
        assert case.world.observer.swept[-1] == ("fleet", is_moved)
