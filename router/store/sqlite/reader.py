"""Reads, in a thread and on a connection of their own, so that no write keeps them waiting."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from router.core.errors import StoreUnavailable
from router.store.sqlite.connection import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Reader:
    """Owns the reading connection and the thread that uses it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        self._is_closed = False

    async def run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run *operation* on one consistent snapshot. Raises StoreUnavailable."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._read, operation)

    async def close(self) -> None:
        """Finish the reads that were handed in and close the connection."""
        self._is_closed = True
        await asyncio.to_thread(self._executor.shutdown)
        self._connection.close()

    def _read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._connection.execute("BEGIN")
            try:
                return operation(self._connection)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise unavailable(error) from error
