"""Group commit: what waits while a transaction is under way shares the next one.

A transaction costs its round trips and a sync to disk, however little it writes. Throughput grows
with load, and each caller is answered only when its own work is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from router.core.errors import StoreUnavailable
from router.store.postgres.failures import Unfit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence

M = TypeVar("M")
T = TypeVar("T")

MAX_BATCH = 512
"""Members of one transaction; bounds how long the first of them waits for the last."""

WRITER_COUNT = 2
"""Transactions at once: while one waits for the disk, the next one is prepared."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[M, T]):
    member: M
    future: asyncio.Future[T]


class Group(Generic[M, T]):
    """Runs members in batches, each batch in one transaction of *save*'s making."""

    def __init__(
        self,
        save: Callable[[Sequence[M]], Awaitable[Sequence[T | Exception]]],
        *,
        key: Callable[[M], Hashable | None],
    ) -> None:
        """*save* answers for each member; members of the same *key* never share a batch."""
        self.commit_count = 0
        self._save = save
        self._key = key
        self._waiting: deque[_Waiting[M, T]] = deque()
        self._writers: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(self, member: M) -> T:
        """Save *member* with whatever else waits, and return when it is durable."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(member, future))
        # One that has ended is still among them until the loop comes round to its callback.
        if sum(not writer.done() for writer in self._writers) < WRITER_COUNT:
            writer = asyncio.create_task(self._write(), name="store writer")
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await future

    async def close(self) -> None:
        """Finish what was handed in."""
        self._is_closed = True
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def _write(self) -> None:
        while batch := self._next_batch():
            outcomes = await self._outcomes([waiting.member for waiting in batch])
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _settle(waiting.future, outcome)
            del batch, outcomes  # else the paths of a large push would live until the next one

    def _next_batch(self) -> list[_Waiting[M, T]]:
        batch: list[_Waiting[M, T]] = []
        later: list[_Waiting[M, T]] = []
        keys: set[Hashable] = set()
        while self._waiting and len(batch) < MAX_BATCH:
            waiting = self._waiting.popleft()
            key = self._key(waiting.member)
            (later if key in keys else batch).append(waiting)
            if key is not None:
                keys.add(key)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _outcomes(self, members: Sequence[M]) -> Sequence[T | Exception]:
        try:
            outcomes = await self._save(members)
        except Unfit as error:
            if len(members) == 1:
                return [error]
            return [(await self._outcomes([member]))[0] for member in members]
        except Exception as error:  # whatever it is, it is the callers' and not this task's
            return [error] * len(members)
        self.commit_count += 1
        return outcomes


def _settle(future: asyncio.Future[T], outcome: T | Exception) -> None:
    if future.done():
        return  # its caller was cancelled
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
