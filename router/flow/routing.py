"""The routing file in force: one immutable value that everybody reads and one task replaces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Problem
    from router.core.routing import Routing


class InForce:
    """Holds the routing in force. Read `current` once for each unit of work and keep it."""

    def __init__(self, routing: Routing, *, problems: Sequence[Problem] = ()) -> None:
        self.current = routing
        self.problems = tuple(problems)
        """Why the file on disk is not the one in force; empty when it is."""
        self.is_behind = False
        """Another replica's file is in force, and cannot be used here: nothing can be planned."""
        self.changing = asyncio.Lock()
        """Held while a new file comes into force, and while receivers are leased."""
        self.outdated = asyncio.Event()
        """Set when the store refused what was made under this file; cleared by who looks why."""
        self._changed = asyncio.Event()

    def replace(self, routing: Routing, *, problems: Sequence[Problem] = ()) -> None:
        """Bring *routing* into force and wake those who wait for it."""
        self.current = routing
        self.problems = tuple(problems)
        self.is_behind = False
        self._changed.set()
        self._changed = asyncio.Event()

    async def newer_than(self, generation: int) -> None:
        """Wait until a generation after *generation* is in force."""
        while self.current.generation <= generation:
            await self._changed.wait()
