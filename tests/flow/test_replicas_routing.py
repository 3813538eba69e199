"""Replicas with different routing files on their disks agree on one, and come to rest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import StaleGeneration, StoreUnavailable
from router.core.routing import GitAccess, Routing
from router.flow.accept import Acceptor
from router.flow.parts import Parts
from router.flow.reload import LIVE_SECONDS, Reloader
from tests.builders import (
    URL,
    commit,
    github_push,
    github_request,
    make_repository,
    make_routing,
)
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.receivers import FakeReceivers
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore
from tests.flow.conftest import until
from tests.thoroughness import examples

if TYPE_CHECKING:
    from router.core.model import Saved
    from router.flow.routing import InForce

FILES = {
    f"v{number}": make_routing(make_repository({"a": ["a"], "b": ["b", f"x{number}"]}))
    for number in range(1, 5)
}


class Replica:
    """A process with a disk of its own; it may end, and start again."""

    def __init__(self, world: World, text: str) -> None:
        self.world = world
        self.source = FakeSource(**world.files)
        self.source.text = text
        self.observer = RecordingObserver()
        self.client = FakeReceivers(world.clock)
        self.reloader: Reloader
        self.in_force: InForce
        self.name = ""
        self.is_running = False

    async def start(self) -> Replica:
        self.name = self.world.clock.new_id()
        self.reloader = Reloader(
            replica=self.name,
            source=self.source,
            store=self.world.store,
            client=self.client,
            clock=self.world.clock,
            observer=self.observer,
            interval_seconds=0.001,
        )
        self.in_force = await self.reloader.start()
        self.is_running = True
        return self

    async def show(self, text: str) -> None:
        """The disk shows another file, which is noticed."""
        self.source.text = text
        if self.is_running:
            await self.reloader.reload(self.in_force)

    async def stop(self) -> None:
        self.is_running = False
        await self.reloader.leave()

    def kill(self) -> None:
        self.is_running = False

    @property
    def text(self) -> str:
        """The file that this replica works with."""
        digest = self.in_force.current.digest
        return next(text for text, each in self.world.files.items() if each.digest == digest)

    @property
    def acceptor(self) -> Acceptor:
        parts = Parts(
            replica=self.name,
            store=self.world.store,
            in_force=self.in_force,
            clock=self.world.clock,
            observer=self.observer,
            wake=lambda: None,
        )
        return Acceptor(parts, reload_wait_seconds=0.01)

    async def push(self, number: int = 1) -> Saved:
        body = github_push(before=commit(number), after=commit(number + 1), paths=["a/x"])
        headers, content = github_request(body, delivery=f"push-{number}")
        hook = self.in_force.current.hooks["github"]
        return await self.acceptor.accept(hook, headers, content)


class World:
    def __init__(self, files: dict[str, Routing] | None = None) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.files = files or FILES
        self.replicas: list[Replica] = []

    async def start(self, *texts: str) -> list[Replica]:
        started = [await Replica(self, text).start() for text in texts]
        self.replicas += started
        return started

    async def pass_seconds(self, seconds: int) -> None:
        """Every replica looks each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            for replica in self.replicas:
                if replica.is_running:
                    await replica.reloader.keep_up(replica.in_force)

    async def number(self) -> int:
        last = await self.store.last_generation()
        assert last is not None
        return last.number

    async def wanted(self, layer: str) -> int:
        statuses = {each.receiver.rsplit("/")[-1]: each for each in await self.store.receivers()}
        return statuses[layer].wanted


def texts(world: World) -> set[str]:
    return {replica.text for replica in world.replicas if replica.is_running}


async def test_a_new_file_on_one_disk_is_followed_by_all_others() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    await world.pass_seconds(1)
    assert (a.text, b.text) == ("v2", "v2")
    assert b.in_force.current.generation == 2
    assert b.client.routings[-1] is b.in_force.current
    assert b.observer.followed == [2]
    assert "generation 2, of another replica" in str(b.in_force.problems[0])
    await b.show("v2")
    await world.pass_seconds(60)
    assert await world.number() == 2
    assert not b.in_force.problems
    assert await world.wanted("b") == 2  # adopted with v1 and with v2, once each


async def test_a_replica_that_starts_with_the_old_file_does_not_bring_it_back() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    for _ in range(3):
        b.kill()
        await b.start()
        await world.pass_seconds(40)
    assert (await world.number(), b.text) == (2, "v2")


