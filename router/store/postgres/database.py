"""Transactions on the server: run whole, run again where that helps, or else nothing was done."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from router.core.errors import StoreUnavailable
from router.store.postgres.connection import (
    COMMAND_TIMEOUT_SECONDS,
    CONNECT_TIMEOUT_SECONDS,
    create_pool,
)
from router.store.postgres.failures import (
    ABANDONED,
    LOST,
    REPEATABLE,
    TROUBLES,
    NotBegun,
    unavailable,
    unusable,
)
from router.store.postgres.schema import migrate
from router.store.postgres.statements import SQL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any

    from asyncpg.pool import PoolConnectionProxy

    from router.core.database import DatabaseUrl
    from router.ports.clock import Clock
    from router.store.postgres.statements import Connection

T = TypeVar("T")

MAX_CONNECTIONS = 10
"""Of one replica. Savers and recorders have two each; the rest is for claims, looks and readers."""

MAX_READERS = 4
"""Of them: however many people look at a page, pushes are saved."""

ACQUIRE_TIMEOUT_SECONDS = CONNECT_TIMEOUT_SECONDS + 5.0
"""How long to wait for a connection that others use, or that must be made: an attempt to connect
that was cut off by this would not be known to have failed, and nobody would be spared the next."""

UNDO_TIMEOUT_SECONDS = 2.0
"""How long to wait until a transaction is undone; else the server does it when its connection is
dropped. Whoever was cancelled waits for it."""

RELEASE_TIMEOUT_SECONDS = 5.0
"""How long to wait for a statement that was given up to end; then its connection is dropped."""

CLOSE_TIMEOUT_SECONDS = 10.0
"""How long what runs may take to end when the store is closed."""

MAX_TRIES = 5
"""Of a transaction that others are in the way of."""

RETRY_SECONDS = 0.05
"""At most so long before a transaction is run again, so that the others are done with it."""


class Database:
    """The database of one URL, over a pool of connections."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], *, url: DatabaseUrl, clock: Clock
    ) -> None:
        self._pool = pool
        self._url = url
        self._clock = clock
        self._readers = asyncio.Semaphore(MAX_READERS)
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        url: DatabaseUrl,
        *,
        clock: Clock,
        command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
    ) -> Database:
        """Bring the database to the newest schema and connect. Raises OperatorError."""
        await migrate(url)
        try:
            pool = await create_pool(
                url,
                clock,
                size=MAX_CONNECTIONS,
                command_timeout_seconds=command_timeout_seconds,
            )
        except (*TROUBLES, ValueError) as error:
            raise unusable(error, url) from error
        return cls(pool, url=url, clock=clock)

    async def write(
        self, operation: Callable[[Connection], Awaitable[T]], *, locked: str | None = None
    ) -> T:
        """Run *operation* in a transaction that is durable when this returns.

        *locked* names a statement that locks what must be locked before anything else is.

        Whatever *operation* raises undoes it. It is run again when others were in its way. Raises
        StoreUnavailable for an error of the database.
        """
        begin = SQL["begin"] if locked is None else f"{SQL['begin']}; {SQL[locked]}"
        return await self._repeatedly(lambda: self._transact(begin, operation))

    async def read(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """Run *operation* on one consistent snapshot. Raises StoreUnavailable."""
        async with self._readers:
            return await self._repeatedly(lambda: self._transact(SQL["begin_reading"], operation))

    async def fetch(self, name: str, *parameters: Any) -> list[asyncpg.Record]:
        """The rows of one statement, a transaction of its own. Raises StoreUnavailable."""

        async def run() -> list[asyncpg.Record]:
            async with self._connection() as connection:
                return await connection.fetch(SQL[name], *parameters)

        return await self._repeatedly(run)

    async def close(self) -> None:
        """Let what runs end, then close every connection."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._pool.close()

    async def _repeatedly(self, run: Callable[[], Awaitable[T]]) -> T:
        for tries_left in reversed(range(MAX_TRIES)):
            try:
                return await run()
            except (*REPEATABLE, NotBegun) as error:
                if not tries_left:
                    cause = error.__cause__ or error
                    raise unavailable(cause, self._url)  # noqa: B904 - it has its cause
            await asyncio.sleep(RETRY_SECONDS * self._clock.jitter())
        raise AssertionError("the last try returns or raises")

    async def _transact(self, begin: str, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """A connection may have been lost at rest: NotBegun then, and another one will do."""
        async with self._connection() as connection:
            has_begun = False
            try:
                await connection.execute(begin)
                has_begun = True
                outcome = await operation(connection)
            except BaseException as error:
                await _abandon(connection, is_lost=isinstance(error, (*LOST, TimeoutError)))
                if isinstance(error, LOST) and not has_begun:
                    raise NotBegun from error
                raise
            await connection.execute(SQL["commit"])
            return outcome

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection that nobody else uses. Translates errors, but not those to be repeated."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
            try:
                yield connection
            except TimeoutError:  # the server itself gives up sooner: nobody is there any more
                await self._pool.expire_connections()
                raise
            finally:
                await self._release(connection)
        except (*REPEATABLE, NotBegun):
            raise
        except TROUBLES as error:
            if isinstance(error, ABANDONED):
                await self._pool.expire_connections()
            raise unavailable(error, self._url)  # noqa: B904 - it has its cause, where it may

    async def _release(self, connection: PoolConnectionProxy[asyncpg.Record]) -> None:
        """One that cannot be used again is dropped; what was done on it stands all the same."""
        with suppress(*TROUBLES):
            await self._pool.release(connection, timeout=RELEASE_TIMEOUT_SECONDS)


async def _abandon(connection: Connection, *, is_lost: bool) -> None:
    """Undo the transaction; a connection on which even that fails is not kept."""
    if not is_lost:
        with suppress(*TROUBLES):
            await connection.execute(SQL["roll_back"], timeout=UNDO_TIMEOUT_SECONDS)
            return
    with suppress(asyncpg.InterfaceError):  # it has ended by itself
        connection.terminate()
