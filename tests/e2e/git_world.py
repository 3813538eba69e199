"""Git mode in one process over its real parts: SQLite, clones, a repository; Flux is a model.

Looks, sweeps, calls and the clock are moved by hand, so that a test decides what comes when.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from router.core.model import Attempt
from router.core.plan import tracked_ref
from router.flow.accept import Acceptor
from router.flow.observe import FALLBACK_SECONDS, RefObserver
from router.flow.parts import Parts
from router.flow.reload import Reloader
from router.flow.sweep import Sweeper
from router.remote.git.clones import GitClones
from router.store.sqlite.store import SqliteStore
from tests.builders import github_push, github_request, make_routing
from tests.e2e.git_flux import Flux
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.receivers import FakeReceivers
from tests.fakes.source import FakeSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.model import Claim, DeliveryStory, RefState, Saved
    from router.core.routing import Repository, Routing
    from router.ports.git import Git
    from router.ports.store import Store
    from tests.e2e.git_history import History, Move

LEASE_SECONDS = 20.0
LONG_SECONDS = 400.0
"""More than a sweep's interval, a lease, and the time in which a commit must become visible."""

MAX_ROUNDS = 10
"""Of sweeps and looks, after which a service that comes to no rest has failed."""


class Killed(BaseException):
    """The process has died, here and now."""


@dataclass
class Fuse:
    """Where the process is to die: at which method of the store or of git, before or after it."""

    method: str = ""
    is_after: bool = False


class Mortal:
    """A store or git, up to the method at which the process is to die."""

    def __init__(self, part: object, fuse: Fuse) -> None:
        self._part = part
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name != self._fuse.method:
            return method

        async def die(*args: Any, **kwargs: Any) -> None:
            if self._fuse.is_after:
                await method(*args, **kwargs)
            raise Killed(name)

        return die


