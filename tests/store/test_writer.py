from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StoreUnavailable
from router.store.sqlite.writer import MAX_BATCH, Writer

if TYPE_CHECKING:
    from pathlib import Path


def test_a_writer_outlives_the_loop_it_answered_to(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db", check_same_thread=False, isolation_level=None)

    async def leave() -> Writer:
        writer = Writer(connection, log=tmp_path / "none")
        writing = asyncio.ensure_future(writer.run(lambda db: db.execute("CREATE TABLE a (b)")))
        await asyncio.wait([writing], timeout=0)  # it runs until it waits for the thread
        writing.cancel()
        return writer

    writer = asyncio.run(leave())
    asyncio.run(writer.close())
    connection = sqlite3.connect(tmp_path / "db")
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
    connection.close()


async def test_an_error_that_ends_the_transaction_fails_its_batch_and_nothing_after_it(
    tmp_path: Path,
) -> None:
    connection = sqlite3.connect(tmp_path / "db", check_same_thread=False, isolation_level=None)
    writer = Writer(connection, log=tmp_path / "none")

    def run_out_of_memory(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")  # as SQLite itself does on such errors
        raise MemoryError

    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(
            writer.run(lambda db: db.execute("CREATE TABLE a (b)")),
            writer.run(run_out_of_memory),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
        with pytest.raises(StoreUnavailable, match="no such table"):
            await writer.run(lambda db: db.execute("SELECT * FROM a"))
        await writer.close()


async def test_a_crowd_that_comes_at_once_shares_several_commits(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db", check_same_thread=False, isolation_level=None)
    writer = Writer(connection, log=tmp_path / "none")
    await writer.run(lambda db: db.execute("CREATE TABLE a (b)"))
    before = writer.commit_count
    await asyncio.gather(
        *(
            writer.run(lambda db: db.execute("INSERT INTO a VALUES (1)"))
            for _ in range(3 * MAX_BATCH)
        )
    )
    assert writer.commit_count - before == 3
    await writer.close()
