"""Git mode: finds the pushes whose webhook was lost, by asking every Git host now and then.

One question serves all entries that read a repository in the same way. A tip that is not planned is
hinted at, and planned like any other. The first round, at the start and when entries come with a
new routing file, finds what moved while nobody looked, and the refs that were never planned.

Of several replicas one sweeps a repository at its interval. The others take its word for it, but
for their first round and while they cannot read the host themselves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable, StaleGeneration, StoreUnavailable
from router.core.plan import tracked_ref
from router.core.retry import next_delay_seconds
from router.core.tips import is_news, missing_ref
from router.flow.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.push import Commit
    from router.core.routing import GitAccess, Repository, Routing
    from router.flow.observe import RefObserver
    from router.flow.parts import Parts
    from router.ports.git import Git

SWEEPS_AT_ONCE = 8
"""Repositories asked at once: the other git processes are left to pushes."""

SWEEPS_OF_A_HOST = 4
"""Those of them that are on one host: another one may hang."""

TICK_SECONDS = 1.0
"""How often it is looked up which repositories are due."""

STORE_PAUSE_SECONDS = 1.0
"""How long a sweep waits that could not find out whether another replica sweeps."""

STALE_PAUSE_SECONDS = 10.0
"""How long a replica waits whose routing file is not the one in force: others sweep."""

SWEEP_LEASE_SECONDS = 60.0
"""How long one question may take before another replica asks, too."""

JITTER_SHARE = 0.2
"""An interval is shortened or lengthened by up to half of this share, to spread hosts' load."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Entries that one question to a Git host serves."""

    access: GitAccess
    refs: tuple[tuple[str, str], ...]
    """Entry and ref."""


@dataclass(slots=True)
class _Turn:
    """When a group is to be swept next."""

    due_at: float = 0.0
    """On the monotonic clock; 0: now."""
    failures: int = 0
    is_running: bool = False
    is_first: bool = True


