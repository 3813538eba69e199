"""Several real processes on one database, each with a routing file, ports and clones of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import httpx

from router.demo.ports import reserve_ports
from tests.builders import commit, github_push
from tests.e2e.conftest import World, plain_client

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATHS = {
    "app1": "apps/app1/x.yaml",
    "app2": "apps/app2/x.yaml",
    "databases": "databases/x.yaml",
}
"""A path of each of the layers that are pushed to."""


async def join(world: World, name: str) -> World:
    """Another replica beside *world*; not started yet."""
    public, admin = world.stack.enter_context(reserve_ports(2))
    clients = [
        await world.stack.enter_async_context(plain_client(port)) for port in (public, admin)
    ]
    environment = world.environment | {
        "ROUTER_CONFIG": str(own_file(world, name)),
        "ROUTER_DATA_DIR": str(world.folder / f"data-{name}"),
        "ROUTER_PUBLIC_BIND": f"127.0.0.1:{public}",
        "ROUTER_ADMIN_BIND": f"127.0.0.1:{admin}",
    }
    joined = replace(
        world, environment=environment, public=clients[0], admin=clients[1], processes=[]
    )
    world.stack.push_async_callback(kill_all, joined)
    return joined


def own_file(world: World, name: str) -> Path:
    """A copy of the routing file, for a replica whose disk may lag behind."""
    file = world.folder / f"{name}.yaml"
    file.write_text((world.folder / "router.yaml").read_text())
    return file


async def kill_all(world: World) -> None:
    for process in world.processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def join_two(world: World) -> list[World]:
    """Three replicas, all of which run."""
    replicas = [world, await join(world, "second"), await join(world, "third")]
    for replica in replicas:
        await replica.start()
    await world.wait_until_idle()
    return replicas


async def generation(replica: World) -> tuple[int, bool]:
    """The number that the replica works under, and whether it is that of its own file."""
    ready = (await replica.admin.get("/readyz")).json()
    return ready["generation"], ready["routingIsCurrent"]


async def wait_for_generation(replica: World, number: int, *, is_own: bool) -> None:
    async def is_there() -> bool:
        return await generation(replica) == (number, is_own)

    await replica.wait_until(is_there)


class Pushes:
    """One push after the other, to each replica in turn; each is told until somebody accepts it."""

    def __init__(self, replicas: Sequence[World]) -> None:
        self.replicas = list(replicas)
        self.expected: dict[str, str] = {}
        """Delivery → the layer that it changes."""
        self.statuses: Counter[int] = Counter()
        self._number = 1

    async def push(self, layer: str, *paths: str) -> str:
        """The id of the delivery, which was accepted at last."""
        before, self._number = self._number, self._number + 1
        body = github_push(
            before=commit(before), after=commit(self._number), paths=paths or [PATHS[layer]]
        )
        delivery = str((await self._tell(body, f"guid-{self._number}"))["delivery"])
        self.expected[delivery] = layer
        return delivery

    async def _tell(self, body: dict[str, Any], guid: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                replica = self.replicas[0]
                self.replicas.append(self.replicas.pop(0))
                try:
                    answer = await replica.push(body, delivery=guid)
                except httpx.TransportError:
                    continue  # it is dead; the host tells another one
                self.statuses[answer.status_code] += 1
                if answer.status_code == 202:
                    found: dict[str, Any] = answer.json()
                    return found

    async def stream(self, stop: asyncio.Event) -> None:
        """Push until *stop* is set."""
        for layer in cycle(PATHS):
            if stop.is_set():
                return
            await self.push(layer)
            await asyncio.sleep(0.01)

    def unserved(self) -> dict[str, str]:
        """The deliveries that their layers were not called for."""
        world = self.replicas[0]
        called = {
            (delivery, call.name)
            for call in world.stand_in.calls
            if call.status == 200
            for delivery in call.body["deliveries"]
        }
        return {each: layer for each, layer in self.expected.items() if (each, layer) not in called}
