"""What is SQLite's alone: commits shared by many, a full disk, one process per file, restarts."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import OperatorError, StaleGeneration, StoreUnavailable
from router.core.model import Intent
from router.store.sqlite.store import SqliteStore
from tests.fakes.clock import FakeClock
from tests.store.builders import (
    APP1,
    LEASE_SECONDS,
    adopt_nothing,
    claim,
    claim_one,
    make_activation,
    make_delivery,
    make_intent,
    make_want,
    record,
    save,
    status,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.model import Plan, RefState

REPOSITORY = Path(__file__).parents[2]


@asynccontextmanager
async def opened(path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, clock=clock)
    try:
        await store.activate(make_activation(), adopt=adopt_nothing)
        yield store
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a store.db"


@pytest.fixture
async def store(path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    async with opened(path, clock) as store:
        yield store


def start_saving(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.saving_process", str(path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


async def hand_in(*tasks: asyncio.Task[Any]) -> None:
    """Let each task run until it waits for the writer."""
    await asyncio.wait(tasks, timeout=0)


async def set_pragma(store: SqliteStore, pragma: str) -> None:
    await store._writer.run(lambda connection: connection.execute(f"PRAGMA {pragma}").fetchall())


async def test_everything_outlives_a_restart(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as store:
        await save(store, clock)
        await claim_one(store, owner="us")
        before = (await store.deliveries(limit=9), await status(store))
    async with opened(path, clock) as store:
        assert (await store.deliveries(limit=9), await status(store)) == before
        assert list(await claim(store, owner="them")) == []
        clock.advance(LEASE_SECONDS)
        assert (await claim_one(store, owner="them")).receiver == APP1


async def test_a_new_file_is_empty_and_has_nothing_in_force(path: Path, clock: FakeClock) -> None:
    store = await SqliteStore.open(path, clock=clock)
    assert await store.last_generation() is None
    with pytest.raises(StaleGeneration):
        await save(store, clock, generation=0)
    await store.close()


async def test_routing_files_long_out_of_force_are_forgotten(
    store: SqliteStore, clock: FakeClock
) -> None:
    for digest in ("g2", "g3"):
        clock.advance(100)
        await store.activate(make_activation(digest), adopt=adopt_nothing)
    await store.prune(before=clock.now() - timedelta(seconds=50), limit=9)
    numbers = await store._reader.run(
        lambda connection: [row[0] for row in connection.execute("SELECT number FROM generations")]
    )
    assert numbers == [2, 3]  # the second was in force until 50 seconds after that instant


async def test_many_saves_share_few_commits(store: SqliteStore, clock: FakeClock) -> None:
    before = store.commit_count
    await asyncio.gather(*(save(store, clock) for _ in range(400)))
    assert store.commit_count - before < 100
    assert (await status(store)).wanted == 400


async def test_an_operation_that_fails_does_not_touch_its_neighbours(
    store: SqliteStore, clock: FakeClock
) -> None:
    def fail(state: RefState) -> Plan:
        raise ZeroDivisionError

    failing = [make_intent(make_want()), Intent(decide=fail)]
    outcomes = await asyncio.gather(
        save(store, clock),
        store.save_delivery(make_delivery(clock), failing, generation=1),
        save(store, clock, generation=7),
        store._writer.run(lambda connection: connection.execute("SELECT nonsense")),
        save(store, clock),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes[1:4]] == [
        ZeroDivisionError,
        StaleGeneration,
        StoreUnavailable,
    ]
    assert len(await store.deliveries(limit=9)) == 2
    assert (await status(store)).wanted == 2


async def test_a_cancelled_caller_disturbs_nobody(store: SqliteStore, clock: FakeClock) -> None:
    leaving = asyncio.ensure_future(save(store, clock))
    staying = asyncio.ensure_future(save(store, clock))
    await hand_in(leaving, staying)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not (await staying).is_duplicate


async def test_a_full_disk_saves_nothing_and_heals(store: SqliteStore, clock: FakeClock) -> None:
    await save(store, clock)
    await set_pragma(store, "max_page_count = 1")  # no page more than there are
    outcomes = await asyncio.gather(
        *(save(store, clock) for _ in range(300)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {StoreUnavailable}
    assert "full" in str(refused[0])
    kept = len(await store.deliveries(limit=999))
    assert kept == 1 + len(outcomes) - len(refused)
    await set_pragma(store, "max_page_count = 1000000")
    await save(store, clock)
    assert len(await store.deliveries(limit=999)) == kept + 1


async def test_a_file_that_cannot_be_written_is_unavailable_until_it_can(
    store: SqliteStore, clock: FakeClock
) -> None:
    await set_pragma(store, "query_only = ON")
    with pytest.raises(StoreUnavailable, match="readonly"):
        await save(store, clock)
    assert list(await store.deliveries(limit=9)) == []
    store._writer._connection.execute("PRAGMA query_only = OFF")  # its thread is idle now
    await save(store, clock)


async def test_a_transaction_that_cannot_begin_fails_its_whole_batch_and_no_more(
    store: SqliteStore, path: Path, clock: FakeClock
) -> None:
    await set_pragma(store, "busy_timeout = 0")
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(save(store, clock) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [StoreUnavailable] * 3
    assert list(await store.deliveries(limit=9)) == []  # a read waits for no writer
    shell.execute("ROLLBACK")
    shell.close()
    await save(store, clock)


async def test_a_read_that_fails_is_unavailable(store: SqliteStore, clock: FakeClock) -> None:
    with pytest.raises(StoreUnavailable):
        await store._reader.run(lambda connection: connection.execute("DELETE FROM deliveries"))
    assert list(await store.deliveries(limit=9)) == []


async def test_a_closed_store_is_unavailable(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as store:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await save(store, clock)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.receivers()


async def test_closing_finishes_what_was_handed_in_and_empties_the_log(
    path: Path, clock: FakeClock
) -> None:
    store = await SqliteStore.open(path, clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    saving = [asyncio.ensure_future(save(store, clock)) for _ in range(20)]
    await hand_in(*saving)
    await store.close()
    assert not any(saved.is_duplicate for saved in await asyncio.gather(*saving))
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


async def test_a_second_store_on_the_same_file_is_refused(
    store: SqliteStore, path: Path, clock: FakeClock, tmp_path: Path
) -> None:
    alias = tmp_path / "alias.db"
    alias.symlink_to(path)
    for name in (path, alias):
        with pytest.raises(OperatorError, match="another flux-router uses this database"):
            await SqliteStore.open(name, clock=clock)
    await save(store, clock)


@pytest.mark.parametrize("content", [b"this is no database" * 100, None])
async def test_a_file_that_is_no_database_is_refused(
    path: Path, clock: FakeClock, content: bytes | None
) -> None:
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(OperatorError, match="cannot use the database"):
        await SqliteStore.open(path, clock=clock)


async def test_a_folder_that_is_missing_is_refused(path: Path, clock: FakeClock) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        await SqliteStore.open(path / "below", clock=clock)


async def test_a_newer_database_is_refused_and_let_go_of(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as store:
        await set_pragma(store, "user_version = 999")
    for _ in range(2):
        with pytest.raises(OperatorError, match="schema 999"):
            await SqliteStore.open(path, clock=clock)


async def test_a_process_killed_while_it_saves_loses_nothing_it_acknowledged(
    path: Path, clock: FakeClock
) -> None:
    process = start_saving(path)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(300)]
    with pytest.raises(OperatorError, match="another flux-router"):
        await SqliteStore.open(path, clock=clock)
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    async with opened(path, clock) as store:
        kept = {story.delivery.id for story in await store.deliveries(limit=10**6)}
        assert set(acknowledged) <= kept
        assert (await status(store)).wanted == len(kept)
        checked = await store._reader.run(
            lambda connection: connection.execute("PRAGMA integrity_check").fetchone()[0]
        )
        assert checked == "ok"


async def test_a_jump_of_the_wall_clock_moves_no_lease_and_no_due_time(
    store: SqliteStore, clock: FakeClock
) -> None:
    await save(store, clock)
    held = await claim_one(store, owner="us")
    clock.at += timedelta(days=1)
    assert list(await claim(store, owner="them")) == []
    clock.at -= timedelta(days=2)
    await record(store, clock, held, "rejected", status=503, retry_seconds=60.0)
    clock.advance(59)
    assert list(await claim(store)) == []
    clock.advance(1)
    held = await claim_one(store, owner="us")
    clock.advance(LEASE_SECONDS)
    assert await claim_one(store, owner="them")


async def test_a_clock_set_back_before_a_restart_keeps_nobody_waiting(
    path: Path, clock: FakeClock
) -> None:
    async with opened(path, clock) as store:
        await save(store, clock)
        await claim_one(store, owner="killed")
    clock.at -= timedelta(days=1)
    async with opened(path, clock) as store:
        await store.reset_backoff()  # as every start does
        held = await claim_one(store)
        await record(store, clock, held)
        await save(store, clock)
        assert await claim_one(store)


async def test_an_online_backup_is_a_whole_store(
    store: SqliteStore, path: Path, clock: FakeClock, tmp_path: Path
) -> None:
    await save(store, clock)
    with sqlite3.connect(path) as running, sqlite3.connect(tmp_path / "copy.db") as copy:
        running.backup(copy)
    running.close()
    copy.close()
    async with opened(tmp_path / "copy.db", clock) as restored:
        assert await restored.deliveries(limit=9) == await store.deliveries(limit=9)


async def test_the_files_are_for_this_user_only(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "router.db", clock=FakeClock())
    await store.check()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}, modes
