"""Brings what a host has into a clone, and makes the clone anew where that is called for.

What is wrong with a clone is mended from the host, and the old one is given up only when that has
worked. It is made compact from itself: a fetch leaves a pack, and nothing ever removes one.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable
from router.remote.git.clone import measure, remove
from router.remote.git.complaints import (
    CloneDamaged,
    CommitRefused,
    FormatDiffers,
    MachineTrouble,
    RefMissing,
)
from router.remote.git.processes import CutShort

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from router.core.routing import GitAccess
    from router.ports.clock import Clock
    from router.remote.git.clone import Clone
    from router.remote.git.commands import Commands

COMPACT_PAUSE_SECONDS = 3600.0
"""Between two tries to make a clone compact, after one that failed."""


TOO_LARGE_PAUSE_SECONDS = 600.0
"""Before a clone that grew over its limit is tried again: all of it may come down anew."""


MAX_BLOBS_AT_ONCE = 5000
"""Contents of one fetch; each is a line of the request."""


class CloneTooLarge(CutShort):
    """A fetch took the clone above its limit."""


class Fetcher:
    """Writes to clones; the caller holds the clone's lock."""

    def __init__(
        self, commands: Commands, *, clock: Clock, limit_bytes: int, max_packs: int
    ) -> None:
        """Both limits are for each clone; while one is made anew, there are two of it."""
        self._commands = commands
        self._max_packs = max_packs
        self._clock = clock
        self._limit_bytes = limit_bytes

    async def fetch(self, clone: Clone, access: GitAccess, wanted: Sequence[str]) -> None:
        """Fetch *wanted* (refspecs or commits), whatever state the clone is in.

        Raises GitUnavailable, and for what the host lacks RefMissing, CommitRefused or, where ids
        are of another kind than the host's, FormatDiffers.
        """
        if self._clock.monotonic() < clone.too_large_until:
            raise CloneTooLarge(self._too_large())
        try:
            await self._fetch(clone, access, wanted)
        except CloneTooLarge:
            clone.too_large_until = self._clock.monotonic() + TOO_LARGE_PAUSE_SECONDS
            raise

    async def fetch_blobs(self, clone: Clone, access: GitAccess, blobs: Sequence[str]) -> None:
        """Fetch contents that commits of the clone refer to, as far as the host gives them."""
        if self._clock.monotonic() < clone.too_large_until:
            raise CloneTooLarge(self._too_large())
        watch = self._watch(clone.path)
        for start in range(0, len(blobs), MAX_BLOBS_AT_ONCE):
            some = blobs[start : start + MAX_BLOBS_AT_ONCE]
            with suppress(CommitRefused):
                await self._commands.fetch_blobs(access, clone.path, some, watch)
        await on_disk(watch)
        await on_disk(clone.measure)

    async def _fetch(self, clone: Clone, access: GitAccess, wanted: Sequence[str]) -> None:
        if not clone.exists:
            return await self.renew(clone, access, wanted)
        if self._has_grown(clone):
            await self._compact(clone)
        try:
            await self._fetch_into(clone.path, access, wanted)
        except CloneTooLarge:
            await on_disk(clone.tidy)
            await self._compact(clone)
            await self._fetch_into(clone.path, access, wanted)
        except (CloneDamaged, FormatDiffers):
            await self.renew(clone, access, wanted)
        return await on_disk(clone.measure)

    async def renew(self, clone: Clone, access: GitAccess, wanted: Sequence[str]) -> None:
        """Make the clone anew with *wanted* from the host, and what can be saved of the old one."""

        async def fill(folder: Path) -> None:
            await self._fetch_into(folder, access, wanted)
            if clone.exists:
                await self._save(clone.path, folder)

        await self._replace(clone, fill, is_sha256=any(len(name) == 64 for name in wanted))

    def _too_large(self) -> str:
        return f"the clone would be larger than {self._limit_bytes} bytes"

    def _has_grown(self, clone: Clone) -> bool:
        is_spared = self._clock.monotonic() < clone.spared_until
        return not is_spared and clone.count_packs() >= self._max_packs

    async def _fetch_into(self, folder: Path, access: GitAccess, wanted: Sequence[str]) -> None:
        watch = self._watch(folder)
        try:
            await self._commands.fetch(access, folder, wanted, watch)
        except RefMissing as missing:
            if any(":" in name for name in wanted):
                raise
            # An id of the other length is to git no id, but the name of some ref.
            raise FormatDiffers(str(missing)) from None
        await on_disk(watch)

    def _watch(self, folder: Path) -> Callable[[], None]:
        def watch() -> None:
            if measure(folder) > self._limit_bytes:
                raise CloneTooLarge(self._too_large())

        return watch

    async def _save(self, old: Path, new: Path) -> None:
        try:
            await self._commands.copy(old, new)
        except (CutShort, MachineTrouble):
            raise  # the old one is still the better one
        except GitUnavailable:
            return  # the commits it kept are lost; the host may still have them

    async def _compact(self, clone: Clone) -> None:
        """Make the clone anew from itself, with what its refs stand for; at worst it stays."""
        try:
            await self._replace(clone, lambda folder: self._commands.copy(clone.path, folder))
        except GitUnavailable:
            clone.spared_until = self._clock.monotonic() + COMPACT_PAUSE_SECONDS

    async def _replace(
        self, clone: Clone, fill: Callable[[Path], Awaitable[None]], *, is_sha256: bool = False
    ) -> None:
        """Put a new repository in the clone's place, once *fill* has filled it."""
        formats = ("sha256", "sha1") if is_sha256 else ("sha1", "sha256")
        try:
            try:
                await self._make(clone, fill, formats[0])
            except FormatDiffers:
                await self._make(clone, fill, formats[1])
            await on_disk(clone.succeed)
        finally:
            with suppress(GitUnavailable):
                await on_disk(lambda: remove(clone.fresh))

    async def _make(
        self, clone: Clone, fill: Callable[[Path], Awaitable[None]], object_format: str
    ) -> None:
        await on_disk(lambda: remove(clone.fresh))
        await self._commands.init(clone.fresh, object_format=object_format)
        await fill(clone.fresh)


async def on_disk(work: Callable[[], object]) -> None:
    """Do blocking work in a thread, to its end also when cancelled; OSErrors are explained."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()
        raise
    try:
        task.result()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise MachineTrouble(f"the folder of clones cannot be used: {reason}") from None
