"""What every store does when a delivery is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.core.errors import StaleGeneration
from router.core.model import Intent, Match, UpdateRecord
from tests.store.builders import (
    APP1,
    APP2,
    adopt_nothing,
    claim_one,
    make_activation,
    make_delivery,
    make_intent,
    make_plan,
    make_want,
    next_due_seconds,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock

ZERO = "0" * 40
ODD_TEXTS = [
    "apps/caf\udce9/x",  # a byte that is not UTF-8
    "\udcc3\udca9",  # two such bytes that together would be UTF-8
    "\ud83d\ude00",  # the halves of a pair, kept apart
    "nul\x00inside",
    "new\nline and é and \U0001f600",
]


class SavingContract:
    async def test_a_saved_delivery_is_read_back_whole(
        self, store: Store, clock: FakeClock
    ) -> None:
        update = UpdateRecord(
            ref="refs/heads/main",
            before="b1",
            after="c1",
            forced=None,
            repository="fleet",
            status="routed",
            reason="",
            paths=("apps/app1/a.yaml", "README.md"),
            is_truncated=True,
            incomplete="the lists name 20 commits at most",
        )
        delivery = make_delivery(clock, provider_delivery_id="p1", updates=(update,))
        saved = await store.save_delivery(
            delivery,
            [make_intent(make_want(APP1), make_want(APP2, "app2", "db", is_held=True))],
            generation=1,
        )
        assert saved.delivery == delivery
        assert not saved.is_duplicate
        assert [plan.sequence for plan in saved.plans] == [1]
        story = await store.delivery(delivery.id)
        assert story is not None
        assert (story.delivery, story.plans, story.attempts) == (delivery, saved.plans, ())

    @pytest.mark.parametrize("text", ODD_TEXTS)
    async def test_any_text_is_read_back_exactly(
        self, store: Store, clock: FakeClock, text: str
    ) -> None:
        update = UpdateRecord(
            ref=text,
            before="b1",
            after="c1",
            forced=True,
            repository=None,
            status="ignored",
            reason=text,
            paths=(text,),
        )
        match = Match(layer="app1", is_affected=True, reason=text, path=text, pattern=text)
        plan = make_plan(make_want(), matches=(match,))
        delivery = make_delivery(clock, provider_delivery_id=text, updates=(update,))
        intent = Intent(decide=lambda state: plan)
        await store.save_delivery(delivery, [intent], generation=1)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert story.delivery == delivery
        assert [saved.plan for saved in story.plans] == [plan]
        assert (await store.save_delivery(delivery, [], generation=1)).is_duplicate

    @pytest.mark.parametrize("first_status", ["routed", "accepted"])
    async def test_a_redelivery_changes_nothing_and_tells_of_the_first(
        self, store: Store, clock: FakeClock, first_status: str
    ) -> None:
        first = make_delivery(
            clock,
            provider_delivery_id="p1",
            status="routed" if first_status == "routed" else "accepted",
        )
        saved = await store.save_delivery(first, [make_intent(make_want())], generation=1)
        clock.advance(60)
        again = make_delivery(clock, provider_delivery_id="p1")
        repeated = await store.save_delivery(again, [make_intent(make_want())], generation=1)
        assert repeated.is_duplicate
        assert (repeated.delivery, repeated.plans) == (first, saved.plans)
        assert (await status(store)).wanted == 1
        assert await store.delivery(again.id) is None

    async def test_a_redelivery_is_recognized_under_any_generation(
        self, store: Store, clock: FakeClock
    ) -> None:
        first = make_delivery(clock, provider_delivery_id="p1")
        await store.save_delivery(first, [], generation=1)
        await store.activate(make_activation("g2"), adopt=adopt_nothing)
        again = make_delivery(clock, provider_delivery_id="p1")
        assert (await store.save_delivery(again, [], generation=1)).is_duplicate

    @pytest.mark.parametrize(
        ("provider_delivery_id", "body_digest"),
        [("p1", "d2"), ("p2", "d1"), (None, "d1")],
    )
    async def test_another_id_or_body_is_no_duplicate(
        self,
        store: Store,
        clock: FakeClock,
        provider_delivery_id: str | None,
        body_digest: str,
    ) -> None:
        for digest, name in [("d1", "p1"), (body_digest, provider_delivery_id)]:
            delivery = make_delivery(clock, provider_delivery_id=name, body_digest=digest)
            saved = await store.save_delivery(delivery, [], generation=1)
            assert not saved.is_duplicate

    async def test_deliveries_without_an_id_are_all_saved(
        self, store: Store, clock: FakeClock
    ) -> None:
        for _ in range(2):
            saved = await store.save_delivery(make_delivery(clock), [], generation=1)
            assert not saved.is_duplicate

    async def test_an_ignored_delivery_can_be_delivered_again(
        self, store: Store, clock: FakeClock
    ) -> None:
        for status_now in ("ignored", "ignored", "routed", "ignored"):
            delivery = make_delivery(clock, provider_delivery_id="p1")
            if status_now == "ignored":
                delivery = make_delivery(clock, provider_delivery_id="p1", status="ignored")
            saved = await store.save_delivery(delivery, [], generation=1)
            assert (saved.is_duplicate, saved.delivery) == (False, delivery)

    @pytest.mark.parametrize("generation", [0, 2])
    async def test_a_plan_of_another_generation_is_refused(
        self, store: Store, clock: FakeClock, generation: int
    ) -> None:
        delivery = make_delivery(clock)
        with pytest.raises(StaleGeneration):
            await store.save_delivery(delivery, [], generation=generation)
        assert await store.delivery(delivery.id) is None

    async def test_wanted_rises_by_one_for_each_plan(self, store: Store, clock: FakeClock) -> None:
        intents = [make_intent(make_want()), make_intent(make_want(), after="c2")]
        await store.save_delivery(make_delivery(clock), intents, generation=1)
        await save(store, clock, make_want(APP1, "app1", "db"))
        now = await status(store)
        assert (now.wanted, now.callable, now.notified, now.due_at) == (3, 3, 0, clock.now())

    async def test_a_held_want_rises_and_calls_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(is_held=True))
        now = await status(store)
        assert (now.wanted, now.callable, now.state) == (1, 0, "held")
        assert await next_due_seconds(store) is None

    async def test_a_call_serves_held_wants_too(self, store: Store, clock: FakeClock) -> None:
        await save(store, clock, make_want())
        await save(store, clock, make_want(APP1, "db", is_held=True))
        claim = await claim_one(store)
        assert (claim.wanted, [who.layer for who in claim.asked]) == (2, ["app1", "db"])
        await record(store, clock, claim)
        assert (await status(store)).state == "idle"