async def test_a_rolling_restart_with_a_new_file_and_back_comes_to_rest_each_time() -> None:
    """As when each version of the file is a ConfigMap of its own, and is rolled out by new Pods."""
    world = World()
    old = await world.start("v1", "v1", "v1")
    for text, expected in (("v2", 2), ("v1", 3), ("v2", 4)):
        new = []
        for replica in old:
            new += await world.start(text)
            await world.pass_seconds(5)
            await replica.stop()
        old = new
        await world.pass_seconds(2 * int(LIVE_SECONDS))
        assert (await world.number(), texts(world)) == (expected, {text})
        assert not any(replica.in_force.problems for replica in new)


async def test_a_file_that_an_operator_takes_back_is_in_force_at_once() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    for replica in (a, b):
        await replica.show("v2")
    await b.show("v1")
    await world.pass_seconds(1)
    assert (await world.number(), texts(world)) == (3, {"v1"})
    await a.show("v1")
    await world.pass_seconds(60)
    assert await world.number() == 3


async def test_a_disk_that_lags_two_versions_behind_brings_none_of_them_back() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    await a.show("v3")
    await b.show("v2")
    await world.pass_seconds(1)
    assert (await world.number(), texts(world)) == (3, {"v3"})
    await b.show("v3")
    assert await world.number() == 3


async def test_when_all_that_have_the_newest_file_are_gone_another_one_takes_over() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    await world.pass_seconds(1)
    a.kill()
    await world.pass_seconds(int(LIVE_SECONDS) - 1)
    assert b.text == "v2"
    await world.pass_seconds(int(LIVE_SECONDS) + 2)
    assert (await world.number(), b.text) == (3, "v1")
    await a.start()  # its file was in force before: it follows
    await world.pass_seconds(60)
    assert (await world.number(), texts(world)) == (3, {"v1"})


async def test_an_outage_of_the_store_makes_no_replica_look_dead() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    await world.pass_seconds(1)
    world.clock.advance(3600)
    await b.reloader.keep_up(b.in_force)  # the first one to reach the store again
    await world.pass_seconds(1)
    assert (await world.number(), texts(world)) == (2, {"v2"})


async def test_a_single_process_that_starts_with_an_older_file_takes_it() -> None:
    world = World()
    (a,) = await world.start("v1")
    await a.show("v2")
    await a.stop()
    await a.show("v1")
    await a.start()
    assert (await world.number(), a.text) == (3, "v1")


@pytest.mark.parametrize("text", ["v1", "v4"])
async def test_a_file_read_while_the_store_is_down_comes_into_force_after_all(text: str) -> None:
    """Also when another replica has brought one in the meantime that this one followed."""
    world = World()
    a, b = await world.start("v1", "v1")
    for replica in (a, b):
        await replica.show("v2")
    world.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await b.show(text)
    world.store.is_down = False
    await a.show("v3")
    await world.pass_seconds(3)
    assert texts(world) == {"v3"}
    await b.reloader.reload(b.in_force)  # as `run` does until it succeeds
    await world.pass_seconds(1)
    assert (await world.number(), texts(world)) == (4, {text})


async def test_of_replicas_that_start_at_once_none_undoes_the_other() -> None:
    """Between hearing what is in force and bringing its own file, another one may be quicker."""
    world = World()
    a, b = await world.start("v1", "v1")
    b.kill()
    report = world.store.report
    hurry = [a.show("v2")]

    async def slow_report(replica: str, **known: object) -> object:
        standing = await report(replica, **known)  # type: ignore[arg-type]
        if hurry:
            await hurry.pop()
        return standing

    world.store.report = slow_report  # type: ignore[method-assign, assignment]
    await b.start()
    assert (await world.number(), a.text, b.text) == (2, "v2", "v2")


async def test_a_file_whose_secrets_are_not_here_is_left_to_others() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    b.source.unusable = {"v2"}
    await a.show("v2")
    await world.pass_seconds(2)
    assert (b.text, b.in_force.is_behind, len(b.observer.problems)) == ("v1", True, 1)
    assert "the secret is missing" in str(b.in_force.problems[1])
    with pytest.raises(StoreUnavailable):
        await b.push()
    b.source.unusable = set()
    await b.reloader.reload(b.in_force)  # as when a secret it lacked has come
    assert (b.text, b.in_force.is_behind) == ("v2", False)
    assert (await b.push()).plans