class Sweeper:
    """Sweeps every repository in git mode at its interval, and sooner where something is wrong."""

    def __init__(self, parts: Parts, git: Git, refs: RefObserver) -> None:
        self._parts = parts
        self._git = git
        self._refs = refs
        self._routing: Routing | None = None
        """What the turns were made for; a new secret makes a new one, too."""
        self._wake = asyncio.Event()
        self._turns: dict[_Group, _Turn] = {}
        self._sweeps: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until *stop* is set."""
        try:
            while not stop.is_set():
                self._wake.clear()
                await self._start_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._wake.wait()
        finally:
            for sweep in self._sweeps:
                sweep.cancel()
            await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def sweep_due(self) -> None:
        """Sweep what is due now, and wait until that is done."""
        await self._start_due()
        await asyncio.gather(*self._sweeps)

    async def _start_due(self) -> None:
        try:
            await self._take_routing(self._parts.in_force.current)
        except StoreUnavailable as error:  # what is there already is swept on
            self._parts.observer.failed(task="sweep", error=error)
        now = self._parts.clock.monotonic()
        due = sorted(
            (turn.due_at, number, group)
            for number, (group, turn) in enumerate(self._turns.items())
            if not turn.is_running and self._due_at(group, turn, now) <= now
        )
        busy = [group for group, turn in self._turns.items() if turn.is_running]
        running = Counter(group.access.host for group in busy)
        for _, _, group in due:
            if len(self._sweeps) >= SWEEPS_AT_ONCE:
                return
            if running[group.access.host] < self._most_at_once(group):
                running[group.access.host] += 1
                self._start(group)

    def _most_at_once(self, group: _Group) -> int:
        """A host in trouble may hang, and must not keep the others from being swept."""
        return 1 if self._is_troubled(group) else SWEEPS_OF_A_HOST

    def _start(self, group: _Group) -> None:
        turn = self._turns[group]
        turn.is_running = True
        sweep = asyncio.create_task(self._take_turn(group, turn))
        self._sweeps.add(sweep)
        sweep.add_done_callback(self._end)

    def _end(self, sweep: asyncio.Task[None]) -> None:
        self._sweeps.discard(sweep)
        self._wake.set()

    async def _take_routing(self, routing: Routing) -> None:
        """Groups that a new routing file or secret brings are due now; the others keep their turn.

        What waits is looked at anew: its entry may be gone, or read otherwise now.
        """
        if routing is self._routing:
            return
        for repository in await self._parts.store.waiting_repositories():
            self._parts.hints.add(repository, is_kept=True)
        self._routing = routing
        groups = group_entries(routing.repositories)
        dropped = names_of(self._turns) - names_of(groups)
        self._turns = {group: self._turns.get(group, _Turn()) for group in groups}
        for repository in dropped:
            self._refs.forget(repository)
            self._parts.observer.repository_dropped(repository=repository)
        await self._git.use(routing)

    def _is_troubled(self, group: _Group) -> bool:
        return any(name in self._refs.troubles for name, _ in group.refs)

    def _due_at(self, group: _Group, turn: _Turn, now: float) -> float:
        """A repository that a look could not read is swept again soon."""
        if turn.failures == 0 and self._is_troubled(group):
            turn.failures = 1
            turn.due_at = min(turn.due_at, now + self._delay_seconds(turn))
        return turn.due_at

    async def _take_turn(self, group: _Group, turn: _Turn) -> None:
        lease = Lease(self._parts, f"sweep {group.refs[0][0]}", seconds=SWEEP_LEASE_SECONDS)
        try:
            pause = await self._others_seconds(group, turn, lease)
            if not pause:
                pause = await self._sweep_safely(group, turn)
                await self._let_others_rest(turn, lease, pause)
        finally:
            turn.is_running = False
        turn.due_at = self._parts.clock.monotonic() + pause

    async def _others_seconds(self, group: _Group, turn: _Turn, lease: Lease) -> float:
        """For how long the sweeps of another replica count for us; 0.0 if we sweep ourselves."""
        if turn.is_first or turn.failures:
            return 0.0
        try:
            left_seconds = await lease.take()
        except StaleGeneration:
            return STALE_PAUSE_SECONDS
        except StoreUnavailable as error:
            self._parts.observer.failed(task="sweep", error=error)
            return STORE_PAUSE_SECONDS
        if not left_seconds:
            return 0.0
        for name, _ in group.refs:
            self._parts.observer.repository_swept(repository=name, is_moved=False)
        return left_seconds + TICK_SECONDS  # whoever has it may have it again

    async def _sweep_safely(self, group: _Group, turn: _Turn) -> float:
        """Sweep, and say after how many seconds to sweep again."""
        is_read = False
        try:
            is_read = await self._sweep(self._parts.in_force.current, group)
        except Exception as error:  # the other repositories must still be swept
            self._parts.observer.failed(task="sweep", error=error)
        turn.is_first = False
        turn.failures = 0 if is_read and not self._is_troubled(group) else turn.failures + 1
        spread = 1 + JITTER_SHARE * (self._parts.clock.jitter() - 0.5)
        pause = group.access.sweep_interval_seconds * spread
        return min(pause, self._delay_seconds(turn)) if turn.failures else pause

    async def _let_others_rest(self, turn: _Turn, lease: Lease, pause: float) -> None:
        """Until our next sweep, unless this one read nothing: another replica may be luckier."""
        if turn.failures:
            await lease.end()
            return
        with suppress(StaleGeneration, StoreUnavailable):
            await lease.take(seconds=pause)

    def _delay_seconds(self, turn: _Turn) -> float:
        return 1.0 + next_delay_seconds(turn.failures, jitter=self._parts.clock.jitter())

    async def _sweep(self, routing: Routing, group: _Group) -> bool:
        """Ask the host for all refs of a group; whether it could be read."""
        started = self._parts.clock.monotonic()
        entries = [entry for name, _ in group.refs if (entry := routing.entry(name))]
        tips: Mapping[str, Commit] | None = None
        trouble = None
        try:
            tips = await self._git.list_tips(group.access, [entry.ref for entry in entries])
        except GitUnavailable as error:
            trouble = str(error)
        for entry in entries:
            mine = None
            if tips is not None:
                mine = {ref: tip for ref, tip in tips.items() if entry.tracks(ref)}
            told = await self._compare(entry, mine, trouble)
            self._parts.observer.repository_read(
                repository=entry.name,
                trouble=told,
                duration_seconds=self._parts.clock.monotonic() - started,
                clone_bytes=self._git.clone_bytes(group.access),
            )
        return tips is not None

    async def _compare(
        self, entry: Repository, tips: Mapping[str, Commit] | None, trouble: str | None
    ) -> str | None:
        """Hint at an entry that is not planned where its host stands, or was never planned.

        Returns what is wrong with it: the trouble of a look that failed stands until a look is
        well, or until there is nothing to look for.
        """
        state = await self._parts.store.ref_state(tracked_ref(entry))
        if tips is None:
            self._refs.note_trouble(entry, trouble, is_read=False)
            if not state.was_planned:
                self._parts.hints.add(entry.name)
            return trouble
        is_moved = is_news(entry, state, tips)
        self._parts.observer.repository_swept(repository=entry.name, is_moved=is_moved)
        if is_moved:
            self._parts.hints.add(entry.name)
            return self._refs.troubles.get(entry.name)
        missing = missing_ref(entry, tips)
        self._refs.note_trouble(entry, missing, is_read=True)
        return missing


def names_of(groups: Iterable[_Group]) -> set[str]:
    """The entries of *groups*."""
    return {name for group in groups for name, _ in group.refs}


def group_entries(repositories: Sequence[Repository]) -> list[_Group]:
    """The entries in git mode, grouped by how their repository is read."""
    groups: dict[GitAccess, list[tuple[str, str]]] = {}
    for entry in repositories:
        if entry.git is not None:
            groups.setdefault(entry.git, []).append((entry.name, entry.ref))
    return [_Group(access, tuple(refs)) for access, refs in groups.items()]
