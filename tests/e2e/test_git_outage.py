"""The real process while its Git host cannot be read: pushes are taken, told of, and made good."""

from __future__ import annotations

import asyncio

import pytest

from router.demo.fleet import LAYERS
from router.demo.ports import reserve_ports
from tests.builders import commit, github_push
from tests.e2e.conftest import World
from tests.e2e.git_process import make_git_process

pytestmark = pytest.mark.e2e

APP1 = "apps/app1/kustomization.yaml"


async def test_refused_credentials_are_told_and_the_payload_counts_meanwhile(world: World) -> None:
    git = await make_git_process(world)
    await git.adopt()
    users, git.host.users = git.host.users, {"git": "another"}
    answer = await git.tell(git.change(APP1), [APP1])
    assert answer.status_code == 202
    assert answer.json()["updates"][0]["status"] == "accepted"
    story = await git.wait_until_routed(answer.json()["delivery"])
    (plan,) = story["plans"]
    assert plan["knowledge"] == "payload"
    assert "the username or token was refused" in plan["reason"]
    assert await git.troubles() == {"fleet": "the username or token was refused"}
    await world.wait_until_idle()
    assert world.served(answer.json()["delivery"]) == {"app1"}
    git.host.users = users
    before = len(world.stand_in.calls)
    await git.wait_until_planned()
    await git.wait_until_readable()
    await world.wait_until_idle()
    assert {call.name for call in world.calls_since(before)} == {"app1"}
    assert "canary-git-token" not in world.log()


async def test_a_host_that_hangs_keeps_no_push_waiting(world: World) -> None:
    git = await make_git_process(world)
    await git.adopt(ROUTER_GIT_DEADLINE="1")
    git.host.mishap = "hang"
    deliveries = []
    for path in (APP1, "databases/orders.yaml"):
        answer = await git.tell(git.change(path), [path], forced=True)
        assert answer.status_code == 202
        deliveries.append(answer.json()["delivery"])
        async with asyncio.timeout(60):
            await git.host.hanging.wait()  # the second one is answered while git waits
    for delivery in deliveries:
        await git.wait_until_routed(delivery)
    assert "took longer than 1 s" in (await git.troubles())["fleet"]
    await world.wait_until_idle()
    assert set().union(*(world.served(delivery) for delivery in deliveries)) == set(LAYERS)
    git.host.mishap = None
    await git.wait_until_planned()
    await git.wait_until_readable()


OTHER = """\
  - name: other
    hook: github
    url: https://github.com/acme/other
    ref: main
    layers:
      - name: other
        paths: [other/]
        receiver: {name: app1, token: {file: secrets/receivers/app1}}
"""


async def test_a_host_that_hangs_keeps_no_other_repository_and_no_receiver_waiting(
    world: World,
) -> None:
    git = await make_git_process(world)
    with (world.folder / "router.yaml").open("a") as file:
        file.write(OTHER)
    await git.adopt()
    git.host.mishap = "hang"
    waiting = (await git.tell(git.change(APP1), [APP1])).json()["delivery"]
    async with asyncio.timeout(60):
        await git.host.hanging.wait()
    for number in range(10):
        push = github_push(
            before=commit(number),
            after=commit(number + 1),
            paths=["other/x"],
            url="https://github.com/acme/other",
        )
        answer = await world.push(push, delivery=f"other-{number}")
        assert answer.status_code == 202

        async def is_served(delivery: str = answer.json()["delivery"]) -> bool:
            return world.served(delivery) == {"app1"}

        await world.wait_until(is_served)
    assert (await git.story(waiting))["status"] == "accepted"  # it hangs still
    git.host.mishap = None


async def test_a_host_that_is_down_at_the_first_start_holds_nothing_up(world: World) -> None:
    (port,) = world.stack.enter_context(reserve_ports(1))
    git = await make_git_process(world, port=port)
    await git.adopt()  # every layer, since nobody knows where they stand
    assert await git.troubles() == {"fleet": "the connection was refused"}
    await git.start_host()
    await git.wait_until_readable()
    await world.stand_in.wait_for_calls(2 * len(LAYERS))
    before = len(world.stand_in.calls)
    delivery = (await git.tell(git.change(APP1), [])).json()["delivery"]
    await git.wait_until_routed(delivery)
    await world.wait_until_idle()
    assert {call.name for call in world.calls_since(before)} == {"app1"}
