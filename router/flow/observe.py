"""Git mode: asks a Git host where a ref stands, and plans what differs from what was planned last.

Whatever says that a ref may have moved (a delivery, a sweep, an operator) is only a hint. A look
fetches the ref, compares its tip with the commit at the cursor, and saves the plan with the cursor
in one transaction.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable
from router.core.model import Delivery, Observation
from router.core.plan import tracked_ref
from router.core.tips import close_judged, close_waiting, judge_waiting, missing_ref
from router.flow.builds import BuildReader
from router.flow.fallback import plan_fallback
from router.flow.look import find_late, plan_look, read_host
from router.flow.turns import FIRST_PAUSE_SECONDS, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Closing, Intent, Origin, RefState, Waiting
    from router.core.routing import GitAccess, Repository, Routing
    from router.flow.look import Look
    from router.flow.parts import Parts
    from router.ports.git import Git

FALLBACK_SECONDS = 5.0
"""How long a host that cannot be read is asked again before a plan is made without it: most
troubles of a network are over by then, and a plan without the host calls more than it need."""


class RefObserver:
    """Looks at the Git hosts of the entries that something is heard of, until all is planned."""

    def __init__(
        self,
        parts: Parts,
        git: Git,
        *,
        fallback_seconds: float = FALLBACK_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._parts = parts
        self._git = git
        self._builds = BuildReader(git)
        self._fallback_seconds = fallback_seconds
        self._turns = Turns(parts, self.look, first_pause_seconds=first_pause_seconds)
        self._unread_since: dict[str, float] = {}
        """Since when entries cannot be read, on the monotonic clock."""
        self._hosts_unread_since: dict[str, float] = {}
        """The same, of the hosts of which an entry cannot be read."""
        self.troubles: dict[str, str] = {}
        """Entries that cannot be read, or whose ref is not there, and why."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look at what is hinted at, and at what waits in the store, until *stop* is set."""
        await self._turns.run(stop)

    async def look(self, repository: str) -> bool:
        """Ask the entry's Git host once, and plan what moved. Returns whether to ask again soon.

        Raises StaleCursor or StaleGeneration when what was read is out of date already, and
        StoreUnavailable; then nothing was saved.
        """
        routing = self._parts.in_force.current
        waiting = await self._parts.store.waiting(repository)
        entry = routing.entry(repository)
        if entry is None:
            closings = close_waiting(waiting, "ignored", "its entry left the routing file")
            await self._save(routing, Observation(repository=repository, closings=closings))
            return False
        if entry.git is None:
            if waiting:
                await self._fall_back(routing, entry, waiting, "the entry left git mode meanwhile")
            return False
        return await self._ask(routing, entry, entry.git, waiting)

    async def _ask(
        self, routing: Routing, entry: Repository, access: GitAccess, waiting: Sequence[Waiting]
    ) -> bool:
        started = self._parts.clock.monotonic()
        state = await self._parts.store.ref_state(tracked_ref(entry))
        try:
            async with asyncio.timeout(self._patience_seconds(access) if waiting else None):
                look = await read_host(self._git, self._builds, entry, access, state, waiting)
        except TimeoutError:
            trouble = self.troubles.get(entry.name, "the host was in trouble, and did not answer")
            self._note(entry, access, trouble, started)
            await self._fall_back(routing, entry, waiting, f"git could not tell: {trouble}")
            return False
        except GitUnavailable as error:
            self._note(entry, access, str(error), started)
            return await self._go_on_without(routing, entry, state, waiting, str(error))
        missing = missing_ref(entry, look.tips)
        self._note(entry, access, missing, started, is_read=True)
        intents = await plan_look(routing, entry, state, look)
        judge = partial(
            judge_waiting,
            waiting,
            tips=look.tips,
            bases={item.move.ref: item.move.base for item in look.compared},
            now=self._parts.clock.now(),
            visible_timeout_seconds=access.visible_timeout_seconds,
        )
        judged = judge(known=look.known)
        if judged.late:
            late = await find_late(self._git, access, judged.late)
            judged = judge(known=look.known | late)
        tip = look.compared[-1].move.tip if look.compared else None
        closings = close_judged(judged, tip, missing=missing)
        observation = self._observation(entry, state, intents, closings, has_plan=tip is not None)
        await self._save(routing, observation)
        await self._keep(entry, access, look)
        return bool(judged.pending)

    def _observation(
        self,
        entry: Repository,
        state: RefState,
        intents: tuple[Intent, ...],
        closings: tuple[Closing, ...],
        *,
        has_plan: bool,
    ) -> Observation:
        """Plans belong to the push they cover; to a delivery of their own if there is none."""
        is_told = any(closing.status == "routed" for closing in closings)
        origin: Origin = "sweep" if state.was_planned else "adoption"
        return Observation(
            repository=entry.name,
            intents=intents,
            delivery=self._new_delivery(origin) if has_plan and not is_told else None,
            closings=closings,
        )

    def _new_delivery(self, origin: Origin) -> Delivery:
        return Delivery(
            id=self._parts.clock.new_id(),
            origin=origin,
            received_at=self._parts.clock.now(),
            status="routed",
        )

    async def _keep(self, entry: Repository, access: GitAccess, look: Look) -> None:
        if look.compared:
            with suppress(GitUnavailable):  # the next look would fetch it, or say what is wrong
                await self._git.keep(access, entry.name, look.compared[-1].move.tip)

    async def _go_on_without(
        self,
        routing: Routing,
        entry: Repository,
        state: RefState,
        waiting: Sequence[Waiting],
        trouble: str,
    ) -> bool:
        """Plan without the host when it could not be read for too long; else ask again soon."""
        if not waiting and state.was_planned:
            return False  # the next sweep that reads it finds what moved
        since = self._unread_since.get(entry.name, self._parts.clock.monotonic())
        if self._parts.clock.monotonic() - since < self._fallback_seconds:
            return True
        await self._fall_back(routing, entry, waiting, f"git could not tell: {trouble}")
        return False

    async def _fall_back(
        self, routing: Routing, entry: Repository, waiting: Sequence[Waiting], why: str
    ) -> None:
        state = await self._parts.store.ref_state(tracked_ref(entry))
        adoption = self._new_delivery("adoption")
        observation = plan_fallback(routing, entry, state, waiting, why=why, adoption=adoption)
        await self._save(routing, observation)

    async def _save(self, routing: Routing, observation: Observation) -> None:
        if not observation.intents and not observation.closings:
            return
        saved = await self._parts.store.save_observation(observation, generation=routing.generation)
        told = None
        if saved is not None and saved.plans:
            self._parts.wake()
            told = saved.delivery.id
            waited = self._parts.clock.now() - saved.delivery.received_at
            self._parts.observer.delivery_planned(
                saved,
                repository=observation.repository,
                duration_seconds=max(0.0, waited.total_seconds()),
            )
        for closing in observation.closings:
            if closing.delivery != told:
                self._parts.observer.update_closed(
                    repository=observation.repository,
                    delivery=closing.delivery,
                    status=closing.status,
                    reason=closing.reason,
                )

    def _patience_seconds(self, access: GitAccess) -> float | None:
        """How long pushes wait for a host that is known to be in trouble; it may well hang."""
        since = self._hosts_unread_since.get(access.host)
        now = self._parts.clock.monotonic()
        is_given_up = since is not None and now - since >= self._fallback_seconds
        return self._fallback_seconds if is_given_up else None

    def _note(
        self,
        entry: Repository,
        access: GitAccess,
        trouble: str | None,
        started: float,
        *,
        is_read: bool = False,
    ) -> None:
        """Tell, and remember, whether the host could be read; not of an entry that has gone."""
        current = self._parts.in_force.current.entry(entry.name)
        if current is None or current.git is None:
            return
        self.note_trouble(entry, trouble, is_read=is_read)
        self._parts.observer.repository_read(
            repository=entry.name,
            trouble=trouble,
            duration_seconds=self._parts.clock.monotonic() - started,
            clone_bytes=self._git.clone_bytes(access),
        )

    def note_trouble(self, entry: Repository, trouble: str | None, *, is_read: bool) -> None:
        """Remember what is wrong with an entry, if anything, and whether its host could be read."""
        host = entry.git.host if entry.git else ""
        if trouble is None:
            self.troubles.pop(entry.name, None)
        else:
            self.troubles[entry.name] = trouble
        if is_read:
            self._unread_since.pop(entry.name, None)
            self._hosts_unread_since.pop(host, None)
        else:
            now = self._parts.clock.monotonic()
            self._unread_since.setdefault(entry.name, now)
            self._hosts_unread_since.setdefault(host, now)

    def forget(self, repository: str) -> None:
        """An entry is not read any more."""
        self.troubles.pop(repository, None)
        self._unread_since.pop(repository, None)
