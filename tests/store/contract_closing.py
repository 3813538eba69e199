"""What becomes, in every store, of a delivery whose updates wait no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.store.builders import (
    accept,
    make_closing,
    make_delivery,
    make_intent,
    make_update,
    make_want,
    observe,
    read,
    save,
    waiting,
)

if TYPE_CHECKING:
    from router.core.model import Delivery, DeliveryStatus
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock

MAIN_REF = "refs/heads/main"
OTHER = "refs/heads/other"


def told(delivery: Delivery) -> list[tuple[str, str]]:
    return [(update.status, update.reason) for update in delivery.updates]


class ClosingContract:
    @pytest.mark.parametrize("status", ["routed", "not_visible", "ignored"])
    async def test_a_closed_update_has_the_status_and_reason_of_its_closing(
        self, store: Store, clock: FakeClock, status: DeliveryStatus
    ) -> None:
        delivery = await accept(store, clock, make_update(paths=("a",), incomplete="no lists"))
        reason = "why \udce9"
        assert await observe(store, make_closing(delivery, status, reason=reason)) is None
        closed = replace(delivery.updates[0], status=status, reason=reason)
        expected = replace(delivery, status=status, updates=(closed,))
        if status != "routed":
            expected = replace(expected, reason=reason)
        assert await read(store, delivery) == expected
        assert [story.delivery for story in await store.deliveries(limit=9)] == [expected]
        assert await waiting(store) == []
        assert list(await store.waiting_repositories()) == []

    async def test_a_routed_delivery_keeps_its_own_reason(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = replace(
            make_delivery(clock, status="accepted", updates=(make_update(),)), reason="its own"
        )
        await store.save_delivery(delivery, [], generation=1)
        await observe(store, make_closing(delivery, reason="the closing's"))
        closed = await read(store, delivery)
        assert (closed.status, closed.reason) == ("routed", "its own")

    async def test_a_delivery_is_accepted_until_none_of_its_updates_waits(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock, make_update(), make_update(ref=OTHER))
        await observe(store, make_closing(delivery, "not_visible", reason="one"))
        half = await read(store, delivery)
        assert (half.status, told(half)) == ("accepted", [("not_visible", "one"), ("accepted", "")])
        assert [each.update.ref for each in await waiting(store)] == [OTHER]
        await observe(store, make_closing(delivery, "ignored", ref=OTHER, reason="two"))
        whole = await read(store, delivery)
        assert (whole.status, whole.reason) == ("ignored", "two")
        assert told(whole) == [("not_visible", "one"), ("ignored", "two")]

    @pytest.mark.parametrize("is_one_look", [False, True])
    async def test_one_update_that_is_routed_makes_its_delivery_routed(
        self, store: Store, clock: FakeClock, is_one_look: bool
    ) -> None:
        delivery = await accept(store, clock, make_update(), make_update(ref=OTHER))
        first = make_closing(delivery, "routed")
        last = make_closing(delivery, "not_visible", ref=OTHER, reason="never seen")
        if is_one_look:
            await observe(store, first, last)
        else:
            await observe(store, first)
            await observe(store, last)
        closed = await read(store, delivery)
        assert (closed.status, closed.reason) == ("routed", "")
        assert told(closed) == [("routed", ""), ("not_visible", "never seen")]

    async def test_an_update_that_was_routed_at_once_counts_too(
        self, store: Store, clock: FakeClock
    ) -> None:
        at_once = make_update(repository="apps", status="routed")
        delivery = await accept(store, clock, at_once, make_update())
        await observe(store, make_closing(delivery, "not_visible", reason="never seen"))
        closed = await read(store, delivery)
        assert (closed.status, closed.reason) == ("routed", "")
        assert told(closed) == [("routed", ""), ("not_visible", "never seen")]

    async def test_the_last_closing_of_one_look_decides(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock, make_update(), make_update(ref=OTHER))
        await observe(
            store,
            make_closing(delivery, "ignored", ref=OTHER, reason="one"),
            make_closing(delivery, "not_visible", reason="two"),
            make_closing(delivery, "ignored", reason="waits no more"),
        )
        closed = await read(store, delivery)
        assert (closed.status, closed.reason) == ("not_visible", "two")

    async def test_a_closing_concerns_all_that_its_delivery_has_for_one_ref_of_one_entry(
        self, store: Store, clock: FakeClock
    ) -> None:
        updates = (
            make_update("c2"),
            make_update("c3", before="c2"),
            make_update(ref=OTHER),
            make_update(repository="apps"),
            make_update(status="ignored"),
        )
        delivery = await accept(store, clock, *updates)
        neighbour = await accept(store, clock, *updates)
        await observe(store, make_closing(delivery, reason="closed"))
        assert told(await read(store, delivery)) == [
            ("routed", "closed"),
            ("routed", "closed"),
            ("accepted", ""),
            ("accepted", ""),
            ("ignored", ""),
        ]
        assert await read(store, neighbour) == neighbour

    async def test_a_closing_of_what_does_not_wait_changes_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        done, delivery = await accept(store, clock), await accept(store, clock)
        routed = (await save(store, clock)).delivery
        await observe(store, make_closing(done, "not_visible", reason="first"))
        before = [await read(store, each) for each in (done, delivery, routed)]
        await observe(
            store,
            make_closing(done, "ignored", reason="second"),
            make_closing(delivery, ref=OTHER),
            make_closing(make_delivery(clock)),
            make_closing(routed, "ignored"),
        )
        await observe(store, make_closing(delivery), repository="apps")
        assert [await read(store, each) for each in (done, delivery, routed)] == before
        assert len(await waiting(store)) == 1

    async def test_one_look_closes_many_deliveries(self, store: Store, clock: FakeClock) -> None:
        deliveries = [await accept(store, clock, make_update(f"c{number}")) for number in range(9)]
        reason = "a later push was planned"
        closings = [make_closing(each, reason=reason) for each in deliveries[:-1]]
        newest = make_closing(deliveries[-1])
        await observe(store, newest, *closings, intents=[make_intent(make_want())])
        stories = await store.deliveries(limit=9)
        assert {story.delivery.status for story in stories} == {"routed"}
        assert [story.delivery.updates[0].reason for story in stories] == ["", *[reason] * 8]
        assert [len(story.plans) for story in stories] == [1, *[0] * 8]

    @pytest.mark.parametrize("status", ["not_visible", "ignored"])
    async def test_a_delivery_that_led_to_nothing_can_be_delivered_again(
        self, store: Store, clock: FakeClock, status: DeliveryStatus
    ) -> None:
        first = await accept(store, clock, provider_delivery_id="p1")
        await observe(store, make_closing(first, status))
        second = await accept(store, clock, provider_delivery_id="p1")
        assert [each.delivery for each in await waiting(store)] == [second.id]
        await observe(store, make_closing(second))
        assert (await read(store, first)).status == status
        assert await self._repeated(store, clock) == await read(store, second)

    async def test_a_redelivery_tells_what_became_of_the_first_meanwhile(
        self, store: Store, clock: FakeClock
    ) -> None:
        first = await accept(
            store, clock, make_update(), make_update(ref=OTHER), provider_delivery_id="p1"
        )
        assert await self._repeated(store, clock) == first
        await observe(store, make_closing(first, "not_visible", reason="never seen"))
        half = await self._repeated(store, clock)
        assert (half.status, told(half)[0]) == ("accepted", ("not_visible", "never seen"))
        intent = make_intent(make_want())
        saved = await observe(store, make_closing(first, ref=OTHER), intents=[intent])
        assert saved is not None
        again = make_delivery(clock, provider_delivery_id="p1")
        repeated = await store.save_delivery(again, [], generation=1)
        assert (repeated.delivery, repeated.plans) == (saved.delivery, saved.plans)
        assert (saved.delivery.status, repeated.is_duplicate) == ("routed", True)

    async def test_only_an_accepted_delivery_gets_another_status(
        self, store: Store, clock: FakeClock
    ) -> None:
        odd = make_delivery(
            clock, provider_delivery_id="p1", status="ignored", updates=(make_update(),)
        )
        await store.save_delivery(odd, [], generation=1)
        await accept(store, clock, provider_delivery_id="p1")
        await observe(store, make_closing(odd))
        closed = await read(store, odd)
        assert (closed.status, told(closed)) == ("ignored", [("routed", "")])

    async def test_what_waits_is_not_pruned_until_it_is_closed(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = await accept(store, clock, make_update(), make_update(ref=OTHER))
        clock.advance(60)
        for ref in (MAIN_REF, OTHER):
            assert await store.prune(before=clock.now(), limit=9) == 0
            await observe(store, make_closing(delivery, "not_visible", ref=ref))
        assert await store.prune(before=clock.now(), limit=9) == 1
        assert await store.delivery(delivery.id) is None

    async def _repeated(self, store: Store, clock: FakeClock) -> Delivery:
        again = make_delivery(clock, provider_delivery_id="p1")
        saved = await store.save_delivery(again, [], generation=1)
        assert saved.is_duplicate
        return saved.delivery
