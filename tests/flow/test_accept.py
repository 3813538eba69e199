"""Accept: what is returned is saved, and each update finds its entries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from router.core.errors import MalformedPayload, Overloaded, StoreUnavailable
from router.core.model import MAX_KEPT_PATHS, Saved
from router.core.providers.interface import MAX_UPDATES, TOO_MANY_REFS, json_body
from router.core.providers.table import PROVIDERS
from router.core.push import Push
from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.matching import MATCH_SLICE_PATHS
from router.flow.parts import Parts
from router.flow.request import Requests
from tests.builders import ZERO, commit, github_push, github_request, make_repository, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.flow.making import parts_of
from tests.store.builders import claim, make_attempt


async def make_parts(*, generation: int = 1, **layers: list[str]) -> Parts:
    return await parts_of(make_routing(make_repository(layers), generation=generation))


async def push(parts: Parts, number: int, paths: list[str]) -> Saved:
    body = github_push(before=commit(number), after=commit(number + 1))
    body["commits"] = [  # a commit with 3,000 files or more would count as cut
        {"id": commit(start), "added": [], "modified": paths[start : start + 2000], "removed": []}
        for start in range(0, len(paths), 2000)
    ]
    headers, content = github_request(body, delivery=f"guid-{number}")
    hook = parts.in_force.current.hooks["github"]
    return await Acceptor(parts).accept(hook, headers, content)


class HangingStore(FakeStore):
    """Saves nothing before it is released."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.released = asyncio.Event()

    async def save_delivery(self, *args: Any, **kwargs: Any) -> Saved:
        await self.released.wait()
        return await super().save_delivery(*args, **kwargs)


async def test_no_more_deliveries_wait_for_the_store_than_may() -> None:
    parts = await make_parts(a=["a"])
    store = HangingStore()
    await store.activate(describe_activation(parts.in_force.current, ""), adopt=lambda _names: [])
    acceptor = Acceptor(replace(parts, store=store), max_unsaved=3)
    hook = parts.in_force.current.hooks["github"]

    async def accept(number: int) -> Saved:
        headers, content = github_request(github_push(), delivery=f"guid-{number}")
        return await acceptor.accept(hook, headers, content)

    waiting = [asyncio.create_task(accept(number)) for number in range(3)]
    await asyncio.wait(waiting, timeout=0)
    for number in range(3, 6):
        with pytest.raises(Overloaded):
            await accept(number)
    waiting.pop().cancel()  # its sender has gone
    await asyncio.wait(waiting, timeout=0)
    waiting.append(asyncio.create_task(accept(6)))
    store.released.set()
    assert len(await asyncio.gather(*waiting)) == 3
    with pytest.raises(MalformedPayload):
        await acceptor.accept(hook, *github_request(b"[]", delivery="wrong"))
    assert not (await accept(7)).is_duplicate  # every place was given back
    assert len(await store.deliveries(limit=9)) == 4


async def test_a_push_with_very_many_paths_is_matched_whole_and_kept_capped() -> None:
    parts = await make_parts(first=["first/"], last=["last/"], other=["other/"])
    await push(parts, 1, ["first/x"])
    paths = [f"docs/{number}" for number in range(MAX_KEPT_PATHS + MATCH_SLICE_PATHS)]
    saved = await push(parts, 2, ["first/x", *paths, "last/x"])
    (item,) = saved.plans
    assert [match.layer for match in item.plan.matches] == ["first", "last"]
    assert item.plan.unmapped_count == len(paths)
    (record,) = saved.delivery.updates
    assert len(record.paths) == MAX_KEPT_PATHS
    assert record.is_truncated


async def test_a_generation_that_never_comes_is_no_answer_but_a_later_try() -> None:
    parts = await make_parts(generation=7, a=["a"])  # the store's is 1
    headers, body = github_request(github_push())
    hook = parts.in_force.current.hooks["github"]
    with pytest.raises(StoreUnavailable, match="newer routing file"):
        await Acceptor(parts, reload_wait_seconds=0).accept(hook, headers, body)
    assert await parts.store.deliveries(limit=1) == []


