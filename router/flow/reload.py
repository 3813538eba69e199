"""Brings routing files into force: at the start, and whenever the file or a secret changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from router.core.errors import ConfigInvalid, StoreUnavailable
from router.core.model import Activation, Delivery, Problem
from router.core.plan import ADOPTED, plan_adoption
from router.flow.routing import InForce

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.core.model import Intent
    from router.core.routing import Receiver, Routing
    from router.ports import Clock, LoadedFile, Observer, ReceiverClient, RoutingSource, Store


NOT_STORED = Problem(
    file="routing file",
    line=1,
    column=1,
    message="it loads, and is not in force yet: the store cannot be written",
)


class Reloader:
    """Keeps the last good routing file in force, also over a restart."""

    def __init__(
        self,
        *,
        source: RoutingSource,
        store: Store,
        client: ReceiverClient,
        clock: Clock,
        observer: Observer,
        interval_seconds: float,
    ) -> None:
        self._source = source
        self._store = store
        self._client = client
        self._clock = clock
        self._observer = observer
        self._interval_seconds = interval_seconds
        self._unfinished: Routing | None = None
        """What was in force before a file that loads and has not wholly come into force yet."""

    async def start(self) -> InForce:
        """Load the file, or the last good one, and bring it into force.

        Raises ConfigInvalid with the file's problems when neither loads.
        """
        problems: tuple[Problem, ...] = ()
        try:
            loaded = await self._source.load()
        except ConfigInvalid as error:
            loaded = await self._last_good(error)
            problems = error.problems
        in_force = InForce(loaded.routing)
        await self._activate(loaded, in_force)
        if problems:
            self._reject(in_force, problems)
        await self._store.reset_backoff()
        return in_force

    async def _last_good(self, error: ConfigInvalid) -> LoadedFile:
        last = await self._store.last_generation()
        if last is None:
            raise error
        try:
            return await self._source.load_text(last.text)
        except ConfigInvalid:
            raise error from None

    async def run(
        self,
        in_force: InForce,
        stop: asyncio.Event,
        *,
        mended: Callable[[Collection[str]], None],
    ) -> None:
        """Reload when something changes, until *stop* is set.

        *mended* is told of every new file, with the receivers whose definition has changed.
        """
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await stop.wait()
                    return
            if self._unfinished is not None or await self._source.has_changed():
                mended(await self.reload(in_force))

    async def reload(self, in_force: InForce) -> Collection[str]:
        """Bring the file of now into force; one that does not load leaves the last good one.

        Returns the receivers whose definition has changed. Raises StoreUnavailable when the file
        loads and cannot be brought into force; then `run` tries again.
        """
        try:
            loaded = await self._source.load()
        except ConfigInvalid as error:
            self._unfinished = None
            self._reject(in_force, error.problems)
            return ()
        before = self._unfinished = self._unfinished or in_force.current
        try:
            await self._activate(loaded, in_force)
        except StoreUnavailable:
            self._reject(in_force, [NOT_STORED])
            raise
        changed = changed_receivers(before, in_force.current)
        if changed:
            await self._store.reset_backoff(changed)
        self._unfinished = None
        return changed

    def _reject(self, in_force: InForce, problems: Sequence[Problem]) -> None:
        in_force.problems = tuple(problems)
        self._observer.routing_rejected(problems)

    async def _activate(self, loaded: LoadedFile, in_force: InForce) -> None:
        routing = loaded.routing
        async with in_force.changing:
            activated = await self._store.activate(
                describe_activation(routing, loaded.text),
                adopt=lambda names: self._adoptions(routing, names),
            )
            current = replace(routing, generation=activated.number)
            # Nothing may fail in between: the store accepts plans of this generation only, now.
            in_force.replace(current)
            await self._client.use(current)
        self._observer.routing_loaded(
            number=activated.number, adopted=activated.adopted, warnings=loaded.warnings
        )

    def _adoptions(
        self, routing: Routing, names: Collection[str]
    ) -> Sequence[tuple[Delivery, Intent]]:
        return [(self._adoption(), intent) for intent in plan_adoption(routing, names)]

    def _adoption(self) -> Delivery:
        return Delivery(
            id=self._clock.new_id(),
            origin="adoption",
            received_at=self._clock.now(),
            status="routed",
            reason=ADOPTED,
        )


def describe_activation(routing: Routing, text: str) -> Activation:
    """What the store must know of a routing file: definitions, and who may be called for whom."""
    callers: dict[str, set[str]] = {key: set() for key in routing.receivers}
    for layer in routing.layers.values():
        for receiver in layer.receivers:
            if not routing.is_held(receiver, layer.name):
                callers[receiver].add(layer.name)
    return Activation(
        digest=routing.digest,
        text=text,
        definitions={layer.name: layer.definition for layer in routing.layers.values()},
        receivers={key: frozenset(names) for key, names in callers.items()},
        clusters={key: receiver.cluster for key, receiver in routing.receivers.items()},
    )


def changed_receivers(before: Routing, after: Routing) -> list[str]:
    """The receivers whose definition, secret or cluster address is not what it was."""

    def view(routing: Routing, receiver: Receiver) -> tuple[object, ...]:
        cluster = routing.clusters[receiver.cluster]
        return receiver, cluster.url, cluster.ca_file, cluster.ca_digest

    return [
        key
        for key, receiver in after.receivers.items()
        if key in before.receivers and view(after, receiver) != view(before, before.receivers[key])
    ]
