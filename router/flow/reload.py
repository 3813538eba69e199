"""Brings routing files into force: at the start, and whenever the file or a secret changes.

Where replicas have different files, one is in force for all of them, and the others follow it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from router.core.errors import ConfigInvalid, StaleGeneration, StoreUnavailable
from router.core.model import Problem
from router.core.succession import takes_over
from router.flow.definitions import adopt_layers, changed_receivers, describe_activation
from router.flow.routing import InForce
from router.flow.worker import wait_for_any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.core.model import Standing
    from router.core.routing import Routing
    from router.ports.clock import Clock
    from router.ports.observer import Observer
    from router.ports.receivers import ReceiverClient
    from router.ports.routing_file import LoadedFile, RoutingSource
    from router.ports.store import Store

FOLLOW_SECONDS = 1.0
"""How often the store is asked which file is in force when nobody has a reason to."""

LIVE_SECONDS = 15.0
"""A replica that has not told of itself for so long is gone, and its file with it."""


def _problem(message: str) -> Problem:
    return Problem(file="routing file", line=1, column=1, message=message)


NOT_STORED = _problem("it loads, and is not in force yet: the store cannot be written")


class Reloader:
    """Keeps the last good routing file in force, also over a restart and beside other replicas."""

    _file: LoadedFile
    """The file on this disk, as it last loaded; before that the last good one."""

    def __init__(
        self,
        *,
        source: RoutingSource,
        store: Store,
        client: ReceiverClient,
        clock: Clock,
        observer: Observer,
        interval_seconds: float,
        replica: str,
    ) -> None:
        self._source = source
        self._store = store
        self._client = client
        self._clock = clock
        self._observer = observer
        self._interval_seconds = interval_seconds
        self._replica = replica
        self._file_problems: tuple[Problem, ...] = ()
        """Why what is on the disk now does not load."""
        self._number: int | None = None
        """Under which number the file on this disk was last in force: where the disk stands."""
        self._alone_since: float | None = None
        """Since when nobody is seen to have the file in force, on the monotonic clock."""
        self._refused = 0
        """The generation in force that cannot be used here."""
        self._unfinished: Routing | None = None
        """What was in force before a file that loads and has not wholly come into force yet."""
        self._turn = asyncio.Lock()
        """What this disk has, and what others brought, is looked at in turn."""

    async def start(self) -> InForce:
        """Load the file, or the last good one, and bring it into force if it is the newest.

        Raises ConfigInvalid with the file's problems when neither loads.
        """
        try:
            self._file = await self._source.load()
        except ConfigInvalid as error:
            self._file = await self._last_good(error)
            self._file_problems = error.problems
        in_force = InForce(self._file.routing)
        first = standing = await self._report()
        while not await self._settle(in_force, standing, is_new=True, is_alone=_is_alone(standing)):
            standing = await self._report()
        is_new = first is None or in_force.current.generation > first.number
        if is_new or _is_alone(
            first
        ):  # else a process that ends and starts would call all the time
            await self._store.reset_backoff()
        return in_force

    async def leave(self) -> None:
        """Tell the other replicas that this one does not live any more."""
        with suppress(StoreUnavailable):  # then they find out by themselves
            await self._store.leave(self._replica)

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

    async def follow(
        self,
        in_force: InForce,
        stop: asyncio.Event,
        *,
        mended: Callable[[Collection[str]], None],
    ) -> None:
        """Tell of this replica, and keep up with what others bring into force, until *stop*."""
        while not stop.is_set():
            await wait_for_any(stop, in_force.outdated, seconds=FOLLOW_SECONDS)
            in_force.outdated.clear()
            before = in_force.current
            try:
                changed = await self.keep_up(in_force)
            except StoreUnavailable:  # dispatch tells of it
                self._alone_since = None
                continue
            if in_force.current is not before:
                mended(changed)

    async def reload(self, in_force: InForce) -> Collection[str]:
        """Bring the file of now into force, if it is the newest; keep the last one that loaded.

        Returns the receivers whose definition has changed. Raises StoreUnavailable when the file
        loads and cannot be brought into force; then `run` tries again.
        """
        try:
            self._file = await self._source.load()
        except ConfigInvalid as error:
            self._file_problems = error.problems
            self._unfinished = None
            self._reject(in_force, error.problems)
            return ()
        self._file_problems = ()
        self._unfinished = self._unfinished or in_force.current
        try:
            return await self._bring(in_force, is_new=True)
        except StoreUnavailable:
            self._reject(in_force, [NOT_STORED])
            raise

    async def keep_up(self, in_force: InForce) -> Collection[str]:
        """Follow what another replica brought into force, or take over when all of those are gone.

        Returns the receivers whose definition has changed. Raises StoreUnavailable.
        """
        return await self._bring(in_force, is_new=False)

    async def _bring(self, in_force: InForce, *, is_new: bool) -> Collection[str]:
        async with self._turn:
            before = (self._unfinished if is_new else None) or in_force.current
            is_settled = False
            while not is_settled:
                standing = await self._report()
                is_alone = self._is_alone_for_long(standing)
                is_settled = await self._settle(
                    in_force, standing, is_new=is_new, is_alone=is_alone
                )
            changed: Collection[str] = ()
            if before is not in_force.current:
                changed = changed_receivers(before, in_force.current)
            if changed:
                await self._store.reset_backoff(changed)
            if is_new:
                self._unfinished = None
            return changed

    async def _report(self) -> Standing | None:
        digest = self._file.routing.digest
        return await self._store.report(self._replica, digest=digest, seconds=LIVE_SECONDS)

    def _is_alone_for_long(self, standing: Standing | None) -> bool:
        """Whether nobody was seen to have the file in force for as long as a replica is waited for.

        When the store comes back after an outage, all replicas look dead for a moment.
        """
        if standing is None or standing.digest == self._file.routing.digest or standing.is_held:
            self._alone_since = None
            return False
        now = self._clock.monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        return now - self._alone_since >= LIVE_SECONDS

    async def _settle(
        self, in_force: InForce, standing: Standing | None, *, is_new: bool, is_alone: bool
    ) -> bool:
        """Bring our file into force, or follow the one that is; False if others were quicker.

        *is_new*: the file or a secret has just been read.
        """
        digest = self._file.routing.digest
        is_next = is_new and takes_over(standing, digest, replaced=self._number)
        if standing is None or is_alone or is_next or digest == standing.digest:
            return await self._take_over(in_force, standing, is_new=is_new)
        if is_new or self._unfinished is None:
            self._number = standing.own_number
        is_known = standing.number in (in_force.current.generation, self._refused)
        if is_new or not is_known:
            await self._follow(in_force)
        return True

    async def _take_over(
        self, in_force: InForce, standing: Standing | None, *, is_new: bool
    ) -> bool:
        number, digest = (standing.number, standing.digest) if standing else (0, "")
        is_known = number == in_force.current.generation and digest == self._file.routing.digest
        if is_new or not is_known:
            try:
                await self._activate(self._file, in_force, after=number)
            except StaleGeneration:
                return False
        self._number = in_force.current.generation
        self._alone_since, self._refused = None, 0
        return True

    async def _follow(self, in_force: InForce) -> None:
        """Take over the file in force, or say why that cannot be."""
        last = await self._store.last_generation()
        assert last is not None  # its number was just told
        ours = _problem(
            f"generation {last.number}, of another replica, is in force and not this one"
        )
        try:
            loaded = await self._source.load_text(last.text, is_strict=True)
        except ConfigInvalid as error:
            self._refused, in_force.is_behind = last.number, True
            self._reject(in_force, (ours, *error.problems))
            return
        self._refused = 0
        async with in_force.changing:
            problems = self._file_problems or (ours,)
            await self._replace(in_force, loaded.routing, last.number, problems)
        self._observer.routing_followed(number=last.number, reason=str(in_force.problems[0]))

    async def _replace(
        self,
        in_force: InForce,
        routing: Routing,
        number: int,
        problems: Sequence[Problem],
    ) -> None:
        current = replace(routing, generation=number)
        in_force.replace(current, problems=problems)
        await self._client.use(current)

    def _reject(self, in_force: InForce, problems: Sequence[Problem]) -> None:
        in_force.problems = tuple(problems)
        self._observer.routing_rejected(problems)

    async def _activate(self, loaded: LoadedFile, in_force: InForce, *, after: int) -> None:
        routing = loaded.routing
        async with in_force.changing:
            activated = await self._store.activate(
                describe_activation(routing, loaded.text),
                adopt=lambda names: adopt_layers(routing, names, self._clock),
                after=after,
            )
            # Nothing may fail in between: the store accepts plans of this generation only, now.
            await self._replace(in_force, routing, activated.number, ())
        self._observer.routing_loaded(
            number=activated.number, adopted=activated.adopted, warnings=loaded.warnings
        )
        if self._file_problems:
            self._reject(in_force, self._file_problems)


def _is_alone(standing: Standing | None) -> bool:
    """Whether no other replica that lives has the file in force."""
    return standing is None or not standing.is_held
