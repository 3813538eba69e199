"""What every store does with leases, attempts and due times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.model import Asked
from tests.store.builders import (
    APP1,
    APP2,
    LEASE_SECONDS,
    STAGING_APP1,
    claim,
    claim_one,
    is_claimable,
    make_want,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from router.core.model import Outcome
    from router.ports import Store
    from tests.fakes.clock import FakeClock


class CallingContract:
    async def test_a_claim_tells_who_asked_oldest_first(
        self, store: Store, clock: FakeClock
    ) -> None:
        since = clock.now()
        first = await save(store, clock, make_want(APP1, "db", "app1"), after="c1")
        clock.advance(5)
        second = await save(store, clock, make_want(APP1, "app1"), after="c2")
        claimed = await claim_one(store)
        assert (claimed.receiver, claimed.wanted, claimed.failures) == (APP1, 2, 0)
        assert claimed.wanted_since == since
        main = "refs/heads/main"
        assert claimed.asked == tuple(
            Asked(layer=layer, delivery=saved.delivery.id, repository="fleet", ref=main, commit=tip)
            for layer, saved, tip in [
                ("db", first, "c1"),
                ("app1", first, "c1"),
                ("app1", second, "c2"),
            ]
        )

    async def test_a_claim_tells_only_of_what_it_serves(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, after="c1")
        await record(store, clock, await claim_one(store))
        await save(store, clock, after="c2")
        assert [who.commit for who in (await claim_one(store)).asked] == ["c2"]

    async def test_a_claim_tells_of_the_newest_thousand(
        self, store: Store, clock: FakeClock
    ) -> None:
        layers = [f"layer{number:04}" for number in range(1001)]
        await save(store, clock, make_want(APP1, *layers))
        assert [who.layer for who in (await claim_one(store)).asked] == layers[1:]

    async def test_a_burst_is_one_call(self, store: Store, clock: FakeClock) -> None:
        for _ in range(50):
            await save(store, clock)
        await record(store, clock, await claim_one(store))
        assert not await is_claimable(store)
        assert (await status(store)).notified == 50

    async def test_a_want_that_comes_during_a_call_is_due_after_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        claimed = await claim_one(store)
        clock.advance(1)
        await save(store, clock)
        assert not await is_claimable(store)
        clock.advance(1)
        await record(store, clock, claimed)
        now = await status(store)
        assert (now.wanted, now.notified, now.state, now.due_at) == (2, 1, "due", clock.now())
        assert (await claim_one(store)).wanted == 2

    async def test_the_oldest_due_come_first_and_no_cluster_gets_more_than_it_has_free(
        self, store: Store, clock: FakeClock
    ) -> None:
        for name in ("c", "a", "b"):
            await save(store, clock, make_want(f"prod/flux-system/{name}"))
            clock.advance(1)
        await save(store, clock, make_want(STAGING_APP1), make_want("dev/flux-system/app1"))
        claimed = await claim(store, {"prod": 2, "staging": 5, "dev": 0})
        assert [each.receiver for each in claimed] == [
            "prod/flux-system/c",
            "prod/flux-system/a",
            STAGING_APP1,
        ]

    async def test_clusters_that_are_not_named_get_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        assert list(await claim(store, {"staging": 1})) == []

    async def test_a_leased_receiver_is_not_claimed_again_until_the_lease_ends(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await claim_one(store, owner="us")
        assert (await status(store)).state == "calling"
        clock.advance(LEASE_SECONDS - 0.001)
        assert not await is_claimable(store)
        clock.advance(0.001)
        assert (await status(store)).state == "due"
        assert (await claim_one(store, owner="them")).wanted == 1

    async def test_a_lease_that_was_taken_over_is_left_alone(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        late = await claim_one(store, owner="us")
        clock.advance(LEASE_SECONDS)
        theirs = await claim_one(store, owner="them")
        await record(store, clock, late, "rejected", owner="us")
        now = await status(store)
        assert (now.is_leased, now.failures) == (True, 0)
        assert now.last_attempt is not None
        assert now.last_attempt.outcome == "rejected"
        await record(store, clock, theirs, owner="them")
        assert (await status(store)).state == "idle"

    async def test_a_late_success_counts_though_the_lease_was_taken_over(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        late = await claim_one(store, owner="us")
        clock.advance(LEASE_SECONDS)
        await save(store, clock)
        await claim_one(store, owner="them")
        await record(store, clock, late, owner="us")
        now = await status(store)
        assert (now.notified, now.is_leased) == (1, True)

    async def test_notified_never_falls(self, store: Store, clock: FakeClock) -> None:
        await save(store, clock)
        late = await claim_one(store, owner="us")
        clock.advance(LEASE_SECONDS)
        await save(store, clock)
        await record(store, clock, await claim_one(store, owner="them"), owner="them")
        await record(store, clock, late, owner="us")
        assert (await status(store)).notified == 2

    async def test_an_expired_lease_that_nobody_took_still_records_the_failure(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        late = await claim_one(store)
        clock.advance(LEASE_SECONDS + 1)
        await record(store, clock, late, "timed_out", retry_seconds=30)
        assert (await status(store)).failures == 1
        assert await store.next_due_seconds() == 30

    async def test_a_failure_is_tried_again_after_its_delay(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=7.5)
        now = await status(store)
        assert (now.failures, now.notified, now.is_leased, now.state) == (1, 0, False, "retrying")
        clock.advance(7.25)
        assert await store.next_due_seconds() == 0.25
        assert not await is_claimable(store)
        clock.advance(0.25)
        assert (await claim_one(store)).failures == 1

    async def test_success_forgets_failures(self, store: Store, clock: FakeClock) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=0)
        await record(store, clock, await claim_one(store))
        assert (await status(store)).failures == 0

    async def test_a_push_during_backoff_waits_with_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=60)
        due_at = (await status(store)).due_at
        clock.advance(1)
        await save(store, clock)
        assert (await status(store)).due_at == due_at

    async def test_a_cancelled_call_is_due_now_and_no_failure(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        claimed = await claim_one(store)
        clock.advance(3)
        await record(store, clock, claimed, "cancelled", retry_seconds=60)
        now = await status(store)
        assert (now.failures, now.due_at, now.state) == (0, clock.now(), "due")

    async def test_an_attempt_is_kept_as_the_last_one(self, store: Store, clock: FakeClock) -> None:
        await save(store, clock)
        assert (await status(store)).last_attempt is None
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=0)
        await record(store, clock, await claim_one(store))
        last = (await status(store)).last_attempt
        assert last is not None
        assert (last.receiver, last.wanted, last.outcome, last.status) == (APP1, 1, "notified", 200)

    async def test_an_attempt_on_an_unknown_receiver_changes_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        claimed = await claim_one(store)
        await store.prune(before=clock.now(), limit=1)
        stranger = replace(claimed, receiver="prod/flux-system/stranger")
        assert not await record(store, clock, stranger)
        assert len(await store.receivers()) == 1

    @pytest.mark.parametrize("outcome", ["unreachable", "timed_out"])
    async def test_the_first_success_after_no_answer_wakes_the_cluster(
        self, store: Store, clock: FakeClock, outcome: Outcome
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2), make_want(STAGING_APP1))
        for each in await claim(store, {"prod": 2, "staging": 1}):
            await record(store, clock, each, outcome, retry_seconds=300)
        clock.advance(1)
        await save(store, clock, make_want("prod/flux-system/db"))
        assert await record(store, clock, await claim_one(store))
        assert (await status(store, APP1)).due_at == clock.now()
        assert (await status(store, APP1)).failures == 1
        assert (await status(store, STAGING_APP1)).due_at > clock.now()
        woken = await claim(store, {"prod": 9})
        assert [each.receiver for each in woken] == [APP1, APP2]
        assert not await record(store, clock, woken[0])

    async def test_an_answer_other_than_200_does_not_wake_the_cluster(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        for each in await claim(store):
            await record(store, clock, each, "unreachable", retry_seconds=0)
        first, second = await claim(store)
        assert not await record(store, clock, first, "rejected", retry_seconds=300)
        assert await record(store, clock, second)

    async def test_a_success_wakes_nobody_where_only_rejections_were(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        first, second = await claim(store)
        await record(store, clock, first, "rejected", retry_seconds=300)
        assert not await record(store, clock, second)
        assert not await is_claimable(store, APP1)

    async def test_resetting_backoff_makes_the_named_receivers_due(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        for each in await claim(store):
            await record(store, clock, each, "rejected", retry_seconds=300)
        await store.reset_backoff({APP2, "prod/flux-system/stranger"})
        assert [each.receiver for each in await claim(store)] == [APP2]
        assert (await status(store, APP1)).failures == 1
        await store.reset_backoff()
        assert (await status(store, APP1)).failures == 0
        assert await is_claimable(store, APP1)

    async def test_resetting_backoff_lets_go_of_no_lease_and_makes_no_idle_one_due(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        first, _second = await claim(store)
        await record(store, clock, first)
        await store.reset_backoff()
        assert list(await claim(store)) == []

    async def test_next_due_is_the_first_due_time_or_lease_end(
        self, store: Store, clock: FakeClock
    ) -> None:
        assert await store.next_due_seconds() is None
        await save(store, clock)
        clock.advance(2)
        assert await store.next_due_seconds() == 0
        claimed = await claim_one(store)
        clock.advance(5)
        assert await store.next_due_seconds() == LEASE_SECONDS - 5
        await record(store, clock, claimed, "rejected", retry_seconds=3)
        assert await store.next_due_seconds() == 3
        clock.advance(3)
        await record(store, clock, await claim_one(store))
        assert await store.next_due_seconds() is None
