"""What every store tells of the past."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from router.core.model import Intent, Match, RefState
from tests.store.builders import (
    APP1,
    APP2,
    LEASE_SECONDS,
    STAGING_APP1,
    claim,
    claim_one,
    make_delivery,
    make_intent,
    make_plan,
    make_want,
    record,
    save,
)

if TYPE_CHECKING:
    from router.core.model import Plan, Saved
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


def _give(plan: Plan, state: RefState) -> Plan:
    return plan


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

    async def test_lists_tell_of_plans_in_short(self, store: Store, clock: FakeClock) -> None:
        decided = Match(layer="app1", is_affected=True, reason="why", path="a/b", pattern="a/")
        shared = Match(layer="app1", is_affected=True, reason="not known")
        other = replace(shared, layer="app2")
        excluded = Match(layer="db", is_affected=False, reason="excluded", path="c", pattern="!c")
        plans = [
            make_plan(make_want(APP1), matches=(excluded, decided, other), before="b1", cursor="c"),
            make_plan(make_want(APP1), make_want(APP2), matches=(shared, other)),
            make_plan(),
        ]
        intents = [Intent(decide=partial(_give, plan)) for plan in plans]
        saved = await store.save_delivery(make_delivery(clock), intents, generation=1)
        short = [
            replace(plans[0], wants=(), matches=(replace(decided, path=None, pattern=None), other)),
            replace(plans[1], wants=()),
            plans[2],
        ]
        for stories in (
            await store.deliveries(limit=9),
            await store.layer_deliveries("app1", limit=9),
        ):
            (story,) = stories
            assert story.delivery == saved.delivery
            assert [saved.plan for saved in story.plans] == short
        whole = await store.delivery(saved.delivery.id)
        assert whole is not None
        assert [saved.plan for saved in whole.plans] == plans

    async def test_a_list_keeps_each_deliverys_plans_to_itself(
        self, store: Store, clock: FakeClock
    ) -> None:
        for after in ("c1", "c2", "c3"):
            intents = [make_intent(make_want(), after=f"{after}{part}") for part in "ab"]
            await store.save_delivery(make_delivery(clock), intents, generation=1)
        assert [
            [(saved.sequence, saved.plan.commit) for saved in story.plans]
            for story in await store.deliveries(limit=2)
        ] == [[(5, "c3a"), (6, "c3b")], [(3, "c2a"), (4, "c2b")]]

    async def test_a_layer_of_many_receivers_tells_of_each_delivery_once(
        self, store: Store, clock: FakeClock
    ) -> None:
        both = [make_want(APP1, "app1", "db"), make_want(STAGING_APP1, "app1")]
        saved = [await save(store, clock, *both)]
        saved.append(await save(store, clock, make_want(APP1, "db")))
        saved.append(await save(store, clock, both[1]))
        ids = [each.delivery.id for each in saved]
        for layer, limit, expected in [
            ("app1", 9, [ids[2], ids[0]]),
            ("app1", 1, [ids[2]]),
            ("db", 9, [ids[1], ids[0]]),
        ]:
            found = await store.layer_deliveries(layer, limit=limit)
            assert [story.delivery.id for story in found] == expected

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

    async def test_a_late_record_of_an_older_claim_is_told_with_its_number(
        self, store: Store, clock: FakeClock
    ) -> None:
        first = await save(store, clock)
        late = await claim_one(store, owner="request 1")
        clock.advance(LEASE_SECONDS)
        second = await save(store, clock)
        await record(store, clock, await claim_one(store, owner="request 2"), owner="request 2")
        await record(store, clock, late, "timed_out", owner="request 1")
        assert await self._calls(store, first) == [(APP1, "notified"), (APP1, "timed_out")]
        assert await self._calls(store, second) == [(APP1, "notified")]

    async def _calls(self, store: Store, saved: Saved) -> list[tuple[str, str]]:
        story = await store.delivery(saved.delivery.id)
        assert story is not None
        return [(attempt.receiver, attempt.outcome) for attempt in story.attempts]
