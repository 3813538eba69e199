"""Three replicas on one PostgreSQL database: any accepts, any calls, and none is missed."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.e2e.git_process import make_git_process
from tests.e2e.replicas import Pushes, join, join_two, wait_for_generation
from tests.e2e.test_git_kill import APP1, DATABASES, answered

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl
    from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e


@pytest.fixture
def database_url(new_schema: DatabaseUrl) -> str:
    return new_schema.text


async def rows(url: DatabaseUrl, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url.text)
    found = [tuple(row) for row in await connection.fetch(sql)]
    await connection.close()
    return found


async def test_what_any_replica_accepted_is_called_when_one_is_killed_among_calls(
    world: World,
) -> None:
    replicas = await join_two(world)
    pushes = Pushes(replicas)
    await pushes.push("databases")
    await world.wait_until_idle()
    world.stand_in.hang("app1", seconds=0.3)
    stop = asyncio.Event()
    streaming = asyncio.create_task(pushes.stream(stop))
    for victim in replicas[1:]:
        async with asyncio.timeout(60):
            await world.stand_in.wait_for_hanging("app1")
        assert await victim.end(signal.SIGKILL) == -signal.SIGKILL
        await victim.start()
    stop.set()
    await streaming
    await world.wait_until_idle()
    assert len(pushes.expected) > 30
    assert pushes.unserved() == {}
    assert world.stand_in.most_at_once == 1
    assert set(pushes.statuses) == {202}


async def test_a_look_is_one_replica_s_and_moves_to_another_one_when_it_dies(
    world: World,
) -> None:
    git = await make_git_process(world)
    await git.adopt()
    replicas = [await join(world, name) for name in ("second", "third")]
    for replica in replicas:
        await replica.start()
    git.host.mishap = "hang"
    move = git.change(APP1)
    delivery = (await git.tell(move, [APP1])).json()["delivery"]
    async with asyncio.timeout(60):
        await git.host.hanging.wait()
    fetches = count_packs(git.host.requests)
    await asyncio.sleep(3)  # the others look for what waits each second
    assert count_packs(git.host.requests) == fetches
    assert await world.end(signal.SIGKILL) == -signal.SIGKILL
    git.host.mishap = None
    world.public, world.admin = replicas[0].public, replicas[0].admin
    story = await git.wait_until_routed(delivery)
    assert story["plans"][0]["knowledge"] == "exact"
    await world.wait_until_idle()
    assert world.served(delivery) == {"app1"}
    before = len(world.stand_in.calls)
    later = (await git.tell(git.change(DATABASES), [DATABASES])).json()["delivery"]
    await git.wait_until_routed(later)
    await world.wait_until_idle()
    # A sweep that was due meanwhile may have seen the change before its webhook came.
    assert answered(git, before) == {"databases"}


def count_packs(requests: list[str]) -> int:
    return sum(request.startswith("POST") for request in requests)


async def test_replicas_roll_from_one_file_to_the_next_under_load(
    world: World, new_schema: DatabaseUrl
) -> None:
    replicas = await join_two(world)
    pushes = Pushes(replicas)
    await pushes.push("databases")
    await world.wait_until_idle()
    stop = asyncio.Event()
    streaming = asyncio.create_task(pushes.stream(stop))
    files = [world.folder / f"{name}.yaml" for name in ("router", "second", "third")]
    text = files[0].read_text().replace('"apps/app1/"', '"apps/app1/", "apps/one/"')
    files[0].write_text(text)
    await wait_for_generation(replicas[0], 2, is_own=True)
    for replica in replicas[1:]:
        await wait_for_generation(replica, 2, is_own=False)
    assert await replicas[2].end() == 0
    await replicas[2].start()  # with the old file on its disk
    await wait_for_generation(replicas[2], 2, is_own=False)
    for replica, file in zip(replicas[1:], files[1:], strict=True):
        file.write_text(text)
        await wait_for_generation(replica, 2, is_own=True)
    stop.set()
    await streaming
    for _ in replicas:
        await pushes.push("app1", "apps/one/x.yaml")
    await world.wait_until_idle()
    assert pushes.unserved() == {}
    assert set(pushes.statuses) <= {202}
    numbers = await rows(
        new_schema, "SELECT generation FROM plans WHERE ref_id > 0 ORDER BY sequence"
    )
    assert numbers == sorted(numbers)
    assert set(numbers) == {(1,), (2,)}
    assert await rows(new_schema, "SELECT number FROM generations ORDER BY 1") == [(1,), (2,)]
    adopted = await rows(
        new_schema,
        "SELECT w.layer FROM deliveries d JOIN plans p ON p.delivery = d.position"
        " JOIN wants w ON w.plan = p.id WHERE d.origin = 'adoption' AND p.generation = 2",
    )
    assert adopted == [("app1",)]


async def test_replicas_that_all_restart_with_an_older_file_bring_it_back(world: World) -> None:
    """As after `kubectl rollout undo`, with a ConfigMap for each version of the file."""
    old = await join(world, "second")
    await world.start()
    file = world.folder / "router.yaml"
    file.write_text(file.read_text().replace('"apps/app1/"', '"apps/one/"'))
    await wait_for_generation(world, 2, is_own=True)
    await old.start()
    await wait_for_generation(old, 2, is_own=False)
    assert await world.end() == 0
    await wait_for_generation(old, 3, is_own=True)
