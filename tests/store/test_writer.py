from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from router.store.sqlite.writer import Writer

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
