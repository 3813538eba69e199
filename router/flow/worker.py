"""Runs the background tasks of the service and starts again what fails."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from router.ports.observer import Observer

RESTART_SECONDS = 1.0
"""Rest between a task's failure and its next start."""


async def run_worker(
    tasks: Mapping[str, Callable[[asyncio.Event], Awaitable[None]]],
    stop: asyncio.Event,
    observer: Observer,
) -> None:
    """Run every task until *stop* is set and all of them have returned."""
    async with asyncio.TaskGroup() as group:
        for name, task in tasks.items():
            group.create_task(_keep_running(name, task, stop, observer), name=name)


async def _keep_running(
    name: str,
    task: Callable[[asyncio.Event], Awaitable[None]],
    stop: asyncio.Event,
    observer: Observer,
) -> None:
    while not stop.is_set():
        try:
            await task(stop)
        except Exception as error:  # whatever it was, the service goes on
            observer.failed(task=name, error=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(RESTART_SECONDS):
                    await stop.wait()


async def wait_for_any(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of *events* is set, or *seconds* are over."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
