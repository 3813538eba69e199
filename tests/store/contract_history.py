"""What every store tells of the past, and what it may forget."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from router.core.model import Intent, Match, RefState
from tests.store.builders import (
    APP1,
    APP2,
    MAIN,
    Asking,
    claim,
    claim_one,
    make_delivery,
    make_plan,
    make_want,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from router.core.model import Saved
    from router.ports import Store
    from tests.fakes.clock import FakeClock


class HistoryContract:
    async def test_deliveries_come_newest_first_and_page_by_position(
        self, store: Store, clock: FakeClock
    ) -> None:
        saved = [(await save(store, clock)).delivery.id for _ in range(5)]
        newest = await store.deliveries(limit=2)
        assert [story.delivery.id for story in newest] == [saved[4], saved[3]]
        rest = await store.deliveries(limit=9, before=newest[-1].position)
        assert [story.delivery.id for story in rest] == [saved[2], saved[1], saved[0]]
        assert list(await store.deliveries(limit=9, before=rest[-1].position)) == []
        assert rest[0].plans[0].plan.wants == (make_want(),)

    async def test_an_unknown_delivery_has_no_story(self, store: Store) -> None:
        assert await store.delivery("nobody") is None

    async def test_a_layer_tells_of_the_deliveries_that_affected_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        first = await save(store, clock, make_want(APP1))
        await save(store, clock, make_want(APP2))
        excluded = Match(layer="app1", is_affected=False, reason="excluded")
        plan = make_plan(matches=(excluded,))
        intent = Intent(decide=lambda state: plan)
        await store.save_delivery(make_delivery(clock), [intent], generation=1)
        twice = Intent(decide=lambda state: make_plan(make_want(APP1)))
        last = await store.save_delivery(make_delivery(clock), [twice, twice], generation=1)
        found = await store.layer_deliveries("app1", limit=9)
        assert [story.delivery.id for story in found] == [last.delivery.id, first.delivery.id]
        assert len(await store.layer_deliveries("app1", limit=1)) == 1
        assert list(await store.layer_deliveries("stranger", limit=9)) == []

    async def test_a_story_tells_the_calls_that_served_it_up_to_the_first_success(
        self, store: Store, clock: FakeClock
    ) -> None:
        first = await save(store, clock, make_want(APP1), make_want(APP2))
        for each in await claim(store):
            await record(store, clock, each, "rejected", retry_seconds=1)
            clock.advance(0.5)
        clock.advance(1)
        second = await save(store, clock, make_want(APP1))
        for each in await claim(store):
            await record(store, clock, each)
        third = await save(store, clock, make_want(APP1))
        await record(store, clock, await claim_one(store))
        assert await self._calls(store, first) == [
            (APP1, "rejected"),
            (APP2, "rejected"),
            (APP1, "notified"),
            (APP2, "notified"),
        ]
        assert await self._calls(store, second) == [(APP1, "notified")]
        assert await self._calls(store, third) == [(APP1, "notified")]
        assert all(not story.attempts for story in await store.deliveries(limit=9))

    async def test_pruning_removes_old_deliveries_with_their_history(
        self, store: Store, clock: FakeClock
    ) -> None:
        old = await self._served(store, clock)
        clock.advance(60)
        new = await self._served(store, clock)
        removed = await store.prune(before=clock.now() - timedelta(seconds=30), limit=9)
        assert removed == 1
        assert await store.delivery(old.delivery.id) is None
        kept = await store.layer_deliveries("app1", limit=9)
        assert [story.delivery.id for story in kept] == [new.delivery.id]
        assert await self._calls(store, new) == [(APP1, "notified")]
        assert await store.prune(before=clock.now(), limit=9) == 0

    async def test_pruning_goes_in_steps_from_the_oldest(
        self, store: Store, clock: FakeClock
    ) -> None:
        saved = []
        for _ in range(5):
            saved.append(await self._served(store, clock))
            clock.advance(1)
        assert await store.prune(before=clock.now(), limit=3) == 3
        kept = [story.delivery for story in await store.deliveries(limit=9)]
        assert kept == [saved[4].delivery, saved[3].delivery]
        assert await store.prune(before=clock.now(), limit=3) == 2

    async def test_a_delivery_behind_a_wanted_that_is_ahead_is_kept(
        self, store: Store, clock: FakeClock
    ) -> None:
        served = await self._served(store, clock)
        ahead = await save(store, clock, make_want(APP1), make_want(APP2))
        held = await save(store, clock, make_want(APP2, is_held=True))
        clock.advance(60)
        assert await store.prune(before=clock.now(), limit=9) == 1
        assert await store.delivery(served.delivery.id) is None
        app1, app2 = await claim(store)
        assert [who.delivery for who in app1.asked] == [ahead.delivery.id]
        assert [who.delivery for who in app2.asked] == [ahead.delivery.id, held.delivery.id]

    async def test_pruning_keeps_cursors_numbers_and_last_attempts(
        self, store: Store, clock: FakeClock
    ) -> None:
        await self._served(store, clock)
        before = await status(store)
        clock.advance(60)
        assert await store.prune(before=clock.now(), limit=9) == 1
        assert await status(store) == before
        asking = Asking(make_plan())
        intent = Intent(decide=asking, tracked=MAIN, after="c1")
        saved = await store.save_delivery(make_delivery(clock), [intent], generation=1)
        assert asking.states == [RefState(cursor="c1", was_planned=True, is_tip_known=True)]
        assert saved.plans[0].sequence == 2

    async def test_a_position_is_never_given_twice(self, store: Store, clock: FakeClock) -> None:
        await self._served(store, clock)
        (first,) = await store.deliveries(limit=1)
        clock.advance(60)
        await store.prune(before=clock.now(), limit=9)
        await self._served(store, clock)
        (second,) = await store.deliveries(limit=1)
        assert second.position > first.position

    async def test_attempts_older_than_the_limit_are_removed_from_a_story_that_stays(
        self, store: Store, clock: FakeClock
    ) -> None:
        saved = await save(store, clock)
        for _ in range(5):
            await record(store, clock, await claim_one(store), "rejected", retry_seconds=10)
            clock.advance(10)
        await store.prune(before=clock.now() - timedelta(seconds=25), limit=1)
        assert await self._calls(store, saved) == [(APP1, "rejected")] * 2

    async def _served(self, store: Store, clock: FakeClock) -> Saved:
        saved = await save(store, clock)
        await record(store, clock, await claim_one(store))
        return saved

    async def _calls(self, store: Store, saved: Saved) -> list[tuple[str, str]]:
        story = await store.delivery(saved.delivery.id)
        assert story is not None
        return [(attempt.receiver, attempt.outcome) for attempt in story.attempts]
