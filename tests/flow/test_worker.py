from __future__ import annotations

import asyncio
from datetime import timedelta

from router.core.model import Activation, Delivery
from router.flow.retention import PRUNE_BATCH, run_retention
from router.flow.worker import run_worker
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore
from tests.flow.conftest import until

EMPTY = Activation(digest="d", text="", definitions={}, receivers={}, clusters={})


async def test_a_task_that_fails_is_told_and_started_again() -> None:
    starts: list[str] = []
    stop = asyncio.Event()

    async def fragile(stop: asyncio.Event) -> None:
        starts.append("fragile")
        if len(starts) == 1:
            raise ValueError("once")
        stop.set()

    async def steady(stop: asyncio.Event) -> None:
        await stop.wait()

    observer = RecordingObserver()
    async with asyncio.timeout(10):
        await run_worker({"fragile": fragile, "steady": steady}, stop, observer)
    assert starts == ["fragile"] * 2
    assert [(task, str(error)) for task, error in observer.failures] == [("fragile", "once")]


async def test_retention_removes_what_is_old_and_keeps_what_is_young() -> None:
    clock = FakeClock()
    store = FakeStore(clock)
    await store.activate(EMPTY, adopt=lambda _names: [])
    for name, days in (("old", 31), ("young", 29)):
        delivery = Delivery(
            id=name,
            origin="webhook",
            received_at=clock.now() - timedelta(days=days),
            status="ignored",
        )
        await store.save_delivery(delivery, [], generation=1)
    stop = asyncio.Event()
    task = asyncio.create_task(run_retention(store, clock, stop, keep_days=30))

    async def is_pruned() -> bool:
        return len(await store.deliveries(limit=10)) == 1

    await until(is_pruned)
    stop.set()
    await task
    assert [story.delivery.id for story in await store.deliveries(limit=10)] == ["young"]


async def test_retention_goes_on_until_nothing_old_is_left_and_stops_when_told() -> None:
    clock = FakeClock()
    store = FakeStore(clock)
    await store.activate(EMPTY, adopt=lambda _names: [])
    long_ago = clock.now() - timedelta(days=99)
    for number in range(PRUNE_BATCH + 1):
        delivery = Delivery(
            id=str(number), origin="webhook", received_at=long_ago, status="ignored"
        )
        await store.save_delivery(delivery, [], generation=1)
    stop = asyncio.Event()
    task = asyncio.create_task(run_retention(store, clock, stop, keep_days=30))

    async def is_pruned() -> bool:
        return not await store.deliveries(limit=10)

    await until(is_pruned)
    stop.set()
    await task
