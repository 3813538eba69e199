"""The real process when something beside it is slow: the store, receivers, a cluster."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from router.flow.accept import MAX_UNSAVED_DELIVERIES
from tests.builders import commit, github_push, github_request
from tests.e2e.conftest import PATIENCE_SECONDS, World
from tests.edge.wire import Answer, address_of, head, read_answer

pytestmark = pytest.mark.e2e

PUSHES = 5_000
CONNECTIONS = MAX_UNSAVED_DELIVERIES + 400
BODY_BYTES = 32 * 1024
PATHS = 100
MAX_GROWTH_MIB = 200
"""For 2,000 pushes of 32 KiB and 100 paths, read and not saved, and for their connections; 5,000
would take more."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of each connection are open files, and a shell may allow as few as 1,024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """Connections that send pushes, each its next one as soon as the one before was answered."""

    def __init__(self, world: World, count: int) -> None:
        paths = [f"apps/app{number % 9}/part-{number:03}.yaml" for number in range(PATHS)]
        payload = github_push(before=commit(9), paths=paths)
        payload["padding"] = "x" * (BODY_BYTES - len(json.dumps(payload)))
        self._headers, self._body = github_request(payload, secret=world.secret)
        self._address = address_of(world)
        self._numbers = iter(range(count))
        self._opening = asyncio.Semaphore(50)
        self._changed = asyncio.Condition()
        self.answers: list[Answer] = []

    async def send(self) -> None:
        async with self._opening:
            reader, writer = await asyncio.open_connection(*self._address)
            await self._write(writer)
        while True:
            self.answers.append(await read_answer(reader))
            async with self._changed:
                self._changed.notify_all()
            if not await self._write(writer):
                break
        writer.close()

    async def _write(self, writer: asyncio.StreamWriter) -> bool:
        """Write the next push, if one is left."""
        number = next(self._numbers, None)
        if number is None:
            return False
        headers = {**self._headers, "x-github-delivery": f"crowd-{number}"}
        headers["content-length"] = str(len(self._body))
        writer.write(head("POST /hooks/github HTTP/1.1", *headers.items()) + self._body)
        await writer.drain()
        return True

    async def wait_for_answers(self, count: int) -> Sequence[Answer]:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.answers) >= count)
        return list(self.answers)


def memory_mib(pid: int) -> float:
    """What the process has in memory."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() / 1024**2


@pytest.mark.usefixtures("many_files")
async def test_a_store_that_hangs_bounds_what_waits_and_recovers(world: World) -> None:
    await world.start()
    await world.push(github_push(before=commit(8), after=commit(9)), delivery="first")
    await world.wait_until_idle()
    before = memory_mib(world.processes[-1].pid)
    shell = sqlite3.connect(world.folder / "router.db", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")  # nobody else can write any more
    crowd = Crowd(world, PUSHES)
    sending = [asyncio.create_task(crowd.send()) for _ in range(CONNECTIONS)]
    refused = await crowd.wait_for_answers(PUSHES - MAX_UNSAVED_DELIVERIES)
    growth = memory_mib(world.processes[-1].pid) - before
    shell.execute("ROLLBACK")
    shell.close()
    await asyncio.gather(*sending)

    assert {answer.status for answer in refused} == {503}
    assert "overloaded" in {answer.error for answer in refused}
    assert {answer.headers["retry-after"] for answer in refused} == {"5"}
    assert growth < MAX_GROWTH_MIB
    statuses = Counter(answer.status for answer in crowd.answers)
    assert statuses.keys() == {202, 503}
    assert statuses.total() == PUSHES
    assert (await world.push(github_push(), delivery="after")).status_code == 202
    assert count_saved(world) == statuses[202]
    metrics = (await world.admin.get("/metrics")).text
    assert 'flux_router_deliveries_total{hook="github",outcome="overloaded"}' in metrics


def count_saved(world: World) -> int:
    with sqlite3.connect(world.folder / "router.db") as database:
        rows = database.execute("SELECT provider_delivery_id FROM deliveries").fetchall()
    database.close()
    return sum(1 for (found,) in rows if found and found.startswith(b"crowd-"))


async def test_receivers_that_hang_hold_up_neither_pushes_nor_other_receivers(
    world: World,
) -> None:
    await world.start(ROUTER_CALL_DEADLINE="60", ROUTER_CLUSTER_CONCURRENCY="4")
    await world.push(github_push(before=commit(9), after=commit(1)), delivery="first")
    await world.wait_until_idle()
    hanging = ("app1", "app2", "databases")
    for number, name in enumerate(hanging, start=1):
        world.stand_in.hang(name)
        folder = "databases" if name == "databases" else f"apps/{name}"
        push = github_push(
            before=commit(number), after=commit(number + 1), paths=[f"{folder}/a.yaml"]
        )
        assert (await world.push(push, delivery=name)).status_code == 202
        async with asyncio.timeout(PATIENCE_SECONDS):
            await world.stand_in.wait_for_hanging(name)
    for number in range(4, 24):
        push = github_push(
            before=commit(number), after=commit(number + 1), paths=["apps/app3/a.yaml"]
        )
        answer = await world.push(push, delivery=f"other-{number}")

        async def is_served(delivery: str = answer.json()["delivery"]) -> bool:
            return world.served(delivery) == {"app3"}

        await world.wait_until(is_served)
    assert sorted(world.stand_in.hanging) == sorted(hanging)  # each of them by one call, all along


async def test_a_cluster_that_hangs_holds_up_neither_pushes_nor_other_clusters(
    world: World,
) -> None:
    calls: list[asyncio.StreamWriter] = []
    begun = asyncio.Event()

    async def never_answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)
        begun.set()

    async with await asyncio.start_server(never_answer, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        file = world.folder / "router.yaml"
        file.write_text(with_second_cluster(file.read_text(), f"http://127.0.0.1:{port}"))
        await world.start(ROUTER_CALL_DEADLINE="60", ROUTER_CLUSTER_CONCURRENCY="2")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun.wait()
        for number in range(1, 21):
            push = github_push(before=commit(number), after=commit(number + 1))
            answer = await world.push(push, delivery=f"push-{number}")
            assert answer.status_code == 202

            async def is_served(delivery: str = answer.json()["delivery"]) -> bool:
                return "app1" in world.served(delivery)

            await world.wait_until(is_served)
        assert len(calls) <= 2  # as many as a cluster may have, and none has ended
        for writer in calls:
            writer.close()


def with_second_cluster(text: str, url: str) -> str:
    """The routing file with a cluster named `dark` beside its own, for every layer."""
    top, clusters, rest = text.partition("clusters:\n")
    own = rest.partition("repositories:")[0]
    name, address = (own.partition(key)[2].split()[0] for key in ("name: ", "url: "))
    return top + clusters + own.replace(name, "dark").replace(address, url) + rest
