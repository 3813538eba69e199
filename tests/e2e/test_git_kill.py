"""Killed at any step between a push and its plan in git mode, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import httpx
import pytest

from tests.e2e.conftest import World
from tests.e2e.crashing import GIT_STEPS
from tests.e2e.git_process import GitProcess, make_git_process

pytestmark = pytest.mark.e2e

APP1, DATABASES = "apps/app1/kustomization.yaml", "databases/orders.yaml"


def answered(git: GitProcess, since: int) -> set[str]:
    """The layers whose receivers answered 200."""
    return {call.name for call in git.world.calls_since(since) if call.status == 200}


@pytest.mark.parametrize("step", GIT_STEPS)
async def test_a_push_in_git_mode_survives_a_kill_at(step: str, world: World) -> None:
    git = await make_git_process(world)
    await git.adopt(crash_at=step)
    before = len(world.stand_in.calls)
    told = git.change(APP1)
    accepted = None
    with suppress(httpx.TransportError):  # it may die before it can answer
        accepted = (await git.tell(told, [APP1])).json()["delivery"]
    assert await world.wait_for_exit() == -signal.SIGKILL
    missed = git.change(DATABASES)  # while nobody listens
    await world.start()
    later = (await git.tell(missed, [DATABASES])).json()
    again = (await git.tell(told, [APP1])).json()  # the host's redelivery
    assert again["duplicate"] is (step != "before_save")
    assert accepted in {None, again["delivery"]}
    for answer in (again, later):
        await git.wait_until_routed(answer["delivery"])
    await git.wait_until_planned()
    await world.wait_until_idle()
    assert answered(git, before) == {"app1", "databases"}
    assert await world.end() == 0


async def test_a_push_survives_a_kill_while_git_is_fetching_it(world: World) -> None:
    git = await make_git_process(world)
    await git.adopt()
    before = len(world.stand_in.calls)
    git.host.mishap = "hang"
    move = git.change(APP1)
    delivery = (await git.tell(move, [APP1])).json()["delivery"]
    async with asyncio.timeout(60):
        await git.host.hanging.wait()
    assert await world.end(signal.SIGKILL) == -signal.SIGKILL
    git.host.mishap = None
    await world.start()  # beside the git command that the kill has left behind
    await git.wait_until_routed(delivery)
    await world.wait_until_idle()
    assert world.served(delivery) == answered(git, before) == {"app1"}


async def test_pushes_survive_a_kill_that_takes_the_clones_along(world: World) -> None:
    git = await make_git_process(world)
    await git.adopt(crash_at="after_save")
    before = len(world.stand_in.calls)
    start = git.history.known[0]
    with pytest.raises(httpx.TransportError):
        await git.tell(git.change(APP1), [APP1])
    await world.wait_for_exit()
    for path in sorted((world.folder / "data").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    forced = git.history.commit(git.history.trees[start] | {DATABASES: "forced"}, start)
    git.history.push("refs/heads/main", forced)
    await world.start()
    await git.wait_until_planned()
    await world.wait_until_idle()
    assert answered(git, before) == {"databases"}  # the push to app1 was dropped before any call
