"""Calls the receivers that are due: lease, call, record the attempt, notified or the next try.

Calls to one receiver never overlap, for a due receiver is leased before it is called. Whatever is
asked for while a call is under way raises wanted past the number that the call serves, so that the
receiver is due again when the call ends: nothing that arrives in flight is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.errors import RouterError, StaleGeneration
from router.core.model import Attempt
from router.core.retry import next_delay_seconds

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from router.core.model import Claim, Outcome
    from router.core.routing import Routing
    from router.flow.routing import InForce
    from router.ports.clock import Clock
    from router.ports.observer import Observer
    from router.ports.receivers import ReceiverClient
    from router.ports.store import Store

LEASE_MARGIN_SECONDS = 5.0
"""A lease outlasts its call's deadline by this much: time to record the outcome."""

POLL_SECONDS = 1.0
"""How often the store is asked for due receivers when nobody wakes us."""

STORE_PAUSE_SECONDS = 1.0
"""How long dispatch rests when the store cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchLimits:
    """How many calls run at once, how long one may take, how long a stop may take."""

    calls: int
    calls_per_cluster: int
    call_deadline_seconds: float
    stop_deadline_seconds: float


class Dispatcher:
    """Serves due receivers until it is told to stop, then finishes or releases what it leased."""

    def __init__(
        self,
        *,
        store: Store,
        client: ReceiverClient,
        in_force: InForce,
        clock: Clock,
        observer: Observer,
        limits: DispatchLimits,
    ) -> None:
        self._store = store
        self._client = client
        self._in_force = in_force
        self._clock = clock
        self._observer = observer
        self._limits = limits
        self._mended: set[str] = set()
        """Those of the receivers being called whose definition has changed since."""
        self._wake = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._calling: set[str] = set()
        """Keys of the receivers that are called just now."""
        self._running: Counter[str] = Counter()

    def wake(self) -> None:
        """Look for due receivers now instead of at the next poll."""
        self._wake.set()

    def mended(self, receivers: Collection[str]) -> None:
        """The operator has changed *receivers*: a call of the old definition delays no new one."""
        self._mended.update(set(receivers) & self._calling)
        self.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until *stop* is set; returns when no call is left."""
        try:
            while not stop.is_set():
                self._wake.clear()
                pause = await self._dispatch_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            await self._finish()

    async def _dispatch_due(self) -> float:
        """Start a call for each due receiver there is room for; return how long to rest.

        Without room there is nothing to look for: the end of a call wakes us.
        """
        try:
            due_seconds = await self._claim()
        except StaleGeneration:  # another replica, or this one in a moment, has the definitions
            self._in_force.outdated.set()
            return POLL_SECONDS
        except RouterError as error:
            self._observer.failed(task="dispatch", error=error)
            return STORE_PAUSE_SECONDS
        return POLL_SECONDS if due_seconds is None else min(POLL_SECONDS, due_seconds)

    async def _claim(self) -> float | None:
        """Lease and start what is due; returns the seconds until more is due, if that is known."""
        async with self._in_force.changing:
            routing = self._in_force.current
            limit = self._limits.calls - len(self._calls)
            free = self._free_slots(routing)
            if limit <= 0 or not free:
                return None
            owner = self._clock.new_id()
            claimed = await self._store.claim_due(
                free,
                limit=limit,
                owner=owner,
                lease_seconds=self._limits.call_deadline_seconds + LEASE_MARGIN_SECONDS,
                generation=routing.generation,
            )
            for claim in claimed.claims:
                self._start(routing, claim, owner)
            return claimed.next_due_seconds

    def _free_slots(self, routing: Routing) -> dict[str, int]:
        """How many calls each cluster may start; clusters without room are left out."""
        room = {
            name: self._limits.calls_per_cluster - self._running[name] for name in routing.clusters
        }
        return {name: count for name, count in room.items() if count > 0}

    def _start(self, routing: Routing, claim: Claim, owner: str) -> None:
        cluster = claim.receiver.partition("/")[0]
        call = self._serve(routing, claim, owner)
        task = asyncio.create_task(call, name=f"call {claim.receiver}")
        self._calls.add(task)
        self._calling.add(claim.receiver)
        self._running[cluster] += 1

        def ended(task: asyncio.Task[None]) -> None:
            self._calls.discard(task)
            self._calling.discard(claim.receiver)
            self._mended.discard(claim.receiver)
            self._running[cluster] -= 1
            self._wake.set()

        task.add_done_callback(ended)

    async def _serve(self, routing: Routing, claim: Claim, owner: str) -> None:
        started_at, started = self._clock.now(), self._clock.monotonic()

        def outcome(word: Outcome, detail: str) -> Attempt:
            return self._attempt(claim, word, detail, started_at=started_at, started=started)

        receiver = routing.receivers.get(claim.receiver)
        if receiver is None:
            gone = outcome("cancelled", "not in the routing file any more")
            await self._record(claim, gone, owner)
            return
        try:
            attempt = await self._client.call(receiver, claim)
        except asyncio.CancelledError:
            stopped = outcome("cancelled", "the service is stopping")
            await self._record(claim, stopped, owner)
            return
        except Exception as error:  # a defect must not leave the receiver leased and unexplained
            self._observer.failed(task="call", error=error)
            attempt = outcome(
                "misconfigured", f"the call could not be made: {type(error).__name__}"
            )
        await self._record(claim, attempt, owner)

    def _attempt(
        self, claim: Claim, word: Outcome, detail: str, *, started_at: datetime, started: float
    ) -> Attempt:
        return Attempt(
            receiver=claim.receiver,
            wanted=claim.wanted,
            started_at=started_at,
            duration_seconds=self._clock.monotonic() - started,
            outcome=word,
            detail=detail,
        )

    async def _record(self, claim: Claim, attempt: Attempt, owner: str) -> None:
        """Record the outcome. When the store is gone the lease lapses and the call is repeated."""
        retry_seconds = self._retry_seconds(claim, attempt)
        try:
            await self._store.record_attempt(attempt, owner=owner, retry_seconds=retry_seconds)
        except RouterError as error:
            self._observer.failed(task="record", error=error)
            return
        self._observer.attempt_recorded(
            attempt,
            claim=claim,
            cluster=claim.receiver.partition("/")[0],
            retry_seconds=retry_seconds,
        )

    def _retry_seconds(self, claim: Claim, attempt: Attempt) -> float | None:
        if attempt.outcome == "notified":
            return None
        if attempt.outcome == "cancelled" or claim.receiver in self._mended:
            return 0.0
        return next_delay_seconds(
            claim.failures + 1,
            jitter=self._clock.jitter(),
            retry_after_seconds=attempt.retry_after_seconds,
        )

    async def _finish(self) -> None:
        """Let running calls end within the stop's deadline, then cancel and release the rest."""
        if not self._calls:
            return
        calls = set(self._calls)
        _, late = await asyncio.wait(calls, timeout=self._limits.stop_deadline_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
