"""Git mode: whose turn it is to look at an entry's Git host, and when it is looked again.

An entry is never looked at twice at once: hints that come in meanwhile lead to one more look.
Entries are looked at side by side.

Of several replicas one has the lease of an entry while it looks. What waits is in the store, and
every replica looks for it there, so that the hints of one that died are another one's soon.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from router.core.errors import StaleCursor, StaleGeneration, StoreUnavailable
from router.flow.lease import Lease
from router.flow.worker import wait_for_any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.flow.parts import Parts

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 5.0
"""Between two looks at a host that does not show a pushed commit yet, or cannot be read."""

MAX_DOUBLINGS = 10

LEASE_SECONDS = 15.0
"""A replica that died keeps its entries for so long from the others."""

RENEW_SECONDS = 5.0

POLL_SECONDS = 1.0
"""How often the store is asked for what other replicas have left waiting."""

STORE_PAUSE_SECONDS = 1.0
DEFECT_PAUSE_SECONDS = 5.0


class Turns:
    """Has entries looked at that something is heard of, until all is planned."""

    def __init__(
        self,
        parts: Parts,
        look: Callable[[str], Awaitable[bool]],
        *,
        first_pause_seconds: float,
    ) -> None:
        """*look* looks at an entry once, and tells whether to ask again soon."""
        self._parts = parts
        self._look = look
        self._first_pause_seconds = first_pause_seconds
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._bells: dict[str, asyncio.Event] = {}
        self._unkept: set[str] = set()
        """To be looked at for what only this replica knows: a sweep's find, an operator's wish."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look at what is hinted at, and at what waits in the store, until *stop* is set."""
        try:
            with self._parts.hints.heard_by(self._hear):
                while not stop.is_set():
                    await self._hear_what_waits()
                    await wait_for_any(stop, seconds=POLL_SECONDS)
        finally:
            looks = list(self._looks.values())
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)

    async def _hear_what_waits(self) -> None:
        """Left by an earlier run, or by another replica; what is looked at here rings no bell."""
        with suppress(StoreUnavailable):  # dispatch tells of it
            for repository in await self._parts.store.waiting_repositories():
                if repository not in self._bells:
                    self._hear(repository, is_kept=True)

    def _hear(self, repository: str, is_kept: bool) -> None:
        if not is_kept:
            self._unkept.add(repository)
        bell = self._bells.get(repository)
        if bell is not None:
            bell.set()
            return
        self._bells[repository] = bell = asyncio.Event()
        self._looks[repository] = asyncio.create_task(self._follow(repository, bell))

    async def _follow(self, repository: str, bell: asyncio.Event) -> None:
        """Look when it is our turn, until nothing is left to look for."""
        lease = Lease(self._parts, f"look {repository}", seconds=LEASE_SECONDS)
        try:
            if await self._take_turn(repository, lease):
                async with lease.renewed(RENEW_SECONDS):
                    await self._look_until_planned(repository, bell)
        finally:
            try:
                await lease.end()
            finally:  # not before: what is heard from now on takes the lease anew
                del self._bells[repository], self._looks[repository]
        if bell.is_set():
            self._hear(repository, is_kept=True)

    async def _take_turn(self, repository: str, lease: Lease) -> bool:
        """Wait for our turn; False where another replica looks, and we know of nothing else.

        What the store has waiting is found there again, if that replica leaves any of it.
        """
        while True:
            try:
                left_seconds = await lease.take()
            except (StaleGeneration, StoreUnavailable):
                left_seconds = STORE_PAUSE_SECONDS
            if left_seconds and repository not in self._unkept:
                return False
            if not left_seconds:
                return True
            await asyncio.sleep(min(left_seconds, POLL_SECONDS))

    async def _look_until_planned(self, repository: str, bell: asyncio.Event) -> None:
        """Look until nothing waits, and once more for the hints that come in meanwhile."""
        vain_count = 0
        while True:
            bell.clear()
            self._unkept.discard(repository)
            pause = await self._look_safely(repository, vain_count)
            if pause is None and not bell.is_set():
                return
            vain_count += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await bell.wait()
                vain_count = 0

    async def _look_safely(self, repository: str, vain_count: int) -> float | None:
        """Look, and say after how many seconds to look again; None when all is planned."""
        doublings = min(vain_count, MAX_DOUBLINGS)
        pause = min(self._first_pause_seconds * 2.0**doublings, MAX_PAUSE_SECONDS)
        try:
            return pause if await self._look(repository) else None
        except (StaleCursor, StaleGeneration) as error:
            if isinstance(error, StaleGeneration):
                self._parts.in_force.outdated.set()
            return pause
        except Exception as error:  # whatever it was, the push is still to be planned
            self._parts.observer.failed(task="observe", error=error)
            is_store = isinstance(error, StoreUnavailable)
            return STORE_PAUSE_SECONDS if is_store else DEFECT_PAUSE_SECONDS
