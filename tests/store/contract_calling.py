"""What every store does with attempts and due times."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.store.builders import (
    APP1,
    APP2,
    STAGING_APP1,
    claim,
    claim_one,
    is_claimable,
    make_attempt,
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

NO_ANSWER = [("unreachable", None), ("timed_out", None), ("rejected", 502), ("rejected", 504)]
ANSWERS = [
    ("rejected", 400),
    ("rejected", 500),
    ("rejected", 503),  # Flux itself: the Receiver is suspended
    ("misconfigured", None),
    ("cancelled", None),
]


class CallingContract:
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

    async def test_a_failure_is_tried_again_after_its_delay(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=7.5)
        now = await status(store)
        assert (now.failures, now.notified, now.is_leased, now.state) == (1, 0, False, "retrying")
        clock.advance(7.25)
        assert await next_due_seconds(store) == 0.25
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

    @pytest.mark.parametrize(("outcome", "http_status"), NO_ANSWER)
    async def test_the_first_success_after_no_answer_wakes_the_cluster(
        self, store: Store, clock: FakeClock, outcome: Outcome, http_status: int | None
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2), make_want(STAGING_APP1))
        for each in await claim(store, {"prod": 2, "staging": 1}):
            await record(store, clock, each, outcome, status=http_status, retry_seconds=300)
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

    async def test_attempts_that_are_recorded_at_once_count_one_after_the_other(
        self, store: Store, clock: FakeClock
    ) -> None:
        keys = [APP1, APP2, "prod/flux-system/db"]
        await save(store, clock, *map(make_want, keys))
        first, second, third = await claim(store)
        woken = await asyncio.gather(
            record(store, clock, first, "unreachable", retry_seconds=300),
            record(store, clock, second),
            record(store, clock, third),
        )
        assert list(woken) == [False, True, False]
        assert [each.receiver for each in await claim(store)] == [APP1]

    @pytest.mark.parametrize(("outcome", "http_status"), ANSWERS)
    async def test_a_success_wakes_nobody_where_flux_answered(
        self, store: Store, clock: FakeClock, outcome: Outcome, http_status: int | None
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        first, second = await claim(store)
        await record(store, clock, first, outcome, status=http_status, retry_seconds=300)
        assert not await record(store, clock, second)
        assert (await status(store, APP2)).state == "idle"

    async def test_one_hanging_receiver_leaves_the_backoff_of_the_others_alone(
        self, store: Store, clock: FakeClock
    ) -> None:
        keys = [APP1, APP2, "prod/flux-system/hanging"]
        await save(store, clock, *map(make_want, keys))
        waiting, healthy, hanging = await claim(store)
        await record(store, clock, waiting, "rejected", status=429, retry_seconds=300)
        due_at = (await status(store, APP1)).due_at
        for _ in range(3):
            clock.advance(5)  # the hanging call began before this success and times out after it
            assert not await record(store, clock, healthy)
            clock.advance(5)
            late = make_attempt(clock, hanging, "timed_out", duration_seconds=10)
            await store.record_attempt(late, owner="us", retry_seconds=0)
            await save(store, clock, make_want(APP2))
            healthy, hanging = await claim(store)
        assert not await record(store, clock, healthy)
        assert (await status(store, APP1)).due_at == due_at

    async def test_a_cluster_whose_last_success_is_older_than_the_call_is_unreachable(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        first, second = await claim(store)
        await record(store, clock, first)
        clock.advance(10)
        late = make_attempt(clock, second, "timed_out", duration_seconds=9.5)
        await store.record_attempt(late, owner="us", retry_seconds=300)
        await save(store, clock, make_want(APP1))
        assert await record(store, clock, await claim_one(store))
        assert (await status(store, APP2)).due_at == clock.now()

    async def test_a_success_in_the_instant_a_call_began_counts(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, make_want(APP1), make_want(APP2))
        first, second = await claim(store)
        await record(store, clock, first)
        late = make_attempt(clock, second, "timed_out", duration_seconds=0)
        await store.record_attempt(late, owner="us", retry_seconds=300)
        await save(store, clock, make_want(APP1))
        assert not await record(store, clock, await claim_one(store))

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
