"""Several stores on one PostgreSQL database, as replicas of the service have them."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle
from typing import TYPE_CHECKING

import asyncpg
import pytest

from router.core.database import parse_database_url
from router.core.errors import StaleCursor, StaleGeneration
from router.core.model import Intent, RefState
from router.store.migrations import migrations
from router.store.postgres.schema import migrate
from router.store.postgres.store import PostgresStore
from tests.store.builders import (
    APP1,
    MAIN,
    accept,
    adopt_nothing,
    claim,
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
    from collections.abc import AsyncIterator

    from router.core.database import DatabaseUrl
    from router.core.model import Outcome, Plan, Saved
    from tests.fakes.clock import FakeClock

KEYS = [f"prod/flux-system/r{number:02}" for number in range(40)]
ROUNDS = 30


@pytest.fixture
async def replicas(new_schema: DatabaseUrl, clock: FakeClock) -> AsyncIterator[list[PostgresStore]]:
    stores = [await PostgresStore.open(new_schema, clock=clock) for _ in range(3)]
    await stores[0].activate(make_activation(), adopt=adopt_nothing)
    yield stores
    for store in stores:
        await store.close()


async def test_claims_of_replicas_never_overlap(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    await save(replicas[0], clock, *map(make_want, KEYS))

    async def claim_all(store: PostgresStore, owner: str) -> list[str]:
        got: list[str] = []
        while claims := await claim(store, {"prod": 3}, owner=owner):
            got += [each.receiver for each in claims]
        return got

    owners = [claim_all(store, f"{name}") for name, store in enumerate(replicas * 3)]
    got = [key for keys in await asyncio.gather(*owners) for key in keys]
    assert sorted(got) == KEYS


async def test_a_receiver_that_another_replica_is_taking_is_looked_for_again_soon(
    replicas: list[PostgresStore], clock: FakeClock, new_schema: DatabaseUrl
) -> None:
    await save(replicas[0], clock, make_want(APP1))
    other = await asyncpg.connect(new_schema.text)
    async with other.transaction():
        await other.execute("SELECT * FROM receivers FOR UPDATE")
        claimed = await replicas[1].claim_due(
            {"prod": 1}, limit=9, owner="us", lease_seconds=5, generation=1
        )
    await other.close()
    assert claimed.claims == ()
    assert claimed.next_due_seconds is not None
    assert 0 < claimed.next_due_seconds <= 1
    assert len(await claim(replicas[1])) == 1


async def test_nothing_is_lost_when_all_save_on_the_same_refs_and_receivers(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    """Each delivery wants the receivers in another order, and two refs in turn."""

    def intents(number: int) -> list[Intent]:
        keys = KEYS[number % 7 : number % 7 + 9]
        wants = [make_want(key, is_held=number % 3 == 0) for key in keys[:: (-1) ** number]]
        refs = [MAIN, next(others)]
        return [
            make_intent(*wants, tracked=ref, before=f"{number:04}b", after=f"{number:04}c")
            for ref in refs[:: (-1) ** number]
        ]

    others = cycle(
        [type(MAIN)(repository="fleet", url=MAIN.url, ref=f"refs/heads/{name}") for name in "abc"]
    )
    saved = await asyncio.gather(
        *(
            store.save_delivery(make_delivery(clock), intents(number), generation=1)
            for number, store in zip(range(ROUNDS * 3), cycle(replicas), strict=False)
        )
    )
    check_sequences(saved)
    asked = Counter(
        want.receiver for each in saved for item in each.plans for want in item.plan.wants
    )
    assert {each.receiver: each.wanted for each in await replicas[0].receivers()} == asked
    claims = await claim(replicas[0], {"prod": 99})
    for each in claims:
        assert len(each.asked) == each.wanted
    assert sum(store.commit_count for store in replicas) < len(saved)


def check_sequences(saved: list[Saved]) -> None:
    """Every ref gave each of its numbers once, without a gap, and moved from cursor to cursor."""
    numbers: dict[str, list[int]] = {}
    for each in saved:
        for index, item in enumerate(each.plans):
            assert item.sequence is not None
            numbers.setdefault(f"{index}", []).append(item.sequence)
    every = sorted(number for some in numbers.values() for number in some)
    assert len(every) == len(saved) * 2
    assert max(every) == len(saved)  # the ref that every delivery moves


async def test_each_plan_is_made_against_the_cursor_that_the_one_before_left(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    def intent(tip: str) -> Intent:
        def decide(state: RefState) -> Plan:
            return make_plan(make_want(), commit=tip, cursor=tip, before=state.cursor)

        return Intent(decide=decide, tracked=MAIN, after=tip)

    saved = await asyncio.gather(
        *(
            store.save_delivery(make_delivery(clock), [intent(f"c{number}")], generation=1)
            for number, store in zip(range(ROUNDS * 3), cycle(replicas), strict=False)
        )
    )
    plans = sorted(
        (item for each in saved for item in each.plans), key=lambda item: item.sequence or 0
    )
    assert [item.sequence for item in plans] == list(range(1, len(saved) + 1))
    assert [item.plan.before for item in plans] == [
        None,
        *(item.plan.commit for item in plans[:-1]),
    ]
    assert (await status(replicas[0])).wanted == len(saved)


async def test_of_a_delivery_that_all_replicas_get_one_is_saved(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    saved = await asyncio.gather(
        *(
            store.save_delivery(
                make_delivery(clock, provider_delivery_id=f"p{number}"),
                [make_intent(make_want(), after=f"c{number}")],
                generation=1,
            )
            for number in range(ROUNDS)
            for store in replicas * 2
        )
    )
    firsts = [each for each in saved if not each.is_duplicate]
    assert len(firsts) == ROUNDS
    stories = {each.delivery.provider_delivery_id: (each.delivery, each.plans) for each in firsts}
    for each in saved:
        assert (each.delivery, each.plans) == stories[each.delivery.provider_delivery_id]
    assert (await status(replicas[0])).wanted == ROUNDS


async def test_a_routing_file_comes_into_force_between_saves_and_not_within_one(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    async def save_until_stale(store: PostgresStore) -> int:
        for count in range(10_000):
            try:
                await save(store, clock, make_want(APP1))
            except StaleGeneration:
                return count
        raise AssertionError("the new file never came into force")

    savers = [asyncio.create_task(save_until_stale(store)) for store in replicas * 3]
    while not await replicas[0].receivers():
        await asyncio.sleep(0)
    activated = await replicas[1].activate(
        make_activation("g2", receivers={APP1: set()}), adopt=adopt_nothing
    )
    counts = await asyncio.gather(*savers)
    assert activated.number == 2
    now = await status(replicas[0])
    assert (now.wanted, now.state) == (sum(counts), "held")


async def test_replicas_that_start_at_once_bring_the_same_file_into_force(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    async def start() -> tuple[PostgresStore, int]:
        store = await PostgresStore.open(new_schema, clock=clock)
        activated = await store.activate(make_activation(), adopt=adopt_nothing)
        return store, activated.number

    started = await asyncio.gather(*(start() for _ in range(4)))
    assert [number for _, number in started] == [1] * 4
    for store, _ in started:
        await store.close()


@pytest.mark.parametrize("isolation", ["read%20committed", "serializable"])
async def test_of_those_that_migrate_at_once_one_does_the_work(
    new_schema: DatabaseUrl, isolation: str
) -> None:
    url = parse_database_url(f"{new_schema.text}&default_transaction_isolation={isolation}")
    before = await asyncio.gather(*(migrate(url) for _ in range(5)))
    assert set(before) <= {0, migrations("postgres")[-1][0]}
    connection = await asyncpg.connect(new_schema.text)
    numbers = await connection.fetch("SELECT number FROM schema_migrations ORDER BY number")
    await connection.close()
    assert [row[0] for row in numbers] == [number for number, _ in migrations("postgres")]


async def test_looks_of_two_replicas_close_a_delivery_of_two_refs(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    refs = ["refs/heads/main", "refs/heads/other"]
    deliveries = [
        await accept(replicas[0], clock, *(make_update(ref=ref) for ref in refs))
        for _ in range(ROUNDS)
    ]
    await asyncio.gather(
        *(
            observe(store, *(make_closing(each, ref=ref) for each in deliveries[::step]))
            for store, ref, step in zip(replicas, refs, (1, -1), strict=False)
        )
    )
    assert await waiting(replicas[2]) == []
    assert {(await read(replicas[2], each)).status for each in deliveries} == {"routed"}


async def test_of_two_looks_at_one_delivery_one_plans(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    delivery = await accept(replicas[0], clock)
    looks = await asyncio.gather(
        *(
            observe(store, make_closing(delivery), intents=[make_intent(make_want())])
            for store in replicas
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in looks) == ["Saved", *["StaleCursor"] * 2]
    assert StaleCursor in {type(each) for each in looks}
    assert (await status(replicas[0])).wanted == 1


async def test_calls_are_recorded_and_clusters_woken_beside_saves_and_claims(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    """Whoever is in whose way: every want is served in the end, and no number is lost."""
    await save(replicas[0], clock, *map(make_want, KEYS))

    async def dispatch(store: PostgresStore, owner: str) -> None:
        for number in range(ROUNDS):
            outcome: Outcome = "notified" if number % 2 else "unreachable"
            for each in await claim(store, {"prod": 5}, owner=owner):
                await record(store, clock, each, outcome, owner=owner, retry_seconds=0)

    async def push(store: PostgresStore, step: int) -> None:
        for _ in range(ROUNDS):
            await save(store, clock, *map(make_want, KEYS[::step]))

    await asyncio.gather(
        *(dispatch(store, f"{name}") for name, store in enumerate(replicas * 2)),
        *(push(store, step) for store, step in zip(replicas, (1, -1, 1), strict=True)),
        *(store.reset_backoff() for store in replicas),
    )
    while claims := await claim(replicas[0], {"prod": 99}):
        for each in claims:
            await record(replicas[0], clock, each)
    for now in await replicas[0].receivers():
        assert (now.wanted, now.notified, now.state) == (ROUNDS * 3 + 1, now.wanted, "idle")


async def test_of_those_that_ask_for_a_lease_at_once_one_gets_it(
    replicas: list[PostgresStore],
) -> None:
    for _ in range(5):
        left = await asyncio.gather(
            *(
                store.lease("look fleet", owner=f"{number}", seconds=15, generation=1)
                for number, store in enumerate(replicas * 3)
            )
        )
        (winner,) = [number for number, seconds in enumerate(left) if not seconds]
        assert all(0 < seconds <= 15 for number, seconds in enumerate(left) if number != winner)
        await replicas[0].release("look fleet", owner=f"{winner}")


async def test_of_two_files_that_are_to_follow_the_same_one_one_comes_into_force(
    replicas: list[PostgresStore],
) -> None:
    activated = await asyncio.gather(
        *(
            store.activate(make_activation(f"g{number}"), adopt=adopt_nothing, after=1)
            for number, store in enumerate(replicas, start=2)
        ),
        return_exceptions=True,
    )
    refused = [each for each in activated if isinstance(each, StaleGeneration)]
    assert len(refused) == len(replicas) - 1
    last = await replicas[0].last_generation()
    assert last is not None
    assert last.number == 2


async def test_old_history_is_removed_by_several_at_once(
    replicas: list[PostgresStore], clock: FakeClock
) -> None:
    for number in range(ROUNDS):
        await save(replicas[0], clock, make_want(APP1), after=f"c{number}")
    for each in await claim(replicas[0]):
        await record(replicas[0], clock, each)
    clock.advance(60)
    kept = await save(replicas[0], clock, make_want(APP1), after="kept")

    async def prune_all(store: PostgresStore) -> None:
        while await store.prune(before=clock.now(), limit=7) == 7:
            pass

    await asyncio.gather(*(prune_all(store) for store in replicas * 2))
    stories = await replicas[0].deliveries(limit=99)
    assert [story.delivery.id for story in stories] == [kept.delivery.id]


async def test_what_was_left_behind_long_ago_is_removed(
    replicas: list[PostgresStore], clock: FakeClock, new_schema: DatabaseUrl
) -> None:
    for store, seconds in zip(replicas, (-7200, -60, 60), strict=True):
        await store.report(f"{seconds}", digest="g1", seconds=seconds)
        await store.lease(f"look {seconds}", owner="a", seconds=seconds, generation=1)
    await replicas[0].prune(before=clock.now(), limit=9)
    connection = await asyncpg.connect(new_schema.text)
    assert len(await connection.fetch("SELECT id FROM replicas")) == 2
    assert len(await connection.fetch("SELECT name FROM leases")) == 2
    await connection.close()
