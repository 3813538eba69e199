"""What SQLite must not do more of as history grows: rows read, statements, rows written at once."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import StoreUnavailable
from router.core.model import Intent, Match
from router.store.rows import to_micros
from router.store.sqlite import history, retention
from router.store.sqlite.store import SqliteStore
from tests.store.builders import (
    APP1,
    adopt_nothing,
    ask,
    claim_one,
    make_activation,
    make_delivery,
    make_plan,
    make_want,
    record,
    save,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from router.core.model import Plan, Saved
    from tests.fakes.clock import FakeClock


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "store.db", clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    yield store
    await store.close()


def make_wide_plan(layer_count: int, *, path: str | None = None) -> Plan:
    layers = [f"layer{number}" for number in range(layer_count)]
    affected = [Match(layer=layer, is_affected=True, reason="why", path=path) for layer in layers]
    wants = [make_want(f"prod/flux-system/{layer}") for layer in layers]
    return make_plan(*wants, matches=tuple(affected))


async def save_plan(store: SqliteStore, clock: FakeClock, plan: Plan) -> Saved:
    intent = Intent(decide=lambda state: plan)
    return await store.save_delivery(make_delivery(clock), [intent], generation=1)


async def count(store: SqliteStore, table: str) -> int:
    sql = f"SELECT count(*) FROM {table}"
    return await store._reader.run(lambda connection: int(connection.execute(sql).fetchone()[0]))


async def statements(store: SqliteStore, read: Callable[[sqlite3.Connection], Any]) -> list[str]:
    told: list[str] = []

    def traced(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(told.append)
        read(connection)
        connection.set_trace_callback(None)

    await store._reader.run(traced)
    return told


async def steps(store: SqliteStore, read: Callable[[sqlite3.Connection], Any]) -> int:
    """Instructions that SQLite's virtual machine ran for *read*."""
    ran = 0

    def count_one() -> int:
        nonlocal ran
        ran += 1
        return 0

    def counted(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(count_one, 1)
        read(connection)
        connection.set_progress_handler(None, 0)

    await store._reader.run(counted)
    return ran


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """Every write to a file of this process fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_check_fails_while_nothing_can_be_written_and_heals(store: SqliteStore) -> None:
    await store.check()
    with no_file_may_grow(), pytest.raises(StoreUnavailable):
        await store.check()
    await store.check()


async def test_a_check_fails_while_the_file_is_read_only_and_heals(store: SqliteStore) -> None:
    connection = store._writer._connection  # its thread is idle between the checks
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.check()
    connection.execute("PRAGMA query_only = OFF")
    await store.check()


async def test_asking_writes_nothing_when_nothing_is_due(
    store: SqliteStore, tmp_path: Path, clock: FakeClock
) -> None:
    await save(store, clock)
    await record(store, clock, await claim_one(store), "rejected", retry_seconds=60)
    log = tmp_path / "store.db-wal"
    before = log.read_bytes()
    assert (await ask(store, {"prod": 9, "staging": 9})).next_due_seconds == 60
    assert log.read_bytes() == before


async def test_one_reason_for_every_layer_is_stored_once(
    store: SqliteStore, clock: FakeClock
) -> None:
    await save_plan(store, clock, make_wide_plan(100))
    assert await count(store, "matches") == 0
    await save_plan(store, clock, make_wide_plan(100, path="apps/base/a.yaml"))
    assert await count(store, "matches") == 100


async def test_a_list_takes_as_many_statements_for_many_deliveries_as_for_one(
    store: SqliteStore, clock: FakeClock
) -> None:
    for _ in range(20):
        await save_plan(store, clock, make_wide_plan(10, path="apps/base/a.yaml"))
    for limit in (1, 20):
        page = partial(history.deliveries, limit=limit, before=None)
        layer = partial(history.layer_deliveries, layer="layer1", limit=limit)
        assert [len(await statements(store, read)) for read in (page, layer)] == [2, 4]


async def test_a_storys_attempts_cost_the_same_however_many_follow(
    store: SqliteStore, clock: FakeClock
) -> None:
    async def cost() -> int:
        return await steps(
            store, lambda connection: history.delivery(connection, first.delivery.id)
        )

    first = await save(store, clock)
    await record(store, clock, await claim_one(store))
    alone = await cost()
    for _ in range(100):
        await save(store, clock)
        await record(store, clock, await claim_one(store), "rejected", retry_seconds=0)
        await record(store, clock, await claim_one(store))
    assert await cost() <= alone + 10


@pytest.mark.parametrize("path", [None, "apps/base/a.yaml"])
async def test_no_step_of_pruning_removes_more_rows_than_its_limit(
    store: SqliteStore, clock: FakeClock, path: str | None
) -> None:
    for layer_count in (2 * retention.MAX_ROWS, 3, 200):
        await save_plan(store, clock, make_wide_plan(layer_count, path=path))
    await serve_all(store)
    removed, rows = await prune_in_steps(store, before=to_micros(clock.now()) + 1)
    assert removed == 3
    assert len(rows) >= 3
    assert max(rows) <= retention.MAX_ROWS + 2 * 3  # and the deliveries and plans themselves
    assert [await count(store, table) for table in ("matches", "wants", "plans")] == [0] * 3


async def test_a_delivery_of_many_rows_is_counted_once(
    store: SqliteStore, clock: FakeClock
) -> None:
    kept = await save_plan(store, clock, make_plan(replace(make_want(APP1), is_held=True)))
    for _ in range(2):
        await save_plan(store, clock, make_wide_plan(retention.MAX_ROWS))
    await serve_all(store, but=APP1)
    clock.advance(1)
    assert await store.prune(before=clock.now(), limit=1) == 1
    assert await store.prune(before=clock.now(), limit=9) == 1
    assert [story.delivery for story in await store.deliveries(limit=9)] == [kept.delivery]


async def test_pruning_looks_past_any_number_of_deliveries_that_have_to_stay(
    store: SqliteStore, clock: FakeClock
) -> None:
    for _ in range(retention.MAX_CANDIDATES + 1):
        await save(store, clock, make_want(is_held=True))
    served = await save_plan(store, clock, make_plan())
    clock.advance(1)
    assert await store.prune(before=clock.now(), limit=1) == 1
    assert await store.delivery(served.delivery.id) is None


async def serve_all(store: SqliteStore, *, but: str = "") -> None:
    def serve(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE receivers SET notified = wanted WHERE key <> ?", (but,))

    await store._writer.run(serve)


async def prune_in_steps(store: SqliteStore, *, before: int) -> tuple[int, list[int]]:
    """Deliveries removed in all, and the rows that each step removed."""
    removed, rows = 0, []

    def prune(connection: sqlite3.Connection) -> tuple[retention.Step, int]:
        changed = connection.total_changes
        assert place is not None
        step = retention.prune_deliveries(connection, before=before, after=place, limit=99)
        return step, connection.total_changes - changed

    place: retention.Place | None = retention.OLDEST
    while place is not None:
        step, row_count = await store._writer.run(prune)
        removed, place = removed + step.removed, step.reached
        rows.append(row_count)
    return removed, rows
