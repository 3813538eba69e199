"""Gitea tells of a new branch in two events, and of a renamed one in the first of them only."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.model import Saved
from router.core.providers.interface import json_body
from router.core.verify import sign_sha256
from router.flow.accept import Acceptor
from router.flow.parts import Parts
from tests.builders import MAIN, SECRET, URL, ZERO, commit, make_repository, make_routing
from tests.flow.making import parts_of


async def make_parts(ref: str = MAIN) -> Parts:
    entry = make_repository(
        {"a": ["a/"], "b": ["b/"]}, hook="gitea", ref=ref, force_pushes="impossible"
    )
    return await parts_of(make_routing(entry, provider="gitea", generation=1))


async def send(parts: Parts, event: str, payload: dict[str, Any]) -> Saved:
    body = json_body(payload | {"repository": {"clone_url": f"{URL}.git"}})
    headers = {
        "content-type": "application/json",
        "x-gitea-event": event,
        "x-gitea-signature": sign_sha256(body, secret=SECRET),
    }
    return await Acceptor(parts).accept(parts.in_force.current.hooks["gitea"], headers, body)


async def create(parts: Parts, number: int, name: str = "main") -> Saved:
    return await send(parts, "create", {"ref": name, "ref_type": "branch", "sha": commit(number)})


async def push(parts: Parts, before: int | None, after: int, ref: str = MAIN) -> Saved:
    payload = {
        "ref": ref,
        "before": ZERO if before is None else commit(before),
        "after": commit(after),
        "total_commits": 1,
        "commits": [{"added": [], "modified": ["a/x"], "removed": []}],
    }
    return await send(parts, "push", payload)


def affected(saved: Saved) -> list[str]:
    (item,) = saved.plans
    return [match.layer for match in item.plan.matches if match.is_affected]


async def test_a_new_branch_calls_its_layers_and_the_next_push_is_exact() -> None:
    """Both events do, within moments of each other, so that the calls of the second coalesce."""
    parts = await make_parts()
    assert affected(await create(parts, 1)) == ["a", "b"]
    assert affected(await push(parts, None, 1)) == ["a", "b"]
    assert affected(await push(parts, 1, 2)) == ["a"]


async def test_a_create_event_that_comes_second_leaves_the_next_push_unknown() -> None:
    parts = await make_parts()
    for number in (1, 2):
        assert affected(await push(parts, number - 1 or None, number))
        assert affected(await create(parts, 1)) == ["a", "b"]
        assert affected(await push(parts, number, number + 1)) == ["a", "b"]


async def test_a_branch_that_is_renamed_to_the_tracked_one_calls_its_layers() -> None:
    parts = await make_parts()
    await push(parts, 8, 9)
    assert affected(await create(parts, 1)) == ["a", "b"]
    assert affected(await push(parts, 1, 2)) == ["a", "b"]
    assert affected(await push(parts, 2, 3)) == ["a"]


async def test_another_new_branch_at_the_same_commit_is_not_told_of_before() -> None:
    parts = await make_parts("refs/heads/release/*")
    for name, number in (("release/1", 1), ("release/3", 2), ("release/2", 2)):
        assert affected(await create(parts, number, name)) == ["a", "b"]
        assert affected(await push(parts, None, number, f"refs/heads/{name}")) == ["a", "b"]


async def test_a_branch_made_anew_at_the_commit_planned_last_heals_what_was_lost() -> None:
    parts = await make_parts()
    await push(parts, None, 1)
    assert affected(await create(parts, 1)) == ["a", "b"], "a push to 2 was lost"
    assert affected(await push(parts, None, 1)) == ["a", "b"]


async def test_a_push_back_to_the_commit_planned_last_still_calls() -> None:
    parts = await make_parts()
    await push(parts, None, 1)
    assert affected(await push(parts, 5, 1)) == ["a", "b"], "the push to 5 was lost"


async def test_the_create_event_of_a_tag_needs_no_commit() -> None:
    saved = await send(await make_parts(), "create", {"ref": "v1", "ref_type": "tag"})
    assert (saved.delivery.status, saved.plans) == ("ignored", ())


@pytest.mark.parametrize("payload", [{"ref": ""}, {"ref": "main", "sha": ""}, {"sha": commit(1)}])
async def test_that_of_a_branch_does(payload: dict[str, str]) -> None:
    with pytest.raises(MalformedPayload):
        await send(await make_parts(), "create", {"ref_type": "branch"} | payload)
