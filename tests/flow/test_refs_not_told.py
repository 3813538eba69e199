"""Deliveries that say that something moved, and not which refs: all that may have is looked at."""

from __future__ import annotations

import pytest

from router.core.model import Delivery, Saved
from router.core.push import NOT_TOLD, Push
from router.core.routing import Hook
from router.flow.accept import plan_push
from tests.builders import MAIN, make_repository, make_routing
from tests.flow.git_mode import FALLBACK_SECONDS, GitMode, git_entry, start_git_mode

WHY = "the subscription leaves out which refs moved"
ANY = Push(repository_urls=(), updates=(), delivery_id=None, refs_not_told=WHY)
HOOK = Hook(name="github", provider="github")

PAYLOAD = make_repository({"a": ["a"], "b": ["b"]}, name="payload", ref="refs/heads/payload")
OTHER = make_repository({"c": ["c"]}, name="other", url="https://github.com/acme/other")
ELSEWHERE = make_repository({"d": ["d"]}, name="elsewhere", hook="elsewhere")


async def test_payload_mode_wants_every_layer_and_moves_no_cursor() -> None:
    routing = make_routing(PAYLOAD, OTHER, ELSEWHERE)
    planned = await plan_push(routing, HOOK, ANY)
    assert (planned.status, planned.reason) == ("routed", "")
    plans = [intent.decide(None) for intent in planned.intents]  # type: ignore[arg-type]
    assert [(plan.repository, plan.knowledge, plan.reason) for plan in plans if plan] == [
        ("payload", "unknown", WHY),
        ("other", "unknown", WHY),
    ]
    assert [match.layer for plan in plans if plan for match in plan.matches] == ["a", "b", "c"]
    assert all(intent.tracked is None for intent in planned.intents)


async def test_only_the_repository_that_is_named_is_meant() -> None:
    routing = make_routing(PAYLOAD, OTHER)
    named = Push(repository_urls=(OTHER.url,), updates=(), delivery_id=None, refs_not_told=WHY)
    planned = await plan_push(routing, HOOK, named)
    assert [record.repository for record in planned.records] == ["other"]
    unknown = Push(
        repository_urls=("https://x/y",), updates=(), delivery_id=None, refs_not_told=WHY
    )
    assert (await plan_push(routing, HOOK, unknown)).status == "ignored"


async def tell(git_mode: GitMode) -> Saved:
    """Save a delivery that tells no ref, as accepting one does."""
    parts = git_mode.parts
    planned = await plan_push(parts.in_force.current, HOOK, ANY)
    (record,) = planned.records
    assert (planned.status, record.after, planned.intents) == ("accepted", NOT_TOLD, ())
    delivery = Delivery(
        id=parts.clock.new_id(),
        origin="webhook",
        received_at=parts.clock.now(),
        status=planned.status,
        hook=HOOK.name,
        updates=planned.records,
    )
    generation = parts.in_force.current.generation
    return await parts.store.save_delivery(delivery, planned.intents, generation=generation)


@pytest.mark.parametrize("ref", [MAIN, "refs/heads/m*"])
async def test_git_mode_looks_once_and_calls_what_has_changed(ref: str) -> None:
    git_mode = await start_git_mode(git_entry(ref=ref))
    await git_mode.push("a/x")
    await git_mode.called()
    git_mode.change("b/x")
    saved = await tell(git_mode)
    assert await git_mode.look() is False
    assert await git_mode.called() == {"b"}
    assert (await git_mode.status(saved))[0] == "routed"
    again = await tell(git_mode)
    assert await git_mode.look() is False
    assert await git_mode.called() == set()
    status, reason = await git_mode.status(again)
    assert (status, "nothing is left to plan" in reason) == ("routed", True)


async def test_a_host_that_cannot_be_read_leaves_every_layer_wanted_and_then_compares() -> None:
    git_mode = await start_git_mode(git_entry())
    await git_mode.push("a/x")
    await git_mode.called()
    git_mode.host.trouble = "the host is away"
    saved = await tell(git_mode)
    while await git_mode.look():
        git_mode.clock.advance(FALLBACK_SECONDS)
    assert await git_mode.called() == {"a", "b", "c"}
    assert "the host is away" in (await git_mode.status(saved))[1]
    git_mode.host.trouble = None
    before, after = git_mode.change("b/x")
    await git_mode.tell(before, after, "b/x")
    assert await git_mode.look() is False
    assert await git_mode.called() == {"a", "b", "c"}  # what they were told of is not known
    await git_mode.push("c/x")
    assert await git_mode.called() == {"c"}
