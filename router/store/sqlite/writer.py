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

Item = TypeVar("Item")
T = TypeVar("T")

MAX_BATCH = 512
"""About how many operations share a commit: bounds how long the first waits for the last."""


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any


Outcome: TypeAlias = _Done | BaseException


Operation: TypeAlias = "Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]"
"""Does its work for several items, and returns what became of each."""


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    item: Any
    future: asyncio.Future[Any]


class Writer:
    """Owns the writing connection and the thread that uses it."""

    def __init__(self, connection: sqlite3.Connection, *, log: Path) -> None:
        """Starts the thread; *log* is SQLite's write-ahead log beside the file."""
        self.commit_count = 0
        self._connection = connection
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._collected: list[_Request] = []
        self._queue: SimpleQueue[list[_Request] | None] = SimpleQueue()
        self._is_closed = False
        self._is_last_batch = False
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run *operation* in the writing thread and return when it is on disk.

        An operation that raises is undone alone. Raises StoreUnavailable for an error of SQLite.
        """
        return await self.run_together(lambda connection, _: [operation(connection)], None)

    async def run_together(
        self, operation: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """As run, for an *operation* that does its work for all the items that wait at once.

        When it raises, it runs anew for each of them alone.
        """
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._collected:
            self._loop.call_soon(self._hand_over)
        self._collected.append(_Request(operation, item, future))
        return await future

    def _hand_over(self) -> None:
        """Wake the thread once for all that one turn of the event loop asks for."""
        collected, self._collected = self._collected, []
        for start in range(0, len(collected), MAX_BATCH):
            self._queue.put(collected[start : start + MAX_BATCH])

    async def close(self) -> None:
        """Finish what was handed in, empty the log and close the connection."""
        self._is_closed = True
        self._hand_over()
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
        requests = None if self._is_last_batch else self._queue.get()
        while requests is not None:
            batch += requests
            if len(batch) >= MAX_BATCH:
                return batch
            try:
                requests = self._queue.get_nowait()
            except Empty:
                return batch
        self._is_last_batch = True
        return batch

    def _commit_together(self, batch: Sequence[_Request]) -> Sequence[Outcome]:
        groups: dict[Operation, list[int]] = {}
        for number, request in enumerate(batch):
            groups.setdefault(request.operation, []).append(number)
        outcomes: dict[int, Outcome] = {}
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for operation, numbers in groups.items():
                done = self._run_group(operation, [batch[number].item for number in numbers])
                outcomes.update(zip(numbers, done, strict=True))
            self._connection.execute("COMMIT")
        except BaseException as error:  # those who come next must find a thread that works
            self._roll_back()
            return [_told_of(error) for _ in batch]
        self.commit_count += 1
        return [outcomes[number] for number in range(len(batch))]

    def _run_group(self, operation: Operation, items: Sequence[Any]) -> Sequence[Outcome]:
        self._connection.execute("SAVEPOINT operation")
        try:
            return [_Done(value) for value in operation(self._connection, items)]
        except BaseException as error:  # whatever it is, it is the caller's and not this thread's
            if not self._connection.in_transaction:
                # SQLite itself ends the whole transaction on some errors, such as a full disk:
                # nothing of this batch is saved.
                raise
            self._connection.execute("ROLLBACK TO operation")
            if len(items) == 1:
                return [_told_of(error)]
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE operation")
        return [outcome for item in items for outcome in self._run_group(operation, [item])]

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


def _told_of(error: BaseException) -> BaseException:
    """What a caller is told; SQLite says MemoryError when it has none left."""
    is_unavailable = isinstance(error, sqlite3.Error | MemoryError)
    return unavailable(error) if is_unavailable else error


def _settle(batch: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(batch, outcomes, strict=True):
        if request.future.done():
            continue  # its caller was cancelled
        if isinstance(outcome, _Done):
            request.future.set_result(outcome.value)
        else:
            request.future.set_exception(outcome)
