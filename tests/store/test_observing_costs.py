"""What git mode costs SQLite: statements, and rows read, as history grows."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import StaleCursor
from router.core.model import Intent, Observation
from router.store.rows import to_micros
from router.store.sqlite import history, observing, retention
from router.store.sqlite.saving import Save, save_deliveries
from router.store.sqlite.store import SqliteStore
from tests.store.builders import (
    MAIN,
    accept,
    adopt_nothing,
    make_activation,
    make_closing,
    make_delivery,
    make_intent,
    make_update,
    make_want,
    observe,
    save,
    status,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from sqlite3 import Connection

    from router.core.model import Delivery, Plan, RefState
    from tests.fakes.clock import FakeClock


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "store.db", clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    yield store
    await store.close()


async def cost(store: SqliteStore, write: Callable[[Connection], Any]) -> tuple[int, int]:
    """Statements, and instructions of SQLite's virtual machine, that *write* took."""
    statements, steps = 0, 0

    def count_statement(sql: str) -> None:
        nonlocal statements
        statements += 1

    def count_step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def counted(connection: Connection) -> None:
        connection.set_trace_callback(count_statement)
        connection.set_progress_handler(count_step, 1)
        write(connection)
        connection.set_trace_callback(None)
        connection.set_progress_handler(None, 0)

    await store._writer.run(counted)
    return statements, steps


def saving_of(delivery: Delivery, *intents: Intent) -> Callable[[Connection], Any]:
    return saving_all_of([Save(delivery, intents, 1)])


def saving_all_of(saves: Sequence[Save]) -> Callable[[Connection], Any]:
    return partial(save_deliveries, saves=saves, now=0)


def look(*delivered: Delivery) -> Callable[[Connection], Any]:
    """A look with one plan, that closes all of *delivered*."""
    observation = Observation(
        repository="fleet",
        intents=(make_intent(make_want(), before="c1", after="c2"),),
        closings=tuple(make_closing(each) for each in delivered),
    )
    return partial(observing.save_observation, observation=observation, generation=1, now=0)


async def test_what_does_not_wait_costs_nothing_more(store: SqliteStore, clock: FakeClock) -> None:
    await save(store, clock)
    delivery = make_delivery(clock, updates=(make_update(status="routed"),))
    intent = make_intent(make_want(), before="c1", after="c2")
    # the delivery, the generation, its ref, its commits, the cursor, two of the plan, and three for
    # what is wanted
    assert (await cost(store, saving_of(delivery, intent)))[0] == 10


async def test_deliveries_that_wait_together_cost_as_many_statements_as_one(
    store: SqliteStore, clock: FakeClock
) -> None:
    await save(store, clock)
    saves = [
        Save(
            make_delivery(clock, updates=(make_update(status="routed"),)),
            (make_intent(make_want(), before=f"c{number}", after=f"c{number + 1}"),),
            1,
        )
        for number in range(33, 65)
    ]
    statements, _ = await cost(store, saving_all_of(saves))
    assert statements <= 2 * 10  # an odd commit is a statement of its own


async def test_an_update_that_waits_costs_one_statement_more(
    store: SqliteStore, clock: FakeClock
) -> None:
    delivery = make_delivery(clock, status="accepted", updates=(make_update(),))
    assert (await cost(store, saving_of(delivery)))[0] == 3


async def test_a_look_costs_little_more_than_its_plan(store: SqliteStore, clock: FakeClock) -> None:
    await save(store, clock)
    one = await accept(store, clock)
    many = [await accept(store, clock) for _ in range(10)]
    # the generation, eight of the plan, three of each closing, two to read the delivery
    assert (await cost(store, look(one)))[0] == 1 + 8 + 3 + 2
    assert (await cost(store, look(*many)))[0] == 1 + 8 + 3 * 10 + 2


async def test_accepting_and_closing_cost_the_same_however_much_history_there_is(
    store: SqliteStore, clock: FakeClock
) -> None:
    async def costs() -> list[int]:
        delivery = make_delivery(clock, status="accepted", updates=(make_update(),))
        _, saving_steps = await cost(store, saving_of(delivery))
        _, waiting_steps = await cost(store, partial(observing.waiting, repository="fleet"))
        _, names_steps = await cost(store, observing.waiting_repositories)
        _, closing_steps = await cost(store, look(delivery))
        return [saving_steps, waiting_steps, names_steps, closing_steps]

    await save(store, clock)
    await costs()
    before = await costs()
    for _ in range(200):
        await observe(store, make_closing(await accept(store, clock), "not_visible"))
    assert all(now <= then + 20 for now, then in zip(await costs(), before, strict=True))


async def test_a_list_reads_what_became_of_updates_with_one_statement(
    store: SqliteStore, clock: FakeClock
) -> None:
    for _ in range(20):
        await observe(store, make_closing(await accept(store, clock)))
    page = partial(history.deliveries, before=None)
    counts = [(await cost(store, partial(page, limit=limit)))[0] for limit in (1, 20)]
    assert counts == [3, 3]


async def test_no_step_of_pruning_removes_more_hints_than_its_limit(
    store: SqliteStore, clock: FakeClock
) -> None:
    updates = [make_update(repository=f"entry{number}") for number in range(retention.MAX_ROWS)]
    delivery = await accept(store, clock, *updates, make_update())
    before = to_micros(clock.now()) + 1
    for update in (*updates, make_update()):
        await observe(store, make_closing(delivery), repository=str(update.repository))

    def prune(connection: Connection) -> tuple[int, int]:
        changed = connection.total_changes
        step = retention.prune_deliveries(
            connection, before=before, after=retention.OLDEST, limit=9
        )
        return step.removed, connection.total_changes - changed

    assert await store._writer.run(prune) == (0, retention.MAX_ROWS)
    assert await store._writer.run(prune) == (1, 2)  # the last of them, and the delivery


async def test_a_look_that_is_stale_does_not_touch_its_neighbours(
    store: SqliteStore, clock: FakeClock
) -> None:
    def fail(state: RefState) -> Plan:
        raise StaleCursor("the cursor has moved")

    first, second = await accept(store, clock), await accept(store, clock)
    failing = [make_intent(make_want(), after="c8"), Intent(decide=fail, tracked=MAIN)]
    outcomes = await asyncio.gather(
        save(store, clock),
        observe(store, make_closing(first), intents=failing),
        observe(store, make_closing(second), intents=[make_intent(make_want(), after="c2")]),
        return_exceptions=True,
    )
    assert [isinstance(each, StaleCursor) for each in outcomes] == [False, True, False]
    assert [each.delivery for each in await waiting(store)] == [first.id]
    assert (await status(store)).wanted == 2
    assert (await store.ref_state(MAIN)).cursor == "c2"


async def test_what_waits_outlives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    told = []
    for is_restarted in (False, True):
        store = await SqliteStore.open(tmp_path / "store.db", clock=clock)
        await store.activate(make_activation(), adopt=adopt_nothing)
        if not is_restarted:
            await accept(store, clock)
            closed = await accept(store, clock)
            await observe(store, make_closing(closed, "not_visible", reason="never seen"))
        told.append((await waiting(store), await store.deliveries(limit=9)))
        await store.close()
    assert told[1] == told[0]
