"""What every store may forget, and what never."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from router.core.model import Intent, RefState
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
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class PruningContract:
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