async def test_a_replica_that_cannot_use_the_file_in_force_hands_hints_to_others() -> None:
    access = GitAccess(url=URL)
    layers = {"a": ["a/"]}
    files = {
        "v1": make_routing(make_repository(layers, git=access)),
        "v2": make_routing(make_repository(layers, git=access, unmapped="all")),
    }
    world = World(files)
    a, b = await world.start("v1", "v1")
    b.source.unusable = {"v2"}
    await a.show("v2")
    assert (await b.push()).delivery.status == "accepted"
    assert (await world.number(), b.in_force.current.generation) == (2, 1)
    assert len(await world.store.waiting("fleet")) == 1
    await world.pass_seconds(1)
    assert b.in_force.is_behind
    assert (await b.push(2)).delivery.status == "accepted"
    assert len(await world.store.waiting("fleet")) == 2


async def test_a_push_to_a_replica_that_lags_behind_waits_until_it_has_caught_up() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    stop = asyncio.Event()
    mended: list[object] = []
    following = asyncio.create_task(b.reloader.follow(b.in_force, stop, mended=mended.append))
    await a.show("v2")
    saved = await b.push()
    assert b.text == "v2"
    assert {match.layer for item in saved.plans for match in item.plan.matches} == {"a", "b"}
    await until(lambda: _is_true(bool(mended)))
    stop.set()
    await following


async def _is_true(value: bool) -> bool:
    return value


async def test_a_store_that_is_down_stops_nobody_from_following_later() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    world.store.is_down = True
    stop = asyncio.Event()
    following = asyncio.create_task(b.reloader.follow(b.in_force, stop, mended=lambda _: None))
    b.in_force.outdated.set()
    await until(lambda: _is_true(not b.in_force.outdated.is_set()))
    world.store.is_down = False
    b.in_force.outdated.set()
    await until(lambda: _is_true(b.text == "v2"))
    stop.set()
    await following


async def test_a_replica_that_starts_beside_others_leaves_backoff_alone() -> None:
    world = World()
    (a,) = await world.start("v1")
    claimed = await world.store.claim_due(
        {"prod": 9}, limit=9, owner="me", lease_seconds=9, generation=1
    )
    for claim in claimed.claims:
        attempt = await a.client.call(a.in_force.current.receivers[claim.receiver], claim)
        failed = replace(attempt, outcome="rejected", status=400)
        await world.store.record_attempt(failed, owner="me", retry_seconds=300)
    await world.start("v1")
    assert [each.failures for each in await world.store.receivers()] == [1, 1]
    await world.start("v2")  # a new file may be what mends them
    assert [each.failures for each in await world.store.receivers()] == [0, 0]


async def test_nothing_is_claimed_under_definitions_that_another_replica_replaced() -> None:
    world = World()
    a, b = await world.start("v1", "v1")
    await a.show("v2")
    with pytest.raises(StaleGeneration):
        await world.store.claim_due(
            {"prod": 9},
            limit=9,
            owner="b",
            lease_seconds=9,
            generation=b.in_force.current.generation,
        )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["show", "show", "kill", "stop", "start", "wait"]),
        st.integers(0, 2),
        st.sampled_from([1, 5, 20]),
    ),
    max_size=25,
)


@settings(max_examples=examples(25), deadline=None)
@given(steps=STEPS, versions=st.lists(st.integers(1, 4), min_size=1, max_size=4))
async def test_whatever_happens_replicas_agree_and_come_to_rest(
    steps: list[tuple[str, int, int]], versions: list[int]
) -> None:
    """Disks show the versions in the same order, each at its own pace; processes come and go."""
    history = ["v1", *(f"v{number}" for number in versions)]
    world = World()
    await world.start("v1", "v1", "v1")
    places = [0, 0, 0]
    for kind, index, seconds in steps:
        replica = world.replicas[index]
        if kind == "show" and places[index] + 1 < len(history):
            places[index] += 1
            await replica.show(history[places[index]])
        elif kind == "start" and not replica.is_running:
            await replica.start()
        elif kind == "stop" and replica.is_running:
            await replica.stop()
        elif kind == "kill":
            replica.kill()
        await world.pass_seconds(seconds)
        assert len(texts(world)) <= 1
    for index, replica in enumerate(world.replicas):
        for text in history[places[index] + 1 :]:
            await replica.show(text)
        if not replica.is_running:
            await replica.start()
    await world.pass_seconds(2 * int(LIVE_SECONDS) + 2)
    assert texts(world) == {history[-1]}
    number = await world.number()
    await world.pass_seconds(60)
    assert await world.number() == number
    assert not any(replica.in_force.problems for replica in world.replicas)
