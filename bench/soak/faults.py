"""What goes wrong in a soak, one thing after the other, by a seeded plan."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from bench.soak.databases import SqliteDatabase
from bench.soak.history import Window
from bench.soak.receivers import TROUBLES, choose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from random import Random

    from bench.soak.databases import Database
    from bench.soak.fleet import Fleet
    from bench.soak.receivers import Weather
    from bench.soak.service import Service

GAP_SECONDS = 3.0
"""About so much time is between the starts of two faults."""

TROUBLE_SECONDS = (1.0, 3.0)
"""How long receivers, a disk or a database are in trouble; a database hangs for well less than the
five seconds that the service waits for SQLite's lock."""

DOWN_SECONDS = (0.0, 1.0)
"""How long nothing runs between an end of the service and its next start."""

TROUBLED_SHARE = 0.2
"""So many of the receivers are in trouble at once."""

JUMPS_SECONDS = (5.0, 60.0, 3_600.0, 86_400.0)
"""How far the wall clock jumps."""


@dataclass(kw_only=True)
class World:
    """All that can be hurt."""

    service: Service
    database: Database
    fleet: Fleet
    weather: Weather
    random: Random
    outages: list[Window] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def pause(self, seconds: tuple[float, float]) -> None:
        await asyncio.sleep(self.random.uniform(*seconds))

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """The store cannot be written within this block."""
        began_at = monotonic()
        try:
            yield
        finally:
            self.outages.append(Window(began_at=began_at, ended_at=monotonic()))

    @asynccontextmanager
    async def trouble(self, receivers: Sequence[str]) -> AsyncIterator[None]:
        """The receivers misbehave within this block, each in its own way."""
        self.weather.troubles |= {key: self.random.choice(TROUBLES) for key in receivers}
        try:
            yield
        finally:
            self.weather.troubles.clear()

    def receivers(self, cluster: str = "") -> Sequence[str]:
        keys = frozenset[str]().union(*self.fleet.receivers.values())
        return sorted(key for key in keys if key.startswith(cluster))


Fault: TypeAlias = "Callable[[World], Awaitable[None]]"


async def kill(world: World) -> None:
    await world.service.kill()
    await world.pause(DOWN_SECONDS)
    await world.service.start()


async def stop(world: World) -> None:
    await world.service.stop()
    await world.pause(DOWN_SECONDS)
    await world.service.start()


async def trouble_receivers(world: World) -> None:
    keys = choose(world.random, world.receivers(), TROUBLED_SHARE)
    async with world.trouble(keys):
        await world.pause(TROUBLE_SECONDS)


async def trouble_cluster(world: World) -> None:
    async with world.trouble(world.receivers(world.random.choice(("prod/", "edge/")))):
        await world.pause(TROUBLE_SECONDS)


async def fill_disk(world: World) -> None:
    """No file of the process may be written, wherever in it, by a limit on their size."""
    pid = world.service.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    async with world.outage():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        await world.pause(TROUBLE_SECONDS)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def hold_database(world: World) -> None:
    """Writes wait, and none of them fails: this explains no call that is repeated."""
    await world.database.hold()
    await world.pause(TROUBLE_SECONDS)
    await world.database.release()


async def restart_database(world: World) -> None:
    async with world.outage():
        await world.database.stop()
        await world.pause(DOWN_SECONDS)
        await world.database.start()
        await world.service.wait_until_ready()


async def jump_ahead(world: World) -> None:
    world.service.offset.seconds += world.random.choice(JUMPS_SECONDS)


async def jump_back(world: World) -> None:
    world.service.offset.seconds -= world.random.choice(JUMPS_SECONDS)


HOW = {
    "database hangs": "locking the SQLite file, or stopping the server's processes (SIGSTOP)",
    "disk full": "a limit of 0 bytes on the size of every file the process writes (prlimit)",
    "clock jumps": "moving the clock inside the process, and Python's time.time",
}
"""How faults are made that could be made in several ways."""


def faults_of(database: Database) -> tuple[Mapping[str, Fault], Mapping[str, str]]:
    """The faults that this machine and this database can have; and, of the others, why not."""
    faults: dict[str, Fault] = {
        "killed": kill,
        "stopped": stop,
        "receivers in trouble": trouble_receivers,
        "cluster in trouble": trouble_cluster,
        "clock jumps ahead": jump_ahead,
        "clock jumps back": jump_back,
    }
    left_out: dict[str, str] = {}
    is_linux = sys.platform == "linux"
    if isinstance(database, SqliteDatabase):
        faults["database hangs"] = hold_database
        left_out["database restarted"] = "SQLite has no server"
        if is_linux:
            faults["disk full"] = fill_disk
        else:
            left_out["disk full"] = "it takes prlimit(2), which only Linux has"
        return faults, left_out
    faults["database restarted"] = restart_database
    left_out["disk full"] = "the router itself writes no file there"
    if is_linux:
        faults["database hangs"] = hold_database
    else:
        left_out["database hangs"] = "it takes Linux's /proc to find the server's processes"
    return faults, left_out


def plan_faults(names: Sequence[str], *, seconds: float, random: Random) -> Sequence[str]:
    """Each of *names* once, in any order, then more of them as far as there is time."""
    more = max(0, int(seconds / GAP_SECONDS) - len(names))
    return [*random.sample(names, len(names)), *random.choices(names, k=more)]


async def run_faults(world: World, faults: Mapping[str, Fault], *, seconds: float) -> None:
    """Have everything go wrong for about so long."""
    names = plan_faults(list(faults), seconds=seconds, random=world.random)
    start = monotonic()
    for number, name in enumerate(names):
        await asyncio.sleep(max(0.0, start + (number + 0.5) * seconds / len(names) - monotonic()))
        world.counts[name] += 1
        await faults[name](world)
