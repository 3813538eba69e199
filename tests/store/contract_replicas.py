"""What every store does for replicas that share it: who lives, whose file is in force, leases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StaleGeneration
from router.core.model import Standing
from tests.store.builders import adopt_nothing, make_activation, make_want, save

if TYPE_CHECKING:
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock

FIRST = Standing(number=1, digest="g1", is_held=False, own_number=1)


async def report(store: Store, replica: str, digest: str) -> Standing:
    standing = await store.report(replica, digest=digest, seconds=15)
    assert standing is not None
    return standing


async def lease(store: Store, owner: str, *, seconds: float = 15, generation: int = 1) -> float:
    return await store.lease("look fleet", owner=owner, seconds=seconds, generation=generation)


class ReplicasContract:
    async def test_a_replica_hears_which_file_is_in_force(self, store: Store) -> None:
        assert await report(store, "a", "g1") == FIRST
        assert await report(store, "a", "g9") == replace(FIRST, own_number=None)

    async def test_a_file_keeps_the_number_that_it_had_last(self, store: Store) -> None:
        for digest in ("g2", "g1", "g3"):
            await store.activate(make_activation(digest), adopt=adopt_nothing)
        standing = await report(store, "a", "g1")
        assert (standing.number, standing.own_number) == (4, 3)

    async def test_a_file_is_held_while_another_replica_that_lives_has_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        await report(store, "a", "g1")
        assert not (await report(store, "a", "g1")).is_held  # by itself
        assert (await report(store, "b", "g0")).is_held
        clock.advance(14)
        assert (await report(store, "b", "g0")).is_held
        clock.advance(1)
        assert not (await report(store, "b", "g0")).is_held

    async def test_a_replica_that_leaves_or_changes_its_file_holds_the_old_one_no_more(
        self, store: Store
    ) -> None:
        await report(store, "a", "g1")
        await report(store, "a", "g0")
        assert not (await report(store, "b", "g0")).is_held
        await report(store, "a", "g1")
        await store.leave("a")
        await store.leave("stranger")
        assert not (await report(store, "b", "g0")).is_held

    async def test_a_file_comes_into_force_only_after_the_one_that_was_expected(
        self, store: Store
    ) -> None:
        with pytest.raises(StaleGeneration):
            await store.activate(make_activation("g2"), adopt=adopt_nothing, after=0)
        activated = await store.activate(make_activation("g2"), adopt=adopt_nothing, after=1)
        assert activated.number == 2
        with pytest.raises(StaleGeneration):
            await store.activate(make_activation("g1"), adopt=adopt_nothing, after=1)
        last = await store.last_generation()
        assert last is not None
        assert last.digest == "g2"

    async def test_a_lease_is_one_owner_s_until_it_ends(
        self, store: Store, clock: FakeClock
    ) -> None:
        assert await lease(store, "a") == 0
        clock.advance(5)
        assert await lease(store, "b") == 10
        assert await store.lease("sweep fleet", owner="b", seconds=9, generation=1) == 0
        clock.advance(10)
        assert await lease(store, "b") == 0
        assert await lease(store, "a") == 15

    async def test_its_owner_renews_lengthens_and_shortens_a_lease(
        self, store: Store, clock: FakeClock
    ) -> None:
        for seconds in (15, 300, 20):
            assert await lease(store, "a", seconds=seconds) == 0
            clock.advance(1)
            assert await lease(store, "b") == seconds - 1

    async def test_only_its_owner_releases_a_lease(self, store: Store) -> None:
        await lease(store, "a")
        await store.release("look fleet", owner="b")
        assert await lease(store, "b") > 0
        await store.release("look fleet", owner="a")
        assert await lease(store, "b") == 0

    async def test_nothing_is_leased_under_another_generation(self, store: Store) -> None:
        for generation in (0, 2):
            with pytest.raises(StaleGeneration):
                await lease(store, "a", generation=generation)
        assert await lease(store, "b") == 0
        await store.activate(make_activation("g2"), adopt=adopt_nothing)
        with pytest.raises(StaleGeneration):
            await lease(store, "b")
        assert await lease(store, "a", generation=2) == 15

    async def test_no_receiver_is_claimed_under_another_generation(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want())
        for generation in (0, 2):
            with pytest.raises(StaleGeneration):
                await store.claim_due(
                    {"prod": 9}, limit=9, owner="a", lease_seconds=9, generation=generation
                )
        claimed = await store.claim_due(
            {"prod": 9}, limit=9, owner="a", lease_seconds=9, generation=1
        )
        assert len(claimed.claims) == 1
