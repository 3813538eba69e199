"""Git mode with two replicas: one looks and sweeps at a time, and the other takes over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StoreUnavailable
from router.flow.lease import Lease
from router.flow.turns import LEASE_SECONDS
from tests.builders import make_routing
from tests.fakes.git import FakeGit
from tests.flow.conftest import until
from tests.flow.git_mode import ACCESS, GitMode, git_entry, start_git_mode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from router.core.model import Saved
    from router.core.routing import GitAccess

INTERVAL_SECONDS = ACCESS.sweep_interval_seconds * 1.1 + 2


async def started() -> tuple[GitMode, GitMode]:
    """Two replicas, both of which have seen that main is planned."""
    a = await start_git_mode()
    b = await start_git_mode(beside=a)
    await a.sweep()
    await b.sweep()
    for mode in (a, b):
        await mode.called()
    a.host.asked.clear()
    return a, b


@asynccontextmanager
async def running(*modes: GitMode) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(mode.refs.run(stop)) for mode in modes]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def wait_until_routed(mode: GitMode, saved: Saved) -> None:
    async def is_routed() -> bool:
        return (await mode.status(saved))[0] == "routed"

    await until(is_routed)


def look_lease(mode: GitMode) -> Lease:
    return Lease(mode.parts, "look fleet", seconds=LEASE_SECONDS)


async def test_what_a_dead_replica_accepted_is_planned_by_another_one() -> None:
    a, b = await started()
    saved = await a.tell(*a.change("a/x"))
    async with running(b):
        await wait_until_routed(b, saved)
    assert await b.called() == {"a"}


async def test_while_a_replica_looks_no_other_one_asks_the_host() -> None:
    a, b = await started()
    lease = look_lease(a)
    assert await lease.take() == 0
    saved = await b.tell(*b.change("a/x"))
    async with running(b):
        await asyncio.sleep(0.05)  # b has heard, and would look at once
        assert a.host.asked == []
        assert (await b.status(saved))[0] == "accepted"
        a.clock.advance(LEASE_SECONDS)  # a has died: nobody renews or ends its lease
        await wait_until_routed(b, saved)
    assert a.host.asked == ["fetch_tips", "fetch_commit"]


async def test_what_only_one_replica_knows_is_looked_at_when_the_other_one_is_done() -> None:
    a, b = await started()
    lease = look_lease(a)
    assert await lease.take() == 0
    b.change("a/x")  # without a webhook; a sweep of b has found it
    async with running(b):
        b.parts.hints.add("fleet")
        await asyncio.sleep(0.05)
        assert a.host.asked == []
        await lease.end()

        async def is_planned() -> bool:
            return await a.called() == {"a"}

        await until(is_planned)


class SlowGit(FakeGit):
    """A host that takes its time, and tells how many ask it at once."""

    at_once: list[int]

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, str]:
        self.at_once.append(self.at_once[-1] + 1)
        for _ in range(20):
            await asyncio.sleep(0)
        self.at_once.append(self.at_once[-1] - 1)
        return await super().fetch_tips(access, refs)


async def test_pushes_to_all_replicas_are_looked_at_by_one_at_a_time() -> None:
    at_once = [0]
    gits = [SlowGit() for _ in range(3)]
    for git in gits:
        git.at_once = at_once
    first = await start_git_mode(git=gits[0])
    modes = [first, *[await start_git_mode(beside=first, git=git) for git in gits[1:]]]
    await first.look()
    await first.called()
    saved = []
    async with running(*modes):
        for mode, path in zip(modes * 3, "aabbccabc", strict=True):
            before, after = first.change(f"{path}/x")
            saved.append(await mode.tell(before, after))
        for each in saved:
            await wait_until_routed(first, each)
    assert max(at_once) == 1
    assert await first.called() == {"a", "b", "c"}
    (wanted,) = {each.wanted for each in await first.store.receivers()}
    assert wanted >= 2


async def test_a_repository_is_swept_by_one_replica_in_an_interval() -> None:
    a, b = await started()
    for _ in range(3):
        a.clock.advance(INTERVAL_SECONDS)
        await b.sweep()
        await a.sweep()
    assert a.host.asked == ["list_tips"] * 3
    assert a.observer.swept[-1] == ("fleet", False)  # its lag is that of the sweeps it relies on


async def test_when_the_one_that_sweeps_dies_another_one_finds_what_moved() -> None:
    a, b = await started()
    a.clock.advance(INTERVAL_SECONDS)
    await a.sweep()
    await b.sweep()
    a.change("a/x")
    a.clock.advance(INTERVAL_SECONDS)
    await b.sweep()
    assert await b.called() == {"a"}


async def test_a_replica_that_cannot_read_the_host_asks_for_itself_and_lets_others_sweep() -> None:
    a, b = await started()
    a.clock.advance(INTERVAL_SECONDS)
    a.host.trouble = "down"
    await a.sweep()
    a.host.trouble = None
    a.host.asked.clear()
    await b.sweep()
    assert a.host.asked == ["list_tips"]  # although a has just swept
    a.clock.advance(3)
    await a.sweep()  # although b has just swept
    assert a.refs.troubles == {}
    a.clock.advance(3)
    await a.sweep()
    assert len(a.host.asked) == 2


async def test_a_replica_with_an_old_routing_file_leaves_looks_and_sweeps_to_others() -> None:
    a, b = await started()
    await a.reload(make_routing(git_entry(unmapped="all")))
    saved = await a.tell(*a.change("a/x"))
    a.clock.advance(INTERVAL_SECONDS)
    await b.sweeper.sweep_due()
    assert b.parts.in_force.outdated.is_set()
    async with running(b):
        await asyncio.sleep(0.05)
        assert (await b.status(saved))[0] == "accepted"
    assert a.host.asked == []
    async with running(a):
        await wait_until_routed(a, saved)


async def test_a_lease_is_kept_through_an_outage_of_the_store_and_ends_after_it() -> None:
    a, b = await started()
    lease, other = look_lease(a), look_lease(b)
    assert await lease.take() == 0
    async with lease.renewed(0):
        a.store.is_down = True
        await asyncio.sleep(0.01)
        a.store.is_down = False
        a.clock.advance(LEASE_SECONDS - 1)
        await asyncio.sleep(0.01)
        assert await other.take() == LEASE_SECONDS
    a.store.is_down = True
    await lease.end()
    with pytest.raises(StoreUnavailable):
        await other.take()
    a.store.is_down = False
    await other.end()  # it is not theirs
    assert await other.take() > 0
