"""Routing files come into force whole, and the last good one stays."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from router.core.errors import ConfigInvalid, StoreUnavailable
from router.core.model import Secret
from router.core.routing import Routing
from router.flow.accept import Acceptor
from router.flow.definitions import changed_receivers
from router.flow.parts import Parts
from router.flow.reload import NOT_STORED, Reloader
from router.flow.routing import InForce
from router.telemetry.metrics import MetricsObserver
from tests.builders import (
    commit,
    github_push,
    github_request,
    make_repository,
    make_routing,
)
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.receivers import FakeReceivers
from tests.fakes.source import BROKEN, FakeSource
from tests.fakes.store import FakeStore

ONE = make_routing(make_repository({"a": ["a"], "b": ["b"]}))
TWO = make_routing(make_repository({"a": ["a", "x"], "b": ["b"], "c": ["c"]}))


class World:
    """A reloader over fakes."""

    def __init__(self, **files: Routing) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.client = FakeReceivers(self.clock)
        self.observer = RecordingObserver()
        self.source = FakeSource(**files)
        self.reloader = self.make_reloader()

    def make_reloader(self) -> Reloader:
        return Reloader(
            replica="us",
            source=self.source,
            store=self.store,
            client=self.client,
            clock=self.clock,
            observer=self.observer,
            interval_seconds=0.001,
        )

    async def wanted(self) -> dict[str, int]:
        statuses = await self.store.receivers()
        return {
            status.receiver.rsplit("/")[-1]: status.wanted for status in statuses if status.wanted
        }


@pytest.fixture
def world() -> World:
    return World(one=ONE, two=TWO)


async def test_the_first_start_adopts_every_layer_once(world: World) -> None:
    in_force = await world.reloader.start()
    assert in_force.current.generation == 1
    assert await world.wanted() == {"a": 1, "b": 1}
    assert world.client.routings == [in_force.current]


async def test_a_restart_with_the_same_file_adopts_nothing(world: World) -> None:
    await world.reloader.start()
    in_force = await world.make_reloader().start()
    assert in_force.current.generation == 1
    assert await world.wanted() == {"a": 1, "b": 1}


async def test_a_changed_file_adopts_what_changed_and_no_more(world: World) -> None:
    in_force = await world.reloader.start()
    world.source.text = "two"
    await world.reloader.reload(in_force)
    assert in_force.current.generation == 2
    assert await world.wanted() == {"a": 2, "b": 1, "c": 1}
    stories = await world.store.deliveries(limit=10)
    assert [story.delivery.origin for story in stories] == ["adoption", "adoption"]


async def test_a_layer_that_comes_back_is_adopted_again(world: World) -> None:
    in_force = await world.reloader.start()
    world.source.files["small"] = make_routing(make_repository({"a": ["a"]}))
    for text in ("small", "one"):
        world.source.text = text
        await world.reloader.reload(in_force)
    assert await world.wanted() == {"a": 1, "b": 2}
    assert in_force.current.generation == 3


async def test_a_file_that_does_not_load_leaves_the_last_good_one(world: World) -> None:
    in_force = await world.reloader.start()
    before = in_force.current
    world.source.text = "broken"
    await world.reloader.reload(in_force)
    assert in_force.current is before
    assert in_force.problems == (BROKEN,)
    assert world.observer.problems == [(BROKEN,)]
    world.source.text = "two"
    await world.reloader.reload(in_force)
    assert not list(in_force.problems)


async def test_the_last_good_file_survives_a_restart(world: World) -> None:
    await world.reloader.start()
    world.source.text = "broken"
    in_force = await world.make_reloader().start()
    assert set(in_force.current.layers) == {"a", "b"}
    assert in_force.current.generation == 1
    assert in_force.problems == (BROKEN,)


async def test_a_first_start_without_a_good_file_fails_with_every_problem() -> None:
    world = World()
    with pytest.raises(ConfigInvalid) as caught:
        await world.reloader.start()
    assert caught.value.problems == (BROKEN,)


async def test_a_change_is_seen_while_the_service_runs(world: World) -> None:
    in_force = await world.reloader.start()
    stop, woken = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        world.reloader.run(in_force, stop, mended=lambda _receivers: woken.set())
    )
    world.source.text = "two"
    async with asyncio.timeout(10):
        await woken.wait()
    assert set(in_force.current.layers) == {"a", "b", "c"}
    stop.set()
    await task


async def test_a_new_secret_resets_the_backoff_of_its_receivers_only(world: World) -> None:
    in_force = await world.reloader.start()
    claimed = await world.store.claim_due(
        {"prod": 9},
        limit=9,
        owner="me",
        lease_seconds=9,
        generation=1,
    )
    for claim in claimed.claims:
        attempt = await world.client.call(in_force.current.receivers[claim.receiver], claim)
        failed = replace(attempt, outcome="rejected", status=400)
        await world.store.record_attempt(failed, owner="me", retry_seconds=300)
    receivers = dict(ONE.receivers)
    key = "prod/flux-system/a"
    receivers[key] = replace(receivers[key], token=Secret(b"new"))
    world.source.files["rotated"] = replace(ONE, receivers=receivers)
    world.source.text = "rotated"
    await world.reloader.reload(in_force)
    failures = {status.receiver: status.failures for status in await world.store.receivers()}
    assert failures == {key: 0, "prod/flux-system/b": 1}


async def test_a_file_that_loads_while_the_store_is_down_comes_into_force_later(
    world: World,
) -> None:
    in_force = await world.reloader.start()
    world.source.text = "two"
    world.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await world.reloader.reload(in_force)
    assert in_force.problems == (NOT_STORED,)
    assert not await world.source.has_changed()  # nothing new on disk: the reloader must remember
    world.store.is_down = False
    stop, mended = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        world.reloader.run(in_force, stop, mended=lambda _receivers: mended.set())
    )
    async with asyncio.timeout(10):
        await mended.wait()
    stop.set()
    await task
    assert set(in_force.current.layers) == {"a", "b", "c"}
    assert not list(in_force.problems)


async def test_a_start_on_the_last_good_file_says_so_last(world: World) -> None:
    await world.reloader.start()
    metrics = MetricsObserver(world.clock)
    world.observer = metrics  # type: ignore[assignment]
    world.source.text = "broken"
    await world.make_reloader().start()
    assert b"flux_router_routing_is_current 0.0" in metrics.render([])


def test_a_cluster_s_new_address_changes_all_its_receivers() -> None:
    clusters = {
        name: replace(cluster, url="http://new.test") for name, cluster in ONE.clusters.items()
    }
    moved = replace(ONE, clusters=clusters)
    assert changed_receivers(ONE, moved) == list(ONE.receivers)
    assert changed_receivers(ONE, ONE) == []


async def test_a_push_during_a_reload_is_planned_under_the_file_in_force(world: World) -> None:
    newest = await world.reloader.start()
    lagging = InForce(newest.current)  # as the acceptor sees it while the reload goes on
    acceptor = Acceptor(
        Parts(
            replica="us",
            store=world.store,
            in_force=lagging,
            clock=world.clock,
            observer=world.observer,
            wake=lambda: None,
        )
    )
    world.source.text = "two"
    await world.reloader.reload(newest)
    headers, body = github_request(github_push(before=commit(1), after=commit(2), paths=["x"]))
    hook = lagging.current.hooks["github"]
    accepting = asyncio.create_task(acceptor.accept(hook, headers, body))
    await asyncio.sleep(0)
    assert not accepting.done()  # refused under the old generation, it waits for the new one
    lagging.replace(newest.current)
    (item,) = (await accepting).plans
    assert {match.layer for match in item.plan.matches} == {"a", "b", "c"}


class HalfDownStore(FakeStore):
    """Brings files into force, and cannot reset a backoff while *is_half_down*."""

    is_half_down = False

    async def reset_backoff(self, receivers: Collection[str] | None = None) -> None:
        if self.is_half_down:
            raise StoreUnavailable("the disk is full")
        await super().reset_backoff(receivers)


async def test_a_backoff_that_could_not_be_reset_is_reset_at_the_next_try(world: World) -> None:
    world.store = store = HalfDownStore(world.clock)
    reloader = world.make_reloader()
    in_force = await reloader.start()
    key = "prod/flux-system/a"
    receivers = {**ONE.receivers, key: replace(ONE.receivers[key], token=Secret(b"new"))}
    world.source.files["rotated"] = replace(ONE, receivers=receivers)
    world.source.text = "rotated"
    store.is_half_down = True
    with pytest.raises(StoreUnavailable):
        await reloader.reload(in_force)
    store.is_half_down = False
    assert await reloader.reload(in_force) == [key]
    assert await reloader.reload(in_force) == []
