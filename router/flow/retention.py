"""Removes history that is older than the operator wants to keep."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.ports.clock import Clock
    from router.ports.store import Store

PRUNE_INTERVAL_SECONDS = 3600.0
PRUNE_BATCH = 100
"""Deliveries removed between two looks at whether to stop: seconds, if each has 1,000 layers."""


async def run_retention(
    store: Store, clock: Clock, stop: asyncio.Event, *, keep_days: float
) -> None:
    """Prune once an hour until *stop* is set."""
    while not stop.is_set():
        before = clock.now() - timedelta(days=keep_days)
        while await store.prune(before=before, limit=PRUNE_BATCH) == PRUNE_BATCH:
            if stop.is_set():
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(PRUNE_INTERVAL_SECONDS):
                await stop.wait()
