"""One thread that writes: whatever waits is committed together.

A commit costs a sync to disk, about as long as dozens of writes. While one commit is under way
further operations queue up, and the next commit takes all of them: throughput grows with load,
and each caller is still answered only when its own work is on disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from router.core.errors import StoreUnavailable
from router.store.sqlite.connection import WAL_LIMIT_BYTES, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

MAX_BATCH = 512
"""Operations in one commit; bounds how long the first of them waits for the last."""


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any


Outcome: TypeAlias = _Done | BaseException


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class Writer:
    """Owns the writing connection and the thread that uses it."""

    def __init__(self, connection: sqlite3.Connection, *, log: Path) -> None:
        """Starts the thread; *log* is SQLite's write-ahead log beside the file."""
        self.commit_count = 0
        self._connection = connection
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._is_closed = False
        self._is_last_batch = False
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run *operation* in the writing thread and return when it is on disk.

        An operation that raises is undone alone. Raises StoreUnavailable for an error of SQLite.
        """
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Request(operation, future))
        return await future

    async def close(self) -> None:
        """Finish what was handed in, empty the log and close the connection."""
        self._is_closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while batch := self._next_batch():
            outcomes = self._commit_together(batch)
            self._hand_back(batch, outcomes)
            del batch, outcomes  # else the paths of a large push would live until the next one
            self._empty_large_log()
        self._checkpoint("TRUNCATE")
        self._connection.close()

    def _next_batch(self) -> list[_Request]:
        batch: list[_Request] = []
        request = None if self._is_last_batch else self._queue.get()
        while request is not None:
            batch.append(request)
            if len(batch) == MAX_BATCH:
                return batch
            try:
                request = self._queue.get_nowait()
            except Empty:
                return batch
        self._is_last_batch = True
        return batch

    def _commit_together(self, batch: Sequence[_Request]) -> Sequence[Outcome]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._run_alone(request) for request in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return [unavailable(error) for _ in batch]
        self.commit_count += 1
        return outcomes

    def _run_alone(self, request: _Request) -> Outcome:
        self._connection.execute("SAVEPOINT operation")
        try:
            outcome: Outcome = _Done(request.operation(self._connection))
        except BaseException as error:  # whatever it is, it is the caller's and not this thread's
            if not self._connection.in_transaction:
                # SQLite itself ends the whole transaction on some errors, such as a full disk:
                # nothing of this batch is saved.
                raise
            self._connection.execute("ROLLBACK TO operation")
            outcome = unavailable(error) if isinstance(error, sqlite3.Error) else error
        self._connection.execute("RELEASE operation")
        return outcome

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # a transaction that stays open fails the next batch's BEGIN
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _hand_back(self, batch: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, batch, outcomes)

    def _empty_large_log(self) -> None:
        with suppress(OSError):
            if self._log.stat().st_size > WAL_LIMIT_BYTES:
                self._checkpoint("PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        with suppress(sqlite3.Error):  # the log keeps what could not be moved
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()


def _settle(batch: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(batch, outcomes, strict=True):
        if request.future.done():
            continue  # its caller was cancelled
        if isinstance(outcome, _Done):
            request.future.set_result(outcome.value)
        else:
            request.future.set_exception(outcome)
