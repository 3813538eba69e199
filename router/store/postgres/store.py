"""The store in a PostgreSQL database, which several replicas may share."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from router.core.model import Saved
from router.store.postgres import (
    activating,
    calling,
    history,
    observing,
    recording,
    replicas,
    retention,
    saving,
)
from router.store.postgres.database import Database
from router.store.postgres.group import Group
from router.store.postgres.statements import SQL
from router.store.rows import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.database import DatabaseUrl
    from router.core.model import (
        Activation,
        Attempt,
        Delivery,
        DeliveryStory,
        Intent,
        Observation,
        ReceiverStatus,
        RefState,
        Standing,
        StoredGeneration,
        TrackedRef,
        Waiting,
    )
    from router.ports.clock import Clock
    from router.ports.store import Activated, Claimed
    from router.store.postgres.recording import Recording
    from router.store.postgres.saving import Outcome, Saving
    from router.store.postgres.statements import Connection


class PostgresStore:
    """Implements Store. Its clock is the database's, which all replicas share."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._savings: Group[Saving, Outcome] = Group(self._save, key=saving.key_of)
        self._recordings: Group[Recording, bool] = Group(self._record, key=recording.key_of)

    @classmethod
    async def open(cls, url: DatabaseUrl, *, clock: Clock) -> PostgresStore:
        """Bring the database to the newest schema and connect to it.

        *clock* only spreads retries, and tells how far the process's time is off the database's.
        Raises OperatorError when the database cannot be used: not reached, refused, unknown,
        written by a newer version, no permission.
        """
        return cls(await Database.open(url, clock=clock), clock=clock)

    @property
    def commit_count(self) -> int:
        """Commits of deliveries so far; under load far fewer than what was saved."""
        return self._savings.commit_count

    async def last_generation(self) -> StoredGeneration | None:
        return await history.last_generation(self._database)

    async def activate(
        self,
        activation: Activation,
        *,
        adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
        after: int | None = None,
    ) -> Activated:
        return await self._database.write(
            lambda connection: activating.activate(connection, activation, adopt, after=after),
            locked="hold_generation",
        )

    async def report(self, replica: str, *, digest: str, seconds: float) -> Standing | None:
        return await replicas.report(self._database, replica, digest=digest, seconds=seconds)

    async def leave(self, replica: str) -> None:
        await self._database.fetch("forget_replica", replica)

    async def lease(self, name: str, *, owner: str, seconds: float, generation: int) -> float:
        return await replicas.lease(
            self._database, name, owner=owner, seconds=seconds, generation=generation
        )

    async def release(self, name: str, *, owner: str) -> None:
        await self._database.fetch("release_lease", name, owner)

    async def save_delivery(
        self, delivery: Delivery, intents: Sequence[Intent], *, generation: int
    ) -> Saved:
        """Tried anew when the delivery that this one repeats is gone before it can be told."""
        while True:
            outcome = await self._savings.run(saving.to_saving(delivery, intents, generation))
            if isinstance(outcome, Saved):
                return outcome
            assert isinstance(outcome, saving.Repeats)
            first = await self._story_at(outcome.position)
            if first is not None:
                return Saved(delivery=first.delivery, plans=first.plans, is_duplicate=True)

    async def _story_at(self, position: int | None) -> DeliveryStory | None:
        if position is None:
            return None
        return await self._database.read(partial(history.story_at, position=position))

    async def ref_state(self, tracked: TrackedRef) -> RefState:
        return await self._database.read(partial(observing.ref_state, tracked=tracked))

    async def waiting(self, repository: str) -> Sequence[Waiting]:
        return await self._database.read(partial(observing.waiting, repository=repository))

    async def waiting_repositories(self) -> Sequence[str]:
        return [row["repository"] for row in await self._database.fetch("waiting_repositories")]

    async def save_observation(self, observation: Observation, *, generation: int) -> Saved | None:
        return await self._database.write(
            lambda connection: observing.save_observation(
                connection, observation, generation=generation
            ),
            locked="share_generation",
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
        return await calling.claim_due(
            self._database,
            free,
            limit=limit,
            owner=owner,
            lease_seconds=lease_seconds,
            generation=generation,
        )

    async def record_attempt(
        self, attempt: Attempt, *, owner: str, retry_seconds: float | None
    ) -> bool:
        return await self._recordings.run(
            recording.Recording(attempt=attempt, owner=owner, retry_seconds=retry_seconds)
        )

    async def reset_backoff(self, receivers: Collection[str] | None = None) -> None:
        named = None if receivers is None else sorted(receivers)

        async def forget(connection: Connection) -> None:
            await connection.execute(SQL["forget_failures"], named)

        await self._database.write(forget)

    async def prune(self, *, before: datetime, limit: int) -> int:
        return await retention.prune(self._database, before=to_micros(before), limit=limit)

    async def deliveries(self, *, limit: int, before: int | None = None) -> Sequence[DeliveryStory]:
        return await self._database.read(
            lambda connection: history.deliveries(connection, limit=limit, before=before)
        )

    async def delivery(self, delivery_id: str) -> DeliveryStory | None:
        return await self._database.read(
            lambda connection: history.delivery(connection, delivery_id)
        )

    async def receivers(self) -> Sequence[ReceiverStatus]:
        return await history.receivers(self._database)

    async def layer_deliveries(self, layer: str, *, limit: int) -> Sequence[DeliveryStory]:
        return await self._database.read(
            lambda connection: history.layer_deliveries(connection, layer, limit=limit)
        )

    async def check(self) -> None:
        await self._database.fetch("write_check")

    async def close(self) -> None:
        await asyncio.gather(self._savings.close(), self._recordings.close())
        await self._database.close()

    async def _save(self, batch: Sequence[Saving]) -> Sequence[Outcome]:
        return await self._database.write(
            lambda connection: saving.save_deliveries(connection, batch),
            locked="share_generation",
        )

    async def _record(self, batch: Sequence[Recording]) -> Sequence[bool]:
        return await self._database.write(
            lambda connection: recording.record_attempts(
                connection, batch, process_now=lambda: to_micros(self._clock.now())
            )
        )