async def test_a_request_under_an_old_generation_asks_to_come_again() -> None:
    parts = await make_parts(generation=7, a=["a"])
    with pytest.raises(StoreUnavailable, match="being replaced"):
        await Requests(parts).notify("a")


async def test_an_operator_s_request_does_not_wait_for_a_backoff() -> None:
    parts = await make_parts(a=["a"], b=["b"])
    await push(parts, 1, ["a/x"])
    for due in await claim(parts.store):
        attempt = make_attempt(FakeClock(), due, "rejected")
        await parts.store.record_attempt(attempt, owner="us", retry_seconds=300)
    assert await claim(parts.store) == ()
    await Requests(parts).notify("a")
    (due,) = await claim(parts.store)
    assert (due.receiver, due.failures) == ("prod/flux-system/a", 0)


async def test_a_replay_of_what_affected_nothing_wants_nothing() -> None:
    parts = await make_parts(a=["a"])
    await push(parts, 1, ["a/x"])
    saved = await push(parts, 2, ["docs/x"])
    replayed = await Requests(parts).replay(saved.delivery.id)
    assert replayed.saved.delivery.status == "ignored"
    assert replayed.saved.plans == ()


async def test_a_file_of_no_layer_calls_every_layer_where_the_entry_says_so() -> None:
    parts = await make_parts(a=["a"])
    entry = make_repository({"a": ["a"], "b": ["b"]}, unmapped="all")
    parts.in_force.replace(make_routing(entry, generation=1))
    await push(parts, 1, ["a/x"])
    saved = await push(parts, 2, ["README.md"])
    (item,) = saved.plans
    assert {match.layer for match in item.plan.matches if match.is_affected} == {"a", "b"}
    assert item.plan.knowledge == "payload"
    assert "README.md" in item.plan.matches[0].reason or item.plan.matches[0].path == "README.md"


async def test_a_respelled_url_keeps_the_cursor() -> None:
    parts = await make_parts(a=["a"])
    await push(parts, 1, ["a/x"])
    respelled = make_repository({"a": ["a"]}, url="git@github.com:acme/fleet.git")
    parts.in_force.replace(make_routing(respelled, generation=1))
    saved = await push(parts, 2, ["a/x"])
    assert saved.plans[0].plan.knowledge == "payload"


async def test_the_last_commit_of_a_deleted_branch_is_not_taken_for_a_new_one() -> None:
    parts = await make_parts(a=["a"])
    await push(parts, 1, ["a/x"])
    hook = parts.in_force.current.hooks["github"]
    # the push to commit 3 was lost; then the branch was deleted there
    headers, body = github_request(github_push(before=commit(3), after=ZERO), delivery="deleted")
    deleted = await Acceptor(parts).accept(hook, headers, body)
    assert (deleted.delivery.status, deleted.plans) == ("ignored", ())
    late = github_push(before=commit(2), after=commit(3))
    headers, body = github_request({**late, "forced": True}, delivery="late")
    assert (await Acceptor(parts).accept(hook, headers, body)).plans[0].plan.cursor == commit(3)
    again = github_push(before=commit(7), after=commit(3))
    headers, body = github_request(again, delivery="again")
    assert (await Acceptor(parts).accept(hook, headers, body)).plans[0].plan.cursor is None


def test_of_a_delivery_that_moves_too_many_refs_any_may_have_moved() -> None:
    move = {"ref": "refs/heads/x", "before": commit(1), "after": commit(2)}
    body = {"repository": "https://x.test/y", "updates": [move] * (MAX_UPDATES + 1)}
    read = PROVIDERS["generic"].parse_push({"content-type": "application/json"}, json_body(body))
    assert isinstance(read, Push)
    assert (read.updates, read.refs_not_told) == ((), TOO_MANY_REFS)
