"""Killed at any step between a push and its recorded calls, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from tests.builders import commit, github_push
from tests.e2e.conftest import ALL_LAYERS, World
from tests.e2e.crashing import STEPS

pytestmark = pytest.mark.e2e


async def settle(world: World) -> None:
    """Adoptions and the first push call every layer; what follows is about one exact push."""
    await world.start()
    await world.push(github_push(before=commit(9), after=commit(1)), delivery="first")
    await world.wait_until_idle()
    assert await world.end() == 0


async def push_until_killed(world: World) -> str | None:
    """Push; returns our delivery id when the answer arrived before the process died."""
    try:
        answer = await world.push(github_push())
    except httpx.TransportError:
        answer = None
    assert await world.wait_for_exit() == -signal.SIGKILL
    return str(answer.json()["delivery"]) if answer is not None else None


@pytest.mark.parametrize("step", STEPS)
async def test_a_push_survives_a_kill_at(step: str, world: World) -> None:
    await settle(world)
    await world.start(crash_at=step)
    delivery = await push_until_killed(world)
    await world.start()
    again = (await world.push(github_push())).json()  # the host's redelivery
    assert again["duplicate"] is (step != "before_save")
    assert delivery in {None, again["delivery"]}
    await world.wait_until_idle()
    assert world.served(again["delivery"]) == {"app1"}
    assert await world.end() == 0


async def test_a_push_survives_a_kill_while_its_receiver_is_called(world: World) -> None:
    await settle(world)
    world.stand_in.hang("app1")
    await world.start()
    delivery = (await world.push(github_push())).json()["delivery"]
    async with asyncio.timeout(60):
        await world.stand_in.wait_for_hanging("app1")
    assert await world.end(signal.SIGKILL) == -signal.SIGKILL
    world.stand_in.release("app1")
    await world.start()
    await world.wait_until_idle()
    assert world.served(delivery) == {"app1"}


async def test_a_first_push_survives_a_kill_with_all_its_layers(world: World) -> None:
    await world.start(crash_at="after_claim")
    delivery = await push_until_killed(world)
    await world.start()
    again = (await world.push(github_push())).json()
    assert delivery in {None, again["delivery"]}
    await world.wait_until_idle()
    assert world.served(again["delivery"]) == ALL_LAYERS
