"""What every store does with the plans that a look at a Git host leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StaleCursor, StaleGeneration
from router.core.model import Intent, RefState
from tests.store.builders import (
    MAIN,
    Asking,
    accept,
    adopt_nothing,
    claim_one,
    make_activation,
    make_closing,
    make_delivery,
    make_intent,
    make_plan,
    make_update,
    make_want,
    observe,
    read,
    record,
    save,
    status,
    waiting,
)

if TYPE_CHECKING:
    from router.core.model import Delivery, Plan
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


def nothing() -> Intent:
    return Intent(decide=lambda state: None, tracked=MAIN, after="c2")


def stale() -> Intent:
    """An intent made against another cursor than that of now."""

    def decide(state: RefState) -> Plan:
        raise StaleCursor("the cursor has moved")

    return Intent(decide=decide, tracked=MAIN, after="c9", tips={"refs/heads/main": "c9"})


class ObservingContract:
    async def test_a_plan_belongs_to_the_delivery_that_waited_for_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock)
        intent = make_intent(make_want(), before="c1", after="c2")
        saved = await observe(store, make_closing(delivery), intents=[intent])
        assert saved is not None
        assert [(plan.sequence, plan.plan.commit) for plan in saved.plans] == [(1, "c2")]
        assert not saved.is_duplicate
        update = replace(delivery.updates[0], status="routed")
        assert saved.delivery == replace(delivery, status="routed", updates=(update,))
        story = await store.delivery(delivery.id)
        assert story is not None
        assert (story.delivery, story.plans) == (saved.delivery, saved.plans)
        assert await waiting(store) == []

    async def test_a_plan_moves_the_cursor_and_raises_wanted(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, after="c1")
        delivery = await accept(store, clock)
        asking = Asking(make_plan(make_want(), commit="c2", cursor="c2", told="c3"))
        intent = Intent(decide=asking, tracked=MAIN, before="c1", after="c2")
        saved = await observe(store, make_closing(delivery), intents=[intent])
        assert saved is not None
        assert [plan.sequence for plan in saved.plans] == [2]
        assert asking.states == [RefState(cursor="c1", was_planned=True)]
        assert await store.ref_state(MAIN) == RefState(cursor="c2", told="c3", was_planned=True)
        again = Asking(None)
        await observe(store, intents=[Intent(decide=again, tracked=MAIN)])
        assert again.states == [RefState(cursor="c2", told="c3", was_planned=True)]
        claim = await claim_one(store)
        assert (claim.wanted, [each.delivery for each in claim.asked][1]) == (2, delivery.id)
        await record(store, clock, claim)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert [attempt.outcome for attempt in story.attempts] == ["notified"]

    async def test_the_commits_of_an_observation_are_known_from_then_on(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock)
        seen = Intent(decide=lambda state: None, tracked=MAIN, before="b1", after="c2")
        await observe(store, make_closing(delivery), intents=[seen])
        asking = Asking(make_plan())
        intents = [Intent(decide=asking, tracked=MAIN, after=each) for each in ("b1", "c2", "c3")]
        await store.save_delivery(make_delivery(clock), intents, generation=1)
        assert [state.is_tip_known for state in asking.states] == [True, True, False]

    async def test_a_new_delivery_is_saved_with_its_plans(
        self, store: Store, clock: FakeClock
    ) -> None:
        closed = await accept(store, clock)
        update = make_update(status="routed")
        swept = replace(make_delivery(clock, updates=(update,)), origin="sweep", hook=None)
        saved = await observe(
            store, make_closing(closed), delivery=swept, intents=[make_intent(make_want())]
        )
        assert saved is not None
        assert saved.delivery == swept
        stories = await store.deliveries(limit=9)
        assert [(each.delivery.id, len(each.plans)) for each in stories] == [
            (swept.id, 1),
            (closed.id, 0),
        ]
        assert await read(store, swept) == swept
        assert [each.delivery for each in (await claim_one(store)).asked] == [swept.id]

    @pytest.mark.parametrize("is_new", [False, True])
    async def test_intents_that_plan_nothing_close_all_the_same(
        self, store: Store, clock: FakeClock, is_new: bool
    ) -> None:
        delivery = await accept(store, clock)
        closing = make_closing(delivery, reason="planned before")
        swept = make_delivery(clock) if is_new else None
        assert await observe(store, closing, intents=[nothing()], delivery=swept) is None
        assert await waiting(store) == []
        assert await store.ref_state(MAIN) == RefState()
        stories = await store.deliveries(limit=9)
        assert [story.delivery.id for story in stories] == [delivery.id]

    async def test_tips_are_remembered_without_any_delivery(
        self, store: Store, clock: FakeClock
    ) -> None:
        tips = {"refs/heads/main": "c2"}
        assert await observe(store, intents=[replace(nothing(), tips=tips)]) is None
        assert await store.ref_state(MAIN) == RefState(tips=tips)
        await accept(store, clock)
        later = {"refs/heads/main": "c3"}
        stranger = make_closing(make_delivery(clock))
        assert await observe(store, stranger, intents=[replace(nothing(), tips=later)]) is None
        assert await store.ref_state(MAIN) == RefState(tips=later)

    async def test_plans_are_told_after_those_that_needed_no_look(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = make_delivery(clock, status="accepted", updates=(make_update(),))
        at_once = make_intent(make_want(), tracked=None, after="at once")
        first = await store.save_delivery(delivery, [at_once], generation=1)
        saved = await observe(
            store, make_closing(delivery), intents=[make_intent(make_want(), after="later")]
        )
        assert saved is not None
        story = await store.delivery(delivery.id)
        assert story is not None
        assert story.plans == (*first.plans, *saved.plans)
        assert (await status(store)).wanted == 2

    async def test_a_delivery_that_waits_no_more_takes_no_plans(
        self, store: Store, clock: FakeClock
    ) -> None:
        done, other = await accept(store, clock), await accept(store, clock)
        await observe(store, make_closing(done, "not_visible"))
        before = await self._everything(store, done, other)
        for first in (make_closing(done), make_closing(make_delivery(clock))):
            with pytest.raises(StaleCursor):
                await observe(store, first, make_closing(other), intents=[make_intent(make_want())])
            assert await self._everything(store, done, other) == before

    @pytest.mark.parametrize("is_new", [False, True])
    async def test_only_the_delivery_of_the_plans_must_still_wait(
        self, store: Store, clock: FakeClock, is_new: bool
    ) -> None:
        delivery, done = await accept(store, clock), await accept(store, clock)
        await observe(store, make_closing(done, "not_visible"))
        closings = [make_closing(delivery), make_closing(done)]
        swept = make_delivery(clock) if is_new else None
        saved = await observe(
            store,
            *(closings[::-1] if is_new else closings),
            intents=[make_intent()],
            delivery=swept,
        )
        assert saved is not None
        assert saved.delivery.id == (swept or delivery).id
        assert (await read(store, done)).status == "not_visible"

    @pytest.mark.parametrize("is_new", [False, True])
    async def test_a_plan_made_against_another_cursor_saves_nothing(
        self, store: Store, clock: FakeClock, is_new: bool
    ) -> None:
        delivery = await accept(store, clock)
        swept = make_delivery(clock)
        before = await self._everything(store, delivery, swept)
        with pytest.raises(StaleCursor):
            await observe(
                store,
                make_closing(delivery),
                intents=[make_intent(make_want()), stale()],
                delivery=swept if is_new else None,
            )
        assert await self._everything(store, delivery, swept) == before

    async def test_a_look_under_another_routing_file_saves_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock)
        await store.activate(make_activation("g2"), adopt=adopt_nothing)
        before = await self._everything(store, delivery)
        for intents in ([], [make_intent(make_want())]):
            with pytest.raises(StaleGeneration):
                await observe(store, make_closing(delivery), intents=intents, generation=1)
        assert await self._everything(store, delivery) == before
        await observe(store, make_closing(delivery), generation=2)

    async def test_a_layer_tells_of_the_deliveries_that_were_planned_last(
        self, store: Store, clock: FakeClock
    ) -> None:
        waited = await accept(store, clock)
        between = (await save(store, clock)).delivery
        await observe(store, make_closing(waited), intents=[make_intent(make_want(), after="c2")])
        for limit, expected in [(9, [between, waited]), (1, [waited])]:
            found = await store.layer_deliveries("app1", limit=limit)
            assert [story.delivery.id for story in found] == [each.id for each in expected]
        assert (await store.layer_deliveries("app1", limit=1))[0].delivery.status == "routed"

    async def test_a_call_is_wanted_since_the_first_of_its_deliveries_was_received(
        self, store: Store, clock: FakeClock
    ) -> None:
        waited = await accept(store, clock)
        clock.advance(5)
        await save(store, clock)
        await observe(store, make_closing(waited), intents=[make_intent(make_want(), after="c2")])
        claim = await claim_one(store)
        assert clock.now() - claim.wanted_since == timedelta(seconds=5)

    async def _everything(self, store: Store, *deliveries: Delivery) -> list[object]:
        """Whatever an observation may change."""
        return [
            [await store.delivery(each.id) for each in deliveries],
            await store.receivers(),
            await store.ref_state(MAIN),
            await waiting(store),
        ]
