"""Saves that wait share a transaction, and each of them fares as if it were alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import StaleCursor, StaleGeneration, StoreUnavailable
from router.core.model import Delivery, Intent, Plan, RefState, Saved
from router.store.postgres.failures import Unfit
from router.store.postgres.group import MAX_BATCH, WRITER_COUNT, Group
from router.store.postgres.store import PostgresStore
from tests.store.builders import (
    MAIN,
    Asking,
    adopt_nothing,
    make_activation,
    make_delivery,
    make_intent,
    make_plan,
    make_update,
    make_want,
    save,
    status,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from router.core.database import DatabaseUrl
    from tests.fakes.clock import FakeClock


PATIENCE_SECONDS = 5
"""How long a test waits for who may have been forgotten; only a failing test waits that long."""


class Gate:
    """A *save* that answers with its members, once it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.running = 0
        self.is_open = asyncio.Event()

    async def save(self, batch: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(batch))
        self.running += 1
        assert self.running <= WRITER_COUNT
        await self.is_open.wait()
        self.running -= 1
        if any(member < 0 for member in batch):
            raise Unfit("cannot be")
        if any(member == 0 for member in batch):
            raise StoreUnavailable("gone")
        return [ValueError() if member == 13 else member for member in batch]


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def run_all(group: Group[int, int], gate: Gate, *members: int) -> list[Any]:
    """One at a time while the gate is closed, then all that wait."""
    tasks = []
    for member in members:
        tasks.append(asyncio.create_task(group.run(member)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gate.is_open.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def alone(member: int) -> None:
    """No two members are the same."""


async def test_what_waits_shares_the_next_batch(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    assert await run_all(group, gate, *range(1, 8)) == list(range(1, 8))
    assert gate.batches == [[1], [2], [3, 4, 5, 6, 7]]
    assert group.commit_count == 3


async def test_a_batch_is_bounded(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    await run_all(group, gate, *range(20, MAX_BATCH + 30))
    assert [len(batch) for batch in gate.batches] == [1, 1, MAX_BATCH, 8]


async def test_members_of_one_key_never_share_a_batch(gate: Gate) -> None:
    group = Group(gate.save, key=lambda member: member % 10)
    assert await run_all(group, gate, 1, 2, 23, 33, 4, 43, 5) == [1, 2, 23, 33, 4, 43, 5]
    assert gate.batches[2] == [23, 4, 5]
    assert sorted(gate.batches[3:]) == [[33], [43]]


async def test_a_member_that_fails_is_told_alone(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    outcomes = await run_all(group, gate, 1, 2, 12, 13, 14)
    assert [type(each) for each in outcomes] == [int, int, int, ValueError, int]


async def test_a_member_that_cannot_be_stored_is_found_and_left_out(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    outcomes = await run_all(group, gate, 1, 2, 3, -4, 5)
    assert [type(each) for each in outcomes] == [int, int, int, Unfit, int]


async def test_a_batch_that_cannot_be_saved_is_told_to_all(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    outcomes = await run_all(group, gate, 1, 2, 3, 0, 5)
    assert [type(each) for each in outcomes] == [int, int, *[StoreUnavailable] * 3]


async def test_who_gives_up_waiting_leaves_the_others_alone(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    tasks = [asyncio.create_task(group.run(member)) for member in range(1, 6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    gate.is_open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in outcomes] == [int, int, int, asyncio.CancelledError, int]


async def test_closing_finishes_what_was_handed_in(gate: Gate) -> None:
    group = Group(gate.save, key=alone)
    tasks = [asyncio.create_task(group.run(member)) for member in range(1, 6)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await group.run(6)
    gate.is_open.set()
    await closing
    assert [task.result() for task in tasks] == [1, 2, 3, 4, 5]


async def test_who_comes_in_the_moment_that_all_writers_end_is_served(gate: Gate) -> None:
    group = Group(gate.save, key=alone)

    async def twice() -> list[int]:
        return [await group.run(1), await group.run(2)]

    tasks: list[asyncio.Task[Any]] = []
    for asked in (twice(), group.run(3)):
        tasks.append(asyncio.create_task(asked))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert gate.batches == [[1], [3]]
    gate.is_open.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.gather(*tasks) == [[1, 2], 3]


@pytest.fixture
async def store(new_schema: DatabaseUrl, clock: FakeClock) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(new_schema, clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    yield store
    await store.close()


async def test_saves_of_one_moment_share_a_commit(store: PostgresStore, clock: FakeClock) -> None:
    await asyncio.gather(*(save(store, clock, after=f"c{number}") for number in range(100)))
    assert store.commit_count == 1
    assert (await status(store)).wanted == 100


def fail(state: RefState) -> Plan | None:
    raise StaleCursor("moved")


async def test_of_one_batch_only_those_that_fail_are_left_out(
    store: PostgresStore, clock: FakeClock
) -> None:
    """Nothing of a failed member stays: no cursor, no number, no commit, no hint, no duplicate."""
    asking = Asking(make_plan(make_want(), cursor="c9"))
    failing = [make_intent(make_want(), after="c5"), Intent(decide=fail, tracked=MAIN, after="c6")]
    lost = make_delivery(clock, provider_delivery_id="p1", updates=(make_update(),))
    saves = [
        store.save_delivery(make_delivery(clock), [make_intent(make_want())], generation=1),
        store.save_delivery(lost, failing, generation=1),
        store.save_delivery(make_delivery(clock), [make_intent(make_want())], generation=2),
        *(
            store.save_delivery(
                make_delivery(clock), [Intent(decide=asking, tracked=MAIN, after=tip)], generation=1
            )
            for tip in ("c5", "c6", "c1")
        ),
    ]
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert [type(each).__name__ for each in outcomes] == [
        "Saved", "StaleCursor", "StaleGeneration", "Saved", "Saved", "Saved",
    ]  # fmt: skip
    assert isinstance(outcomes[2], StaleGeneration)
    assert store.commit_count == 1
    assert [state.is_tip_known for state in asking.states] == [False, False, True]
    assert [state.cursor for state in asking.states] == ["c1", "c9", "c9"]
    assert await store.delivery(lost.id) is None
    assert list(await store.waiting("fleet")) == []
    assert (await status(store)).wanted == 4
    again = Asking(None)
    await store.save_delivery(lost, [Intent(decide=again, tracked=MAIN, after="c5")], generation=1)
    assert [state.is_tip_known for state in again.states] == [True]


async def test_a_commit_that_only_a_failed_intent_named_is_not_known(
    store: PostgresStore, clock: FakeClock
) -> None:
    failing = [Intent(decide=fail, tracked=MAIN, before="b7", after="c7")]
    with pytest.raises(StaleCursor):
        await store.save_delivery(make_delivery(clock), failing, generation=1)
    asking = Asking(make_plan())
    for tip in ("b7", "c7"):
        await store.save_delivery(
            make_delivery(clock), [Intent(decide=asking, tracked=MAIN, after=tip)], generation=1
        )
    assert [state.is_tip_known for state in asking.states] == [False, False]


async def test_a_redelivery_in_the_same_moment_is_saved_if_the_first_one_fails(
    store: PostgresStore, clock: FakeClock
) -> None:
    def twin() -> Delivery:
        return make_delivery(clock, provider_delivery_id="p1")

    failing = [Intent(decide=fail, tracked=MAIN, after="c2")]
    outcomes = await asyncio.gather(
        store.save_delivery(twin(), failing, generation=1),
        store.save_delivery(twin(), [make_intent(make_want())], generation=1),
        store.save_delivery(twin(), [make_intent(make_want())], generation=1),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], StaleCursor)
    assert sorted(each.is_duplicate for each in outcomes[1:] if isinstance(each, Saved)) == [
        False, True,
    ]  # fmt: skip
    assert (await status(store)).wanted == 1
