"""A lease of this replica: nobody else does meanwhile what it stands for.

It keeps work from being done twice, and no promise hangs on it: what is done is saved only if
nothing has changed since, whoever did it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from router.core.errors import StaleGeneration, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.flow.parts import Parts


class Lease:
    """The lease of one name."""

    def __init__(self, parts: Parts, name: str, *, seconds: float) -> None:
        self._parts = parts
        self._name = name
        self._seconds = seconds
        self._is_ours = False

    async def take(self, *, seconds: float | None = None) -> float:
        """Take or renew it; returns 0.0, or for how long another replica has it.

        Raises StoreUnavailable, and StaleGeneration for a replica whose routing file is not the
        one in force: it has to leave the work to others.
        """
        try:
            left_seconds = await self._parts.store.lease(
                self._name,
                owner=self._parts.replica,
                seconds=seconds or self._seconds,
                generation=self._parts.in_force.current.generation,
            )
        except StaleGeneration:
            self._parts.in_force.outdated.set()
            raise
        self._is_ours = not left_seconds
        return left_seconds

    @asynccontextmanager
    async def renewed(self, every_seconds: float) -> AsyncIterator[None]:
        """Keep it, once it is taken, for as long as the block takes."""
        renewing = asyncio.create_task(self._renew(every_seconds))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            with suppress(StaleGeneration, StoreUnavailable):
                await self.take()

    async def end(self) -> None:
        """Let others have it at once. If the store cannot be reached, it ends by itself."""
        if self._is_ours:
            self._is_ours = False
            with suppress(StoreUnavailable):
                await self._parts.store.release(self._name, owner=self._parts.replica)
