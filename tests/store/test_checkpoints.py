from __future__ import annotations

import asyncio
from threading import Event
from typing import TYPE_CHECKING

from router.store.sqlite.checkpoints import Checkpoints
from router.store.sqlite.connection import connect_checkpointer, connect_writer

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_log_that_was_written_to_is_moved_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writing = connect_writer(path)
    writing.execute("CREATE TABLE a (b)")
    size_before = path.stat().st_size
    moving, has_begun = connect_checkpointer(path), Event()
    moving.set_trace_callback(lambda sql: has_begun.set())
    checkpoints = Checkpoints(moving, log=tmp_path / "store.db-wal", interval_seconds=0.001)
    assert await asyncio.to_thread(has_begun.wait, 30)
    await checkpoints.close()
    assert path.stat().st_size > size_before
    writing.close()
