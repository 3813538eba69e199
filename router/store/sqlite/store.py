"""The store in one SQLite file: the embedded default, for a single replica."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from router.core.errors import OperatorError
from router.store.leases import Leases
from router.store.queries import SQLITE as SQL
from router.store.rows import seconds_to_micros, to_micros
from router.store.sqlite import calling, history, observing, retention
from router.store.sqlite.activating import activate
from router.store.sqlite.checkpoints import Checkpoints
from router.store.sqlite.connection import connect_checkpointer, connect_reader, connect_writer
from router.store.sqlite.lock import FileLock
from router.store.sqlite.reader import Reader
from router.store.sqlite.saving import Save, check_generations, save_deliveries
from router.store.sqlite.schema import migrate
from router.store.sqlite.steady import SteadyTime
from router.store.sqlite.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.model import (
        Activation,
        Attempt,
        Delivery,
        DeliveryStory,
        Intent,
        Observation,
        ReceiverStatus,
        RefState,
        Saved,
        Standing,
        StoredGeneration,
        TrackedRef,
        Waiting,
    )
    from router.ports.clock import Clock
    from router.ports.store import Activated, Claimed

MIN_SQLITE = (3, 38, 0)
"""The first version that always has JSON functions: https://sqlite.org/json1.html."""


class SqliteStore:
    """Implements Store. Its clock is the one it is given: file and process share a machine.

    Of the time of day it asks once, at the start, see SteadyTime.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        writer: Writer,
        reader: Reader,
        checkpoints: Checkpoints,
        lock: FileLock,
    ) -> None:
        self._time = SteadyTime(clock)
        self._writer = writer
        self._reader = reader
        self._checkpoints = checkpoints
        self._lock = lock
        self._leases = Leases()

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> SqliteStore:
        """Open or create the file, bring it to the newest schema and start the threads.

        Raises OperatorError when the file cannot be used: held by another process, written by a
        newer version, no database, no permission.
        """
        path = await asyncio.to_thread(path.resolve)
        lock, (writing, reading, moving) = await asyncio.to_thread(_open_file, path)
        log = Path(f"{path}-wal")
        return cls(
            clock=clock,
            writer=Writer(writing, log=log),
            reader=Reader(reading),
            checkpoints=Checkpoints(moving, log=log),
            lock=lock,
        )

    @property
    def commit_count(self) -> int:
        """Commits so far; under load far fewer than what was saved."""
        return self._writer.commit_count

    async def last_generation(self) -> StoredGeneration | None:
        return await self._reader.run(history.last_generation)

    async def activate(
        self,
        activation: Activation,
        *,
        adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
        after: int | None = None,
    ) -> Activated:
        return await self._writer.run(
            lambda connection: activate(connection, activation, adopt, after=after, now=self._now())
        )

    async def report(self, replica: str, *, digest: str, seconds: float) -> Standing | None:
        now = self._now()
        self._leases.report(replica, digest, until=now + seconds_to_micros(seconds))
        standing = await self._reader.run(partial(history.standing, digest=digest))
        if standing is None:
            return None
        is_held = self._leases.is_held(standing.digest, besides=replica, now=now)
        return replace(standing, is_held=is_held)

    async def leave(self, replica: str) -> None:
        self._leases.leave(replica)

    async def lease(self, name: str, *, owner: str, seconds: float, generation: int) -> float:
        await self._reader.run(partial(check_generations, generations=[generation]))
        now = self._now()
        until = now + seconds_to_micros(seconds)
        return self._leases.take(name, owner, until=until, now=now) / 1_000_000

    async def release(self, name: str, *, owner: str) -> None:
        self._leases.release(name, owner)

    async def save_delivery(
        self, delivery: Delivery, intents: Sequence[Intent], *, generation: int
    ) -> Saved:
        return await self._writer.run_together(
            self._save_deliveries, Save(delivery, intents, generation)
        )

    def _save_deliveries(
        self, connection: sqlite3.Connection, saves: Sequence[Save]
    ) -> Sequence[Saved]:
        return save_deliveries(connection, saves, now=self._now())

    async def ref_state(self, tracked: TrackedRef) -> RefState:
        return await self._reader.run(lambda connection: observing.ref_state(connection, tracked))

    async def waiting(self, repository: str) -> Sequence[Waiting]:
        return await self._reader.run(lambda connection: observing.waiting(connection, repository))

    async def waiting_repositories(self) -> Sequence[str]:
        return await self._reader.run(observing.waiting_repositories)

    async def save_observation(self, observation: Observation, *, generation: int) -> Saved | None:
        return await self._writer.run(
            lambda connection: observing.save_observation(
                connection, observation, generation=generation, now=self._now()
            )
        )

    async def claim_due(
        self,
        free: Mapping[str, int],
        *,
        limit: int,
        owner: str,
        lease_seconds: float,
        generation: int,
    ) -> Claimed:
        def claim(connection: sqlite3.Connection) -> Claimed:
            now = self._now()
            return calling.claim_due(
                connection,
                free,
                limit=limit,
                owner=owner,
                lease_until=now + seconds_to_micros(lease_seconds),
                now=now,
                generation=generation,
            )

        return await self._writer.run(claim)

    async def record_attempt(
        self, attempt: Attempt, *, owner: str, retry_seconds: float | None
    ) -> bool:
        return await self._writer.run_together(
            self._record_attempts, calling.Record(attempt, owner, retry_seconds)
        )

    def _record_attempts(
        self, connection: sqlite3.Connection, records: Sequence[calling.Record]
    ) -> Sequence[bool]:
        return calling.record_attempts(connection, records, now=self._now())

    async def reset_backoff(self, receivers: Collection[str] | None = None) -> None:
        await self._writer.run(
            lambda connection: calling.reset_backoff(connection, receivers, now=self._now())
        )

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Each step is a transaction of its own, between which deliveries are saved."""
        end = to_micros(before)
        await self._writer.run(
            lambda connection: retention.prune_generations(connection, before=end)
        )
        removed = await self._prune_deliveries(end, limit)
        while await self._writer.run(
            lambda connection: retention.prune_attempts(connection, before=end)
        ):
            await self._checkpoints.move()
        return removed

    async def _prune_deliveries(self, before: int, limit: int) -> int:
        removed = 0
        place: retention.Place | None = retention.OLDEST
        while place is not None and removed < limit:
            step = await self._writer.run(
                partial(
                    retention.prune_deliveries,
                    before=before,
                    after=place,
                    limit=limit - removed,
                )
            )
            removed, place = removed + step.removed, step.reached
            await self._checkpoints.move()
        return removed

    async def deliveries(self, *, limit: int, before: int | None = None) -> Sequence[DeliveryStory]:
        return await self._reader.run(
            lambda connection: history.deliveries(connection, limit=limit, before=before)
        )

    async def delivery(self, delivery_id: str) -> DeliveryStory | None:
        return await self._reader.run(lambda connection: history.delivery(connection, delivery_id))

    async def receivers(self) -> Sequence[ReceiverStatus]:
        return await self._reader.run(
            lambda connection: history.receivers(connection, now=self._now())
        )

    async def layer_deliveries(self, layer: str, *, limit: int) -> Sequence[DeliveryStory]:
        return await self._reader.run(
            lambda connection: history.layer_deliveries(connection, layer, limit=limit)
        )

    async def check(self) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(SQL["write_check"])

        await self._writer.run(write)

    async def close(self) -> None:
        """The writer goes last, so that its final checkpoint finds nobody in its way."""
        await self._checkpoints.close()
        await self._reader.close()
        await self._writer.close()
        self._lock.release()

    def _now(self) -> int:
        return self._time.now()


def _open_file(path: Path) -> tuple[FileLock, tuple[sqlite3.Connection, ...]]:
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        needed = ".".join(str(part) for part in MIN_SQLITE)
        raise OperatorError(f"SQLite {needed} is needed, this is {sqlite3.sqlite_version}")
    with ExitStack() as undo:
        try:
            lock = FileLock(Path(f"{path}.lock"))
            undo.callback(lock.release)
            _create_private(path)
            writing = connect_writer(path)
            undo.callback(writing.close)
            migrate(writing)
            reading = connect_reader(path)
            undo.callback(reading.close)
            moving = connect_checkpointer(path)
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(f"cannot use the database {path}: {error}") from error
        undo.pop_all()
    return lock, (writing, reading, moving)


def _create_private(path: Path) -> None:
    """Create the file, where there is none, for this user only; its companions follow."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
