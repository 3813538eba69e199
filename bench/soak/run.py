"""One soak: load and faults for a while, then everything heals, and the history is judged."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from bench.soak.faults import World, faults_of, run_faults, stop
from bench.soak.fleet import Fleet
from bench.soak.history import History
from bench.soak.pushes import Writer
from bench.soak.receivers import Book, Weather, serve_cluster
from bench.soak.sender import Sender
from bench.soak.service import Service
from router.demo.ports import reserve_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.soak.databases import Database

CLUSTERS = ("prod", "edge")
POLL_SECONDS = 0.5
QUIET_POLLS = 3
"""So often in a row nothing is due and nothing under way when a soak has drained."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long, how much, and by which chance."""

    seconds: float = 90.0
    drain_seconds: float = 120.0
    per_second: float = 15.0
    """Steps of load; some of them are bursts."""
    seed: int = 1
    only: tuple[str, ...] = ()
    """Names of faults; all where there are none."""
    is_restarted: bool = False
    """Whether the service is started anew when everything has healed, which has what waits called
    at once: shorter than to wait for the longest backoff."""
    fleet: Fleet = field(default_factory=lambda: Fleet(repositories=50, layers_each=10))


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What a soak came to."""

    history: History
    faults: Mapping[str, int]
    left_out: Mapping[str, str]
    outcomes: Mapping[str, int]
    """How many calls met what."""
    drain_seconds: float


async def soak(folder: Path, database: Database, options: Options) -> Soak:
    """Run one soak in *folder*. Raises ServiceFailed when the service does not start or stop."""
    weather = Weather(random=Random(options.seed))
    book = Book(weather)
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(serve_cluster(book, options.fleet.paths(name)))
            for name in CLUSTERS
        }
        public, admin = stack.enter_context(reserve_ports(2))
        service = Service(
            folder=folder,
            config=options.fleet.write(folder, urls),
            database_url=database.url,
            public=public,
            admin=admin,
        )
        stack.push_async_callback(service.end)
        world = World(
            service=service,
            database=database,
            fleet=options.fleet,
            weather=weather,
            random=Random(options.seed + 1),
        )
        return await _run(world, book, options)


async def _run(world: World, book: Book, options: Options) -> Soak:
    faults, left_out = faults_of(world.database)
    faults = {name: fault for name, fault in faults.items() if name in (options.only or faults)}
    sender = Sender(
        fleet=options.fleet,
        writer=Writer(fleet=options.fleet, random=Random(options.seed + 2)),
        random=Random(options.seed + 3),
        port=world.service.public,
    )
    await world.service.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(sender.run(seconds=options.seconds, per_second=options.per_second))
        group.create_task(run_faults(world, faults, seconds=options.seconds))
    world.weather.is_healed = True
    began = monotonic()
    if options.is_restarted:
        await stop(world)
    is_idle = await _drain(world.service, book, options.drain_seconds)
    drained = monotonic() - began
    accepted = {push.delivery for push in sender.pushes if push.delivery is not None}
    history = History(
        pushes=tuple(sender.pushes),
        calls=tuple(book.calls),
        kills=tuple(world.service.kills),
        outages=tuple(world.outages),
        adoptions=options.fleet.repositories,
        is_idle=is_idle,
        lost=frozenset([name for name in accepted if not await world.service.has(name)]),
        strangers=book.strangers,
    )
    return Soak(
        history=history,
        faults=dict(world.counts),
        left_out=left_out,
        outcomes=dict(book.outcomes),
        drain_seconds=drained,
    )


async def _drain(service: Service, book: Book, seconds: float) -> bool:
    """Wait until nothing is due and nothing under way; whether that came in time."""
    quiet, until = 0, monotonic() + seconds
    while quiet < QUIET_POLLS and monotonic() < until:
        await asyncio.sleep(POLL_SECONDS)
        is_quiet = book.open_count == 0 and set(await service.states()) == {"idle"}
        quiet = quiet + 1 if is_quiet else 0
    return quiet >= QUIET_POLLS
