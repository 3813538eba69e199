"""What every store does when it is asked for due receivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.core.model import Asked
from tests.store.builders import (
    APP1,
    APP2,
    LEASE_SECONDS,
    STAGING_APP1,
    ask,
    claim,
    claim_one,
    is_claimable,
    make_want,
    next_due_seconds,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from router.core.model import Outcome
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class ClaimingContract:
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
        assert await next_due_seconds(store) == 30

    async def test_a_lease_that_we_took_again_ourselves_outlives_our_late_record(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        late = await claim_one(store, owner="request 1")
        clock.advance(LEASE_SECONDS)
        again = await claim_one(store, owner="request 2")
        outcomes: tuple[Outcome, ...] = ("rejected", "cancelled", "timed_out")
        for outcome in outcomes:
            await record(store, clock, late, outcome, owner="request 1", retry_seconds=0)
            assert not await is_claimable(store)
            assert (await status(store)).failures == 0
        await record(store, clock, again, owner="request 2")
        assert (await status(store)).state == "idle"

    async def test_a_claim_is_limited_in_all_and_takes_the_oldest_of_all_clusters(
        self, store: Store, clock: FakeClock
    ) -> None:
        order = ["b/n/1", "a/n/1", "c/n/1", "a/n/2", "b/n/2"]
        for key in order:
            await save(store, clock, make_want(key))
            clock.advance(1)
        free = {"a": 9, "b": 1, "c": 9}
        claimed = await ask(store, free, limit=3)
        assert [each.receiver for each in claimed.claims] == order[:3]
        claimed = await ask(store, free, limit=3)
        assert [each.receiver for each in claimed.claims] == order[3:]

    async def test_the_last_of_many_clusters_is_served_though_little_is_allowed(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, *(make_want(f"c69/n/{number}") for number in range(3)))
        free = {f"c{number}": 1 for number in range(69)} | {"c69": 2}
        claimed = await ask(store, free, limit=4)
        assert [each.receiver for each in claimed.claims] == ["c69/n/0", "c69/n/1"]

    @pytest.mark.parametrize(
        ("free", "limit"), [({}, 9), ({"prod": 0}, 9), ({"prod": -1}, 9), ({"prod": 9}, 0)]
    )
    async def test_without_room_nothing_is_claimed_and_nothing_awaited(
        self, store: Store, clock: FakeClock, free: dict[str, int], limit: int
    ) -> None:
        await save(store, clock)
        claimed = await ask(store, free, limit=limit)
        assert (claimed.claims, claimed.next_due_seconds) == ((), None)

    async def test_next_due_is_the_first_due_time_or_lease_end(
        self, store: Store, clock: FakeClock
    ) -> None:
        assert await next_due_seconds(store) is None
        await save(store, clock)
        claimed = await ask(store)
        assert claimed.next_due_seconds == LEASE_SECONDS
        clock.advance(5)
        assert await next_due_seconds(store) == LEASE_SECONDS - 5
        await record(store, clock, claimed.claims[0], "rejected", retry_seconds=3)
        assert await next_due_seconds(store) == 3
        clock.advance(3)
        await record(store, clock, await claim_one(store))
        assert await next_due_seconds(store) is None

    async def test_next_due_tells_only_of_clusters_that_still_have_room(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2), make_want(STAGING_APP1))
        for each in await claim(store, {"staging": 1}):
            await record(store, clock, each, "rejected", retry_seconds=40)
        full = await ask(store, {"prod": 1, "staging": 1})
        assert [each.receiver for each in full.claims] == [APP1]
        assert full.next_due_seconds == 40
        rest = await ask(store, {"prod": 2, "staging": 1})
        assert [each.receiver for each in rest.claims] == [APP2]
        assert rest.next_due_seconds == LEASE_SECONDS
        assert (await ask(store, {"staging": 1})).next_due_seconds == 40

    async def test_next_due_is_not_told_when_the_limit_was_reached(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        assert (await ask(store, limit=1)).next_due_seconds is None
        assert (await ask(store, limit=2)).next_due_seconds == LEASE_SECONDS