@dataclass
class GitWorld:
    """Everything that plans, joined as the service joins it, and what is around it."""

    folder: Path
    history: History
    source: FakeSource
    stack: AsyncExitStack
    clock: FakeClock = field(default_factory=FakeClock)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    fuse: Fuse = field(default_factory=Fuse)
    hinted: set[str] = field(default_factory=set)
    """Entries to look at."""
    seen: dict[str, int] = field(default_factory=dict)
    """The wanted numbers that `wanted` has told of."""
    _lives: int = 0
    _deliveries: int = 0

    def __post_init__(self) -> None:
        self.flux = Flux(self.history)

    @property
    def database(self) -> Path:
        return self.folder / f"router-{self._lives}.db"

    @property
    def clones(self) -> Path:
        return self.folder / "clones"

    @property
    def routing(self) -> Routing:
        return self.parts.in_force.current

    async def start(self) -> None:
        """Build the service on what is on disk."""
        store = await SqliteStore.open(self.database, clock=self.clock)
        self.stack.push_async_callback(store.close)
        git = GitClones(
            self.clones, clock=self.clock, deadline_seconds=60, concurrency=4, limit_bytes=1 << 30
        )
        self.store = cast("Store", Mortal(store, self.fuse))
        self.reloader = Reloader(
            replica="us",
            source=self.source,
            store=self.store,
            client=FakeReceivers(self.clock),
            clock=self.clock,
            observer=self.observer,
            interval_seconds=60,
        )
        self.parts = Parts(
            replica="us",
            store=self.store,
            in_force=await self.reloader.start(),
            clock=self.clock,
            observer=self.observer,
            wake=lambda: None,
        )
        mortal = cast("Git", Mortal(git, self.fuse))
        self.refs = RefObserver(self.parts, mortal, first_pause_seconds=0)
        self.sweeper = Sweeper(self.parts, mortal, self.refs)
        self.hinted = set(await store.waiting_repositories())
        self.stack.enter_context(
            self.parts.hints.heard_by(lambda name, _is_kept: self.hinted.add(name))
        )

    async def restart(self) -> None:
        """Drop the service as a kill does, and start another on the disk as it is."""
        self.fuse.method = ""
        old = self.database
        self._lives += 1
        for suffix in ("", "-wal"):
            if Path(f"{old}{suffix}").exists():
                shutil.copy(f"{old}{suffix}", f"{self.database}{suffix}")
        await self.start()

    async def tell(self, move: Move, *, delivery: str = "", **fields: Any) -> Saved:
        """Deliver the webhook of a push as GitHub sends it."""
        self._deliveries += 1
        is_moved = {move.before, move.after} <= self.history.trees.keys()
        paths = self.history.changed(move.before, move.after) if is_moved else []
        paths = [os.fsencode(path).decode("utf-8", "replace") for path in paths]
        body = github_push(
            before=move.before,
            after=move.after,
            ref=move.ref,
            **{"paths": paths, "forced": self.history.is_forced(move), **fields},
        )
        headers, content = github_request(body, delivery=delivery or f"guid-{self._deliveries}")
        hook = self.routing.hooks["github"]
        return await Acceptor(self.parts).accept(hook, headers, content)

    async def look(self) -> None:
        """Look once wherever something is heard of."""
        for name in sorted(self.hinted):
            self.hinted.discard(name)
            if await self.refs.look(name):
                self.hinted.add(name)

    async def outwait(self) -> None:
        """Look as often as it takes for what waits to be planned without its host."""
        await self.look()
        self.clock.advance(FALLBACK_SECONDS)
        await self.look()

    async def push(self, move: Move, **fields: Any) -> Saved:
        """Deliver a push's webhook and look."""
        saved = await self.tell(move, **fields)
        await self.look()
        return saved

    async def sweep(self) -> None:
        """Sweep what is due by now, and look where that hints."""
        await self.sweeper.sweep_due()
        await self.look()

    async def settle(self) -> None:
        """Let time pass until nothing is left to find, to plan or to call."""
        for _ in range(MAX_ROUNDS):
            self.clock.advance(LONG_SECONDS)
            await self.sweep()
            await self.dispatch()
            if not self.hinted:
                return
        raise AssertionError(f"{sorted(self.hinted)} come to no rest")

    async def dispatch(self) -> None:
        """Call every receiver that is due; Flux always answers 200."""
        clusters = {"prod": 100}
        while True:
            claimed = await self.store.claim_due(
                clusters,
                limit=100,
                owner="me",
                lease_seconds=LEASE_SECONDS,
                generation=self.routing.generation,
            )
            if not claimed.claims:
                return
            for claim in claimed.claims:
                await self._call(claim)

    async def _call(self, claim: Claim) -> None:
        layer = claim.receiver.rsplit("/", 1)[1]
        entry = self.routing.entry(self.routing.layers[layer].repository)
        assert entry is not None
        state = await self.state(entry)
        self.flux.notify(layer, entry.ref, known=frozenset({state.cursor, state.told}))
        attempt = Attempt(
            receiver=claim.receiver,
            wanted=claim.wanted,
            started_at=self.clock.now(),
            duration_seconds=0,
            outcome="notified",
            status=200,
        )
        await self.store.record_attempt(attempt, owner="me", retry_seconds=None)

    async def reload(self, *entries: Repository) -> None:
        """Bring a routing file with these entries into force."""
        self.source.text = use_file(self.source, *entries)
        await self.reloader.reload(self.parts.in_force)

    async def state(self, entry: Repository) -> RefState:
        return await self.store.ref_state(tracked_ref(entry))

    async def stories(self) -> list[DeliveryStory]:
        """Every delivery, oldest first."""
        return [*reversed(await self.store.deliveries(limit=10_000))]

    async def story(self, saved: Saved) -> DeliveryStory:
        story = await self.store.delivery(saved.delivery.id)
        assert story is not None
        return story

    async def wanted(self) -> set[str]:
        """The layers whose receivers were wanted since this was asked last."""
        statuses = await self.store.receivers()
        news = {
            status.receiver.rsplit("/", 1)[1]
            for status in statuses
            if status.wanted > self.seen.get(status.receiver, 0)
        }
        self.seen = {status.receiver: status.wanted for status in statuses}
        return news


def use_file(source: FakeSource, *entries: Repository) -> str:
    """Name a routing file with *entries*; equal ones have one name."""
    routing = make_routing(*entries)
    source.files[routing.digest] = routing
    return routing.digest


@asynccontextmanager
async def git_world(
    folder: Path, history: History, *entries: Repository
) -> AsyncIterator[GitWorld]:
    """A service that has started; nothing was looked at yet."""
    source = FakeSource()
    source.text = use_file(source, *entries)
    async with AsyncExitStack() as stack:
        world = GitWorld(folder, history, source, stack)
        await world.start()
        yield world
