"""Gitea tells of a new branch in two events, and of a renamed one in the first of them only."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.model import Saved
from router.core.providers.interface import json_body
from router.core.verify import sign_sha256
from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.parts import Parts
from router.flow.routing import InForce
from tests.builders import MAIN, SECRET, URL, ZERO, commit, make_repository, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore


async def make_parts() -> Parts:
    clock = FakeClock()
    store = FakeStore(clock)
    entry = make_repository({"a": ["a/"], "b": ["b/"]}, hook="gitea", force_pushes="impossible")
    routing = make_routing(entry, provider="gitea", generation=1)
    await store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
    return Parts(
        replica="us",
        store=store,
        in_force=InForce(routing),
        clock=clock,
        observer=RecordingObserver(),
        wake=lambda: None,
    )


async def send(parts: Parts, event: str, payload: dict[str, Any]) -> Saved:
    body = json_body(payload | {"repository": {"clone_url": f"{URL}.git"}})
    headers = {
        "content-type": "application/json",
        "x-gitea-event": event,
        "x-gitea-signature": sign_sha256(body, secret=SECRET),
    }
    return await Acceptor(parts).accept(parts.in_force.current.hooks["gitea"], headers, body)


async def create(parts: Parts, number: int) -> Saved:
    return await send(parts, "create", {"ref": "main", "ref_type": "branch", "sha": commit(number)})


async def push(parts: Parts, before: int | None, after: int) -> Saved:
    payload = {
        "ref": MAIN,
        "before": ZERO if before is None else commit(before),
        "after": commit(after),
        "total_commits": 1,
        "commits": [{"added": [], "modified": ["a/x"], "removed": []}],
    }
    return await send(parts, "push", payload)


def affected(saved: Saved) -> list[str]:
    (item,) = saved.plans
    return [match.layer for match in item.plan.matches if match.is_affected]


@pytest.mark.parametrize("order", [(create, push), (push, create)])
async def test_a_new_branch_calls_its_layers_once_and_the_next_push_is_exact(order: Any) -> None:
    parts = await make_parts()
    told = [
        await create(parts, 1) if send_one is create else await push(parts, None, 1)
        for send_one in order
    ]
    assert affected(told[0]) == ["a", "b"]
    assert affected(told[1]) == []
    assert told[1].plans[0].plan.reason.startswith("the new ref was told of before")
    assert affected(await push(parts, 1, 2)) == ["a"]


async def test_a_branch_that_is_renamed_to_the_tracked_one_calls_its_layers() -> None:
    parts = await make_parts()
    await push(parts, 8, 9)
    assert affected(await create(parts, 1)) == ["a", "b"]
    assert affected(await push(parts, 1, 2)) == ["a"]


async def test_a_create_event_that_comes_late_is_not_taken_for_the_second_one() -> None:
    parts = await make_parts()
    await push(parts, None, 1)
    await push(parts, 1, 2)
    assert affected(await create(parts, 1)) == ["a", "b"]


async def test_a_push_back_to_the_commit_planned_last_still_calls() -> None:
    parts = await make_parts()
    await push(parts, None, 1)
    assert affected(await push(parts, 5, 1)) == ["a", "b"], "the push to 5 was lost"
