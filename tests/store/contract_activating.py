"""What every store does when a routing file comes into force."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.model import Intent, RefState, StoredGeneration
from tests.store.builders import (
    APP1,
    APP2,
    MAIN,
    Asking,
    adopt_nothing,
    claim,
    claim_one,
    is_claimable,
    make_activation,
    make_delivery,
    make_intent,
    make_plan,
    make_want,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.core.model import Delivery
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class ActivatingContract:
    async def test_the_last_routing_file_is_kept(self, store: Store) -> None:
        await store.activate(make_activation("g2"), adopt=adopt_nothing)
        expected = StoredGeneration(number=2, digest="g2", text="# g2")
        assert await store.last_generation() == expected

    async def test_the_same_file_keeps_its_number_and_another_gets_the_next(
        self, store: Store
    ) -> None:
        numbers = []
        for digest in ("g1", "g2", "g2", "g1"):
            activated = await store.activate(make_activation(digest), adopt=adopt_nothing)
            numbers.append(activated.number)
        assert numbers == [1, 2, 2, 3]

    async def test_new_and_changed_layers_are_adopted_once(self, store: Store) -> None:
        assert await self._adopted(store, {"b": "1", "a": "1"}) == ["b", "a"]
        assert await self._adopted(store, {"b": "1", "a": "2", "c": "1"}) == ["a", "c"]
        assert await self._adopted(store, {"b": "1", "a": "2", "c": "1"}) == []

    async def test_a_layer_that_comes_back_is_adopted_anew(self, store: Store) -> None:
        await self._adopted(store, {"a": "1", "b": "1"})
        assert await self._adopted(store, {"a": "1"}) == []
        assert await self._adopted(store, {"a": "1", "b": "1"}) == ["b"]

    async def test_adoption_saves_its_deliveries_and_makes_receivers_due(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = make_delivery(clock)

        def adopt(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            assert list(names) == ["app1"]
            return [(delivery, make_intent(make_want(), tracked=None))]

        activation = make_activation("g2", definitions={"app1": "1"})
        activated = await store.activate(activation, adopt=adopt)
        assert activated.adopted == ("app1",)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert [who.delivery for who in (await claim_one(store)).asked] == [delivery.id]

    async def test_an_adoption_that_plans_nothing_is_not_saved(
        self, store: Store, clock: FakeClock
    ) -> None:
        unplanned, planned = make_delivery(clock), make_delivery(clock)
        seen = Intent(decide=lambda state: None, tracked=MAIN, after="c1")

        def adopt(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            return [(unplanned, seen), (planned, make_intent(make_want(), tracked=None))]

        activation = make_activation("g2", definitions={"app1": "1"})
        activated = await store.activate(activation, adopt=adopt)
        assert activated.adopted == ("app1",)
        assert [story.delivery for story in await store.deliveries(limit=9)] == [planned]
        assert await store.ref_state(MAIN) == RefState()
        assert (await status(store)).wanted == 1

    async def test_an_adoption_is_told_the_state_of_a_ref_and_leaves_it_alone(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, after="c1")
        asking = Asking(replace(make_plan(make_want(), cursor="c9"), ref=None))
        delivery = make_delivery(clock)

        def adopt(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            return [(delivery, Intent(decide=asking, tracked=MAIN))]

        await store.activate(make_activation("g2", definitions={"app1": "1"}), adopt=adopt)
        known = RefState(cursor="c1", was_planned=True)
        assert asking.states == [known]
        assert await store.ref_state(MAIN) == known
        story = await store.delivery(delivery.id)
        assert story is not None
        assert [saved.sequence for saved in story.plans] == [None]
        assert (await status(store)).wanted == 2
        later = await save(store, clock, after="c2", generation=2)
        assert [saved.sequence for saved in later.plans] == [2]

    async def test_an_adoption_that_fails_leaves_the_old_file_in_force(
        self, store: Store, clock: FakeClock
    ) -> None:
        def fail(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            raise ZeroDivisionError

        await save(store, clock)
        suspended = make_activation("g2", definitions={"a": "1"}, receivers={APP1: set()})
        with pytest.raises(ZeroDivisionError):
            await store.activate(suspended, adopt=fail)
        last = await store.last_generation()
        assert last is not None
        assert last.digest == "g1"
        assert (await status(store)).state == "due"
        assert await self._adopted(store, {"a": "1"}) == ["a"]

    async def test_a_suspended_receiver_keeps_its_numbers_and_is_not_called(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await store.activate(make_activation("g2", receivers={APP1: set()}), adopt=adopt_nothing)
        now = await status(store)
        assert (now.wanted, now.notified, now.callable, now.state) == (1, 0, 0, "held")
        assert not await is_claimable(store)

    async def test_lifting_a_suspension_gives_one_call_now(
        self, store: Store, clock: FakeClock
    ) -> None:
        await store.activate(make_activation("g2", receivers={APP1: set()}), adopt=adopt_nothing)
        for _ in range(3):
            await save(store, clock, make_want(is_held=True), generation=2)
        clock.advance(3600)
        await store.activate(make_activation("g3"), adopt=adopt_nothing)
        assert (await status(store)).due_at == clock.now()
        await record(store, clock, await claim_one(store))
        assert (await status(store)).state == "idle"

    async def test_a_suspended_layer_does_not_hold_another_layer_of_its_receiver(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1, "app1"))
        await save(store, clock, make_want(APP1, "db"))
        activation = make_activation("g2", receivers={APP1: {"app1"}})
        await store.activate(activation, adopt=adopt_nothing)
        now = await status(store)
        assert (now.wanted, now.callable, now.state) == (2, 1, "due")

    async def test_what_was_served_stays_served_under_any_file(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store))
        for number, receivers in enumerate(({APP1: set[str]()}, {}, None), start=2):
            activation = make_activation(f"g{number}", receivers=receivers)
            await store.activate(activation, adopt=adopt_nothing)
            assert (await status(store)).state == "idle"

    async def test_a_receiver_that_left_the_file_is_kept_and_not_called(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        await store.activate(make_activation("g2", receivers={APP2: {"app2"}}), adopt=adopt_nothing)
        assert [each.receiver for each in await claim(store)] == [APP2]
        assert (await status(store, APP1)).state == "held"
        await store.activate(make_activation("g3"), adopt=adopt_nothing)
        assert await is_claimable(store, APP1)

    async def test_the_same_file_again_does_not_disturb_backoff(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=60)
        before = await status(store)
        clock.advance(1)
        await store.activate(make_activation("g1"), adopt=adopt_nothing)
        assert await status(store) == before

    async def test_receivers_never_wanted_are_not_told_of(self, store: Store) -> None:
        assert await store.receivers() == []

    async def test_the_file_says_which_cluster_a_receiver_is_on(
        self, store: Store, clock: FakeClock
    ) -> None:
        activation = make_activation("g2", receivers={"x": {"app1"}})
        await store.activate(activation, adopt=adopt_nothing)
        await save(store, clock, make_want("x", "app1"), generation=2)
        assert [each.receiver for each in await claim(store, {"x": 1})] == ["x"]

    async def _adopted(self, store: Store, definitions: Mapping[str, str]) -> list[str]:
        asked: list[str] = []

        def adopt(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            assert names
            asked.extend(names)
            return ()

        activation = make_activation(repr(definitions), definitions=definitions)
        activated = await store.activate(activation, adopt=adopt)
        assert list(activated.adopted) == asked
        return asked
