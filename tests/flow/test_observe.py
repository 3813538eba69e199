"""Git mode: a look plans exactly what differs from the commit planned last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from router.core.errors import StoreUnavailable
from router.core.plan import tracked_ref
from router.core.routing import GitAccess
from router.flow.request import Requests
from tests.builders import MAIN, URL, ZERO, commit, make_repository, make_routing
from tests.fakes.git import FakeGit
from tests.flow.conftest import until
from tests.flow.git_mode import FALLBACK_SECONDS, GitMode, git_entry, start_git_mode

ALL = {"a", "b", "c"}


async def started(**fields: Any) -> GitMode:
    """A service that has planned where main stands."""
    mode = await start_git_mode(git_entry(**fields))
    await mode.look()
    assert await mode.called() == ALL
    return mode


async def cursor(mode: GitMode) -> str | None:
    entry = mode.parts.in_force.current.repositories[0]
    return (await mode.store.ref_state(tracked_ref(entry))).cursor


async def test_a_push_is_accepted_and_planned_by_comparing_trees() -> None:
    mode = await started()
    saved = await mode.push("a/x", "README.md")
    assert saved.delivery.status == "accepted"
    assert saved.plans == ()
    assert await mode.called() == {"a"}
    delivery, plan = await mode.newest()
    assert (delivery.id, delivery.status) == (saved.delivery.id, "routed")
    assert plan.knowledge == "exact"
    assert "were compared: 2 changed paths, 1 of no layer" in plan.reason
    assert plan.matches[0].path == "a/x"
    assert (plan.path_count, plan.paths) == (2, ("README.md", "a/x"))
    assert await cursor(mode) == mode.host.refs[MAIN] == mode.git.kept[URL, "fleet"]


async def test_what_the_payload_lists_does_not_count() -> None:
    mode = await started()
    before, after = mode.change("b/x")
    await mode.tell(before, after, "a/x", forced=True)
    await mode.look()
    assert await mode.called() == {"b"}


async def test_a_first_look_adopts_every_layer_once_and_sets_the_cursor() -> None:
    mode = await start_git_mode()
    assert await mode.called() == set()  # the routing file alone calls nothing: no commit is known
    await mode.look()
    assert await mode.called() == ALL
    delivery, plan = await mode.newest()
    assert (delivery.origin, plan.knowledge) == ("adoption", "unknown")
    assert plan.reason.startswith("adopted")
    await mode.look()
    assert await mode.called() == set()


async def test_a_changed_definition_is_adopted_with_the_routing_file() -> None:
    mode = await started()
    await mode.reload(
        make_routing(git_entry({"a": ["a/", "z/"], "b": ["b/"], "c": ["c/"]}), token=b"2")
    )
    assert await mode.called() == {"a"}
    await mode.push("z/new")
    assert await mode.called() == {"a"}


async def test_a_layer_that_left_is_not_called_and_one_that_comes_back_is_adopted() -> None:
    mode = await started()
    await mode.reload(make_routing(git_entry({"a": ["a/"], "b": ["b/"]}), token=b"2"))
    await mode.push("c/x")
    assert await mode.called() == set()
    assert len(await mode.store.layer_deliveries("c", limit=5)) == 1  # its history is kept
    await mode.reload(make_routing(git_entry(), token=b"3"))
    assert await mode.called() == {"c"}


async def test_a_burst_of_pushes_is_planned_once_and_every_delivery_is_told() -> None:
    mode = await started()
    told = []
    for path in ("a/x", "b/x", "a/y"):
        before, after = mode.change(path)
        told.append(await mode.tell(before, after, path))
    await mode.look()
    assert await mode.called() == {"a", "b"}
    assert [len((await mode.store.delivery(each.delivery.id)).plans) for each in told] == [0, 0, 1]  # type: ignore[union-attr]
    for each in told[:2]:
        status, reason = await mode.status(each)
        assert status == "routed"
        assert told[2].delivery.id in reason


async def test_doubled_and_reordered_webhooks_plan_nothing_more() -> None:
    mode = await started()
    first = mode.change("a/x")
    second = mode.change("b/x")
    await mode.tell(*second)
    await mode.look()
    assert await mode.called() == {"a", "b"}
    for move in (first, second, first):
        late = await mode.tell(*move)
        assert not await mode.look()
        assert (await mode.status(late))[0] == "routed"
    assert await mode.called() == set()


async def test_a_force_push_back_is_compared_with_what_was_planned() -> None:
    mode = await started()
    start = mode.host.refs[MAIN]
    await mode.push("a/x")
    await mode.push("b/x")
    await mode.called()
    before, mode.host.refs[MAIN] = mode.host.refs[MAIN], start
    await mode.tell(before, start, forced=True)
    await mode.look()
    assert await mode.called() == {"a", "b"}


async def test_a_push_and_its_revert_in_one_look_change_nothing() -> None:
    mode = await started()
    before = mode.host.refs[MAIN]
    mode.change("a/x")
    mode.files["a/x"] = "1"
    after = mode.host.move(MAIN, mode.files)
    saved = await mode.tell(before, after, "a/x")
    await mode.look()
    assert await mode.called() == set()
    assert "0 changed paths" in (await mode.status(saved))[1]


async def test_a_commit_that_is_not_visible_yet_is_asked_for_again() -> None:
    mode = await started()
    before = mode.host.refs[MAIN]
    mode.files["a/x"] = "2"
    after = mode.host.commit(mode.files)
    saved = await mode.tell(before, after)
    assert await mode.look()
    assert (await mode.status(saved))[0] == "accepted"
    mode.host.refs[MAIN] = after
    assert not await mode.look()
    assert await mode.called() == {"a"}


async def test_a_commit_that_never_shows_closes_and_a_redelivery_is_taken_anew() -> None:
    mode = await started()
    before = mode.host.refs[MAIN]
    saved = await mode.tell(before, commit(99))
    assert await mode.look()
    mode.clock.advance(60)
    assert not await mode.look()
    status, reason = await mode.status(saved)
    assert status == "not_visible"
    assert "did not show" in reason
    assert mode.observer.closed[-1] == ("fleet", saved.delivery.id, "not_visible")
    mode._deliveries -= 1
    again = await mode.tell(before, commit(99))
    assert (again.is_duplicate, again.delivery.status) == (False, "accepted")


async def test_a_push_that_another_one_overtook_unheard_has_the_plan() -> None:
    mode = await started()
    first = mode.change("a/x")
    mode.change("b/x")  # its webhook is lost, and the host stands there already
    saved = await mode.tell(*first)
    assert not await mode.look()
    assert await mode.called() == {"a", "b"}
    assert (await mode.newest())[0].id == saved.delivery.id


async def test_a_push_between_others_that_nobody_told_of_is_closed_as_planned() -> None:
    mode = await started()
    mode.change("a/x")
    between = mode.change("b/x")
    mode.change("c/x")
    saved = await mode.tell(*between)
    assert await mode.look()
    assert await mode.called() == ALL
    mode.clock.advance(60)
    assert not await mode.look()  # the host has its commit: the ref has been there
    assert (await mode.status(saved))[0] == "routed"


async def test_a_backport_and_the_release_after_it_are_compared_with_their_own_lines() -> None:
    mode = await start_git_mode(git_entry(ref="refs/tags/v*"))
    mode.host.refs.clear()
    mode.change("a/x", ref="refs/tags/v1.9.4")
    mode.change("b/x", ref="refs/tags/v2.0.0")
    await mode.look()
    await mode.called()
    released = dict(mode.files)
    mode.change("a/x", ref="refs/tags/v1.9.5")
    await mode.look()
    await mode.called()
    mode.files = {**released, "a/x": mode.files["a/x"]}
    mode.host.move("refs/tags/v2.0.1", mode.files)  # the same fix for the newer line
    await mode.look()
    assert "a" in await mode.called()


async def test_a_tag_of_a_file_is_seen_once_and_never_planned() -> None:
    mode = await start_git_mode(git_entry(ref="refs/tags/v*"), git=NoCommitGit())
    mode.host.refs.clear()
    mode.change("a/x", ref="refs/tags/v1")
    await mode.sweep()
    await mode.called()
    mode.host.refs["refs/tags/v2"] = NoCommitGit.FILE
    for is_moved in (True, False):
        mode.clock.advance(600)
        await mode.sweep()
        assert mode.observer.swept[-1] == ("fleet", is_moved)
    assert await mode.called() == set()


class NoCommitGit(FakeGit):
    """A host with a tag of a file, which is never in a clone."""

    FILE = commit(77)

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, str]:
        host = self.hosts[access.url]
        return await super().fetch_tips(access, [r for r in refs if host.refs.get(r) != self.FILE])


async def test_an_older_tip_is_planned_at_once_and_the_newer_push_still_waits() -> None:
    mode = await started()
    first = mode.change("a/x")
    await mode.tell(*first)
    mode.files["b/x"] = "2"
    hidden = mode.host.commit(mode.files)
    waiting = await mode.tell(first[1], hidden)
    assert await mode.look()
    assert await mode.called() == {"a"}
    assert (await mode.status(waiting))[0] == "accepted"
    mode.host.refs[MAIN] = hidden
    assert not await mode.look()
    assert await mode.called() == {"b"}


async def test_a_deleted_branch_notifies_nobody_and_keeps_its_cursor() -> None:
    mode = await started()
    before = mode.host.refs.pop(MAIN)
    saved = await mode.tell(before, ZERO)
    assert saved.delivery.status == "ignored"
    await mode.sweep()
    assert await cursor(mode) == before
    mode.files["b/x"] = "made again"
    after = mode.host.move(MAIN, mode.files)
    await mode.tell(ZERO, after)
    await mode.look()
    assert await mode.called() == {"b"}


async def test_a_base_that_nobody_has_any_more_calls_every_layer_and_moves_on() -> None:
    mode = await started()
    mode.git.clones.clear()
    before, after = mode.change("a/x")
    mode.host.forget(before)
    saved = await mode.tell(before, after, "a/x", forced=True)
    await mode.look()
    assert await mode.called() == ALL
    assert (await mode.status(saved))[1].startswith("base_unreachable")
    assert await cursor(mode) == after
    await mode.push("b/x")
    assert await mode.called() == {"b"}


async def test_a_lost_clone_is_no_loss_while_the_host_has_the_commits() -> None:
    mode = await started()
    mode.git.clones.clear()
    await mode.push("a/x")
    assert await mode.called() == {"a"}


async def test_a_host_that_cannot_be_read_is_asked_again_before_the_payload_counts() -> None:
    mode = await started()
    before, after = mode.change("a/x")
    mode.host.trouble = "the host cannot be reached"
    saved = await mode.tell(before, after, "a/x")
    assert await mode.look()
    assert await mode.called() == set()
    assert mode.refs.troubles == {"fleet": "the host cannot be reached"}
    mode.clock.advance(FALLBACK_SECONDS)
    assert not await mode.look()
    assert await mode.called() == {"a"}
    status, reason = await mode.status(saved)
    assert status == "routed"
    assert "the host cannot be reached" in reason
    assert (await mode.newest())[1].knowledge == "payload"
    assert await cursor(mode) == before


async def test_after_a_fallback_the_comparison_starts_where_git_stood() -> None:
    mode = await started()
    before, after = mode.change("a/x")
    mode.host.trouble = "down"
    await mode.tell(before, after, "a/x", forced=True)
    await mode.look()
    mode.clock.advance(FALLBACK_SECONDS)
    await mode.look()
    assert await mode.called() == ALL  # a forced push's lists prove nothing
    mode.host.trouble = None
    await mode.sweep()
    assert await mode.called() == {"a"}
    assert await cursor(mode) == after
    assert mode.refs.troubles == {}


async def test_while_the_host_is_down_lists_count_that_lead_on_from_each_other() -> None:
    mode = await started()
    mode.host.trouble = "down"
    mode.trouble("down")
    mode.clock.advance(FALLBACK_SECONDS)
    for path in ("a/x", "b/x"):
        before, after = mode.change(path)
        await mode.tell(before, after, path)
        await mode.look()
        assert await mode.called() == {path[0]}
    before, after = mode.change("c/x")
    await mode.tell(before, after, "c/x", forced=True)
    await mode.look()
    assert await mode.called() == ALL


async def test_a_branch_that_went_back_while_the_host_was_down_is_planned_from_both() -> None:
    mode = await started()
    start, after = mode.change("a/x")
    mode.host.trouble = "down"
    mode.trouble("down")
    mode.clock.advance(FALLBACK_SECONDS)
    await mode.tell(start, after, "a/x")
    await mode.look()
    assert await mode.called() == {"a"}  # and Flux holds the push now
    mode.host.refs[MAIN], mode.host.trouble = start, None  # forced back; that webhook was lost
    mode.clock.advance(600)
    await mode.sweep()
    assert await mode.called() == {"a"}
    assert (await mode.newest())[1].knowledge == "exact"


async def test_a_ref_that_the_host_does_not_have_is_told_of() -> None:
    mode = await start_git_mode(git_entry(ref="refs/heads/mian"))
    await mode.sweep()
    assert mode.refs.troubles == {"fleet": "the Git host has no refs/heads/mian"}
    saved = await mode.tell(ZERO, commit(7), ref="refs/heads/mian")
    assert await mode.look()
    mode.clock.advance(60)
    assert not await mode.look()
    status, reason = await mode.status(saved)
    assert status == "not_visible"
    assert "has no refs/heads/mian" in reason
    mode.host.refs["refs/heads/mian"] = mode.host.refs[MAIN]
    mode.clock.advance(600)
    await mode.sweep()
    assert mode.refs.troubles == {}


async def test_pushes_that_wait_for_a_host_that_is_down_share_one_plan() -> None:
    mode = await started()
    mode.host.trouble = "down"
    moves = [mode.change(path) for path in ("a/x", "b/x")]
    for (before, after), path in zip(moves, ("a/x", "b/x"), strict=True):
        await mode.tell(before, after, path)
    await mode.look()
    mode.clock.advance(FALLBACK_SECONDS)
    await mode.look()
    assert await mode.called() == {"a", "b"}


async def test_a_host_that_is_down_at_the_first_start_adopts_every_layer_once() -> None:
    mode = await start_git_mode()
    mode.host.trouble = "down"
    await mode.sweep()
    mode.clock.advance(FALLBACK_SECONDS)
    await mode.sweep()
    assert await mode.called() == ALL
    assert (await mode.newest())[0].origin == "adoption"
    mode.clock.advance(600)
    await mode.sweep()
    assert await mode.called() == set()
    mode.host.trouble = None
    mode.clock.advance(600)
    await mode.sweep()
    assert await mode.called() == ALL  # what Flux holds is not known: once more, with the cursor
    assert await cursor(mode) == mode.host.refs[MAIN]


async def test_what_waits_for_an_entry_that_left_the_file_is_closed() -> None:
    mode = await started()
    saved = await mode.tell(*mode.change("a/x"))
    other = make_repository({"z": ["z/"]}, name="other", url="https://x.test/other")
    await mode.reload(make_routing(other, token=b"2"))
    assert not await mode.look()
    assert await mode.status(saved) == ("ignored", "its entry left the routing file")


async def test_what_waits_for_an_entry_that_left_git_mode_is_planned_by_its_payload() -> None:
    mode = await started()
    saved = await mode.tell(*mode.change("a/x"), "a/x")
    await mode.reload(make_routing(git_entry(git=None), token=b"2"))
    assert not await mode.look()
    assert await mode.called() == {"a"}
    assert "left git mode" in (await mode.status(saved))[1]


async def test_new_tags_of_a_wildcard_share_one_cursor() -> None:
    mode = await start_git_mode(git_entry(ref="refs/tags/v*"))
    mode.host.refs.clear()
    mode.change("a/x", ref="refs/tags/v1")
    mode.change("b/x", ref="refs/tags/v2")
    await mode.look()
    assert await mode.called() == ALL  # tags of before: one adoption, no plan for each
    assert await cursor(mode) == mode.host.refs["refs/tags/v2"]
    assert not await mode.look()
    assert await mode.called() == set()
    mode.change("c/x", ref="refs/tags/v4")
    mode.host.refs["refs/tags/v3"] = mode.host.refs["refs/tags/v2"]
    saved = await mode.tell(ZERO, mode.host.refs["refs/tags/v4"], ref="refs/tags/v4")
    await mode.look()
    assert await mode.called() == {"c"}
    story = await mode.store.delivery(saved.delivery.id)
    assert story is not None
    assert [item.plan.ref for item in story.plans] == ["refs/tags/v3", "refs/tags/v4"]
    mode.change("a/y", ref="refs/heads/v9")
    await mode.look()
    assert await mode.called() == set()


async def test_tags_of_a_ref_planned_by_payloads_are_only_remembered() -> None:
    mode = await start_git_mode(git_entry(ref="refs/tags/v*", git=None))
    mode.host.refs.clear()
    await mode.tell(*mode.change("a/x", ref="refs/tags/v1"), ref="refs/tags/v1")
    await mode.called()
    await mode.reload(make_routing(git_entry(ref="refs/tags/v*"), token=b"2"))
    await mode.look()
    assert await mode.called() == set()
    mode.change("b/x", ref="refs/tags/v2")
    await mode.sweep()
    assert await mode.called() == {"b"}


async def test_entries_on_two_refs_of_one_repository_have_a_cursor_each() -> None:
    stage = git_entry({"s": ["a/"]}, name="stage", ref="refs/heads/stage")
    mode = await start_git_mode(git_entry(), stage)
    mode.host.refs["refs/heads/stage"] = mode.host.refs[MAIN]
    await mode.look()
    await mode.look("stage")
    await mode.called()
    mode.change("a/x", ref="refs/heads/stage")
    await mode.look()
    await mode.look("stage")
    assert await mode.called() == {"s"}


async def test_a_branch_and_a_tag_of_one_name_are_two_refs() -> None:
    mode = await started()
    mode.change("a/x", ref="refs/tags/main")
    saved = await mode.tell(ZERO, mode.host.refs["refs/tags/main"], ref="refs/tags/main")
    assert saved.delivery.status == "ignored"
    await mode.look()
    assert await mode.called() == set()


async def test_a_push_of_several_entries_is_accepted_until_all_are_planned() -> None:
    every = git_entry({"every": ["a/"]}, name="every", ref="refs/heads/*")
    mode = await start_git_mode(git_entry(), every)
    await mode.look()
    await mode.look("every")
    await mode.called()
    saved = await mode.push("a/x")
    assert (await mode.status(saved))[0] == "accepted"
    await mode.look("every")
    assert (await mode.status(saved))[0] == "routed"
    assert await mode.called() == {"a", "every"}


async def test_an_operator_s_notify_also_looks_at_the_host() -> None:
    mode = await started()
    heard: list[str] = []
    with mode.parts.hints.heard_by(lambda name, _is_kept: heard.append(name)):
        await Requests(mode.parts).notify("a")
    assert heard == ["fleet"]


async def test_a_running_observer_plans_hints_as_they_come_and_what_was_left_over() -> None:
    mode = await started()
    left = await mode.tell(*mode.change("a/x"))
    stop = asyncio.Event()
    task = asyncio.create_task(mode.refs.run(stop))

    async def routed(saved: object = left) -> bool:
        return (await mode.status(saved))[0] == "routed"  # type: ignore[arg-type]

    await until(routed)
    later = await mode.tell(*mode.change("b/x"))
    await until(lambda: routed(later))
    assert await mode.called() == {"a", "b"}
    stop.set()
    await task


class SlowGit(FakeGit):
    """Counts how many fetches run at once."""

    at_once = most_at_once = 0

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, str]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return await super().fetch_tips(access, refs)


async def test_hints_for_one_entry_never_run_twice_at_once() -> None:
    git = SlowGit()
    mode = await start_git_mode(git=git)
    await mode.look()
    stop = asyncio.Event()
    task = asyncio.create_task(mode.refs.run(stop))
    saved = [await mode.tell(*mode.change("a/x")) for _ in range(5)]

    async def routed() -> bool:
        return all([(await mode.status(each))[0] == "routed" for each in saved])

    await until(routed)
    assert git.most_at_once == 1
    assert len([each for each in mode.host.asked if each == "fetch_tips"]) < 7
    stop.set()
    await task


async def test_a_store_that_is_down_for_a_moment_loses_no_hint() -> None:
    mode = await started()
    await mode.tell(*mode.change("a/x"))
    mode.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await mode.look()
    mode.store.is_down = False
    await mode.look()
    assert await mode.called() == {"a"}
