"""Moves the write-ahead log into the database file while nobody waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT_SECONDS = 5.0
"""Often enough to keep the log small, rare enough that its syncs do not disturb commits."""


class Checkpoints:
    """A thread that runs a passive checkpoint whenever the log was written to."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        log: Path,
        interval_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self._connection = connection
        self._log = log
        self._interval_seconds = interval_seconds
        self._is_stopping = Event()
        self._turn = Lock()
        self._thread = Thread(target=self._work, name="store-checkpoints", daemon=True)
        self._thread.start()

    async def move(self) -> None:
        """Checkpoint now, beside the writer: what it would have to move itself stays little."""
        await asyncio.to_thread(self._move)

    async def close(self) -> None:
        """Stop after the checkpoint under way."""
        self._is_stopping.set()
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _work(self) -> None:
        moved_at = 0  # also moves what a killed process left behind
        while not self._is_stopping.wait(self._interval_seconds):
            written_at = self._written_at()
            if written_at != moved_at and self._move():
                moved_at = written_at

    def _written_at(self) -> int:
        try:
            return self._log.stat().st_mtime_ns
        except OSError:
            return 0

    def _move(self) -> bool:
        """Whether it went well; a disk that is full now may have room the next time."""
        try:
            with self._turn:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error:
            return False
        return True
