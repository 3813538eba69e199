"""Git hosts read through clones: bare, without file contents, without history, one for each URL.

A fetch brings the commit and the trees that differ from those at hand, and two commits are then
compared without asking the host (https://git-scm.com/docs/partial-clone).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES
from router.remote.git.clone import Clone, folder_name, remove, stray_folders
from router.remote.git.commands import Commands, host_of
from router.remote.git.complaints import (
    CloneDamaged,
    CommitRefused,
    FormatDiffers,
    MachineTrouble,
    RefMissing,
)
from router.remote.git.contents import (
    parse_changes,
    parse_contents,
    parse_sizes,
    parse_tree,
)
from router.remote.git.fetcher import Fetcher, on_disk
from router.remote.git.processes import CutShort, Processes
from router.remote.git.tips import (
    kept_plan,
    kept_tip,
    listing_options,
    parse_commits,
    parse_listing,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from pathlib import Path

    from router.core.kustomize.tree import FileEntry, Tree
    from router.core.push import Commit
    from router.core.routing import GitAccess, Routing
    from router.ports.clock import Clock

STALL_SECONDS = 30
"""Of silence, after which a host is given up; hosts at work send a sign every 5 s
(https://git-scm.com/docs/git-config#Documentation/git-config.txt-uploadpackkeepAlive)."""

MAX_PACKS = 100
"""After so many fetches a clone is made compact: git looks for each object in all packs, and tells
the host of each commit that it ever fetched."""

MAX_REFS_AT_ONCE = 1000
"""Refs of one fetch: a command line holds some 15,000."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GitClones:
    """Implements Git."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        deadline_seconds: float,
        concurrency: int,
        limit_bytes: int,
        stall_seconds: int = STALL_SECONDS,
        max_packs: int = MAX_PACKS,
    ) -> None:
        """Keep clones in *folder*, which is made when the first is needed.

        *deadline_seconds* is for each git command by itself; a call needs a few. *limit_bytes* is
        for each clone; while one is made anew, there are two of it.
        """
        self._folder = folder.absolute()  # git runs in another folder than this process
        self._processes = Processes(concurrency=concurrency, deadline_seconds=deadline_seconds)
        self._commands = Commands(self._processes, stall_seconds=stall_seconds)
        self._fetcher = Fetcher(
            self._commands, clock=clock, limit_bytes=limit_bytes, max_packs=max_packs
        )
        self._clones: dict[str, Clone] = {}

    async def list_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        output = await self._commands.list_refs(access, *listing_options(refs))
        return parse_listing(output, refs)

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        wanted = list(dict.fromkeys(refs))
        async with self._writing(access) as clone:
            try:
                await self._fetch_refs(clone, access, wanted)
            except RefMissing:
                listed = await self.list_tips(access, wanted)
                wanted = [ref for ref in wanted if ref in listed]
                await self._fetch_refs(clone, access, wanted)
            try:
                return await self._read_tips(clone, wanted)
            except CloneDamaged:
                await self._fetcher.renew(clone, access, _refspecs(wanted))
                return await self._read_tips(clone, wanted)

    async def fetch_commit(self, access: GitAccess, commit: Commit) -> bool:
        _check(commit)
        if await self.has_commit(access, commit):
            return True
        async with self._writing(access) as clone:
            try:
                await self._fetcher.fetch(clone, access, [commit])
            except (CommitRefused, FormatDiffers):
                return False
            clone.known.add(commit)
            return True

    async def has_commit(self, access: GitAccess, commit: Commit) -> bool:
        _check(commit)
        clone = self._clone(access)
        if commit not in clone.known:
            if not clone.exists:
                return False
            try:
                kind = await self._commands.read(clone.path, "cat-file", "-t", commit)
            except CloneDamaged:  # git's word for an object it does not have, too
                return False
            if kind.strip() not in (b"commit", b"tag"):
                return False
            clone.known.add(commit)
        return True

    async def changed_paths(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> tuple[str, ...]:
        _check(before, after)
        if before == after:
            return ()
        clone = self._clone(access)
        try:
            return await self._compare(clone, before, after)
        except CloneDamaged:
            async with self._writing(access) as clone:
                await self._fetcher.renew(clone, access, [after])
                with suppress(CommitRefused, FormatDiffers):  # the old clone may have kept it
                    await self._fetcher.fetch(clone, access, [before])
                return await self._compare(clone, before, after)

    async def read_tree(self, access: GitAccess, commit: Commit) -> Tree:
        _check(commit)
        command = ("ls-tree", "-r", "-z", "--full-tree", commit)
        return parse_tree(await self._commands.read(self._clone(access).path, *command))

    async def changed_entries(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> Mapping[str, FileEntry | None]:
        _check(before, after)
        clone = self._clone(access)
        return parse_changes(await self._diff(clone, "--raw", "--no-abbrev", before, after))

    async def read_blobs(
        self, access: GitAccess, blobs: Collection[str]
    ) -> Mapping[str, bytes | None]:
        _check(*blobs)
        clone, wanted = self._clone(access), sorted(blobs)
        sizes = await self._read_sizes(clone, wanted)
        missing = [blob for blob in wanted if blob not in sizes]
        if missing:
            async with self._writing(access) as clone:
                await self._fetcher.fetch_blobs(clone, access, missing)
            sizes |= await self._read_sizes(clone, missing)
        small = [blob for blob, size in sizes.items() if size <= MAX_DOCUMENT_BYTES]
        output = await self._commands.read(clone.path, "cat-file", "--batch", stdin=_lines(small))
        contents = parse_contents(output)
        return {blob: contents.get(blob) for blob in wanted}

    async def _read_sizes(self, clone: Clone, blobs: Sequence[str]) -> dict[str, int]:
        output = await self._commands.read(
            clone.path, "cat-file", "--batch-check", stdin=_lines(blobs)
        )
        return parse_sizes(output)

    async def keep(self, access: GitAccess, repository: str, commit: Commit) -> None:
        _check(commit)
        change = ("update-ref", "--no-deref", kept_plan(repository), commit)
        async with self._writing(access) as clone:
            try:
                await self._commands.read(clone.path, *change)
            except CloneDamaged:
                await self._fetcher.renew(clone, access, [commit])
                await self._commands.read(clone.path, *change)

    def clone_bytes(self, access: GitAccess) -> int:
        return self._clone(access).size_bytes

    async def use(self, routing: Routing) -> None:
        urls = {entry.git.url for entry in routing.repositories if entry.git is not None}
        named = {folder_name(url) for url in urls}
        busy = set()
        for name, clone in list(self._clones.items()):
            clone.is_dropped = name not in named
            if clone.lock.locked():
                busy.add(name)  # removed when that is done, see `_writing`
            elif clone.is_dropped:
                del self._clones[name]
        await asyncio.to_thread(_remove_strays, self._folder, named | busy)

    async def close(self) -> None:
        await self._processes.close()

    def _clone(self, access: GitAccess) -> Clone:
        name = folder_name(access.url)
        clone = self._clones.get(name)
        if clone is None:
            clone = Clone(path=self._folder / name)
            self._clones[name] = clone
        return clone

    @asynccontextmanager
    async def _writing(self, access: GitAccess) -> AsyncIterator[Clone]:
        """The clone, tidy, and nobody else's to write to meanwhile."""
        host_of(access.url)
        clone = self._clone(access)
        async with clone.lock:
            try:
                if not clone.is_tidy:
                    await on_disk(clone.tidy)
                yield clone
            except (CutShort, MachineTrouble, asyncio.CancelledError):
                clone.is_tidy = False
                raise
            finally:
                if clone.is_dropped:
                    await on_disk(clone.discard)

    async def _fetch_refs(self, clone: Clone, access: GitAccess, refs: Sequence[str]) -> None:
        for start in range(0, len(refs), MAX_REFS_AT_ONCE):
            some = refs[start : start + MAX_REFS_AT_ONCE]
            await self._fetcher.fetch(clone, access, _refspecs(some))

    async def _read_tips(self, clone: Clone, refs: Sequence[str]) -> Mapping[str, Commit]:
        """The commits that *refs*, just fetched, stand for; a tag of anything else is left out."""
        if not refs:
            return {}
        names = "".join(f"{kept_tip(ref)}^{{commit}}\n" for ref in refs)
        options = "--batch-check=%(objectname) %(objecttype)"
        output = await self._commands.read(
            clone.path, "cat-file", options, stdin=names.encode("ascii")
        )
        tips = parse_commits(output, refs)
        if any(ref not in tips and not ref.startswith("refs/tags/") for ref in refs):
            raise CloneDamaged("the clone lacks a commit that it was just given")
        clone.known.update(tips.values())
        return tips

    async def _compare(self, clone: Clone, before: Commit, after: Commit) -> tuple[str, ...]:
        output = await self._diff(clone, "--name-only", before, after)
        return tuple(sorted(output.decode("utf-8", "surrogateescape").split("\0")[:-1]))

    async def _diff(self, clone: Clone, *words: str) -> bytes:
        return await self._commands.read(
            clone.path,
            *("diff-tree", "-r", "-z", "--no-renames", "--ignore-submodules=none"),
            *("--no-ext-diff", "--no-textconv", *words),
        )


def _refspecs(refs: Sequence[str]) -> list[str]:
    return [f"+{ref}:{kept_tip(ref)}" for ref in refs]


def _lines(blobs: Sequence[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode("ascii")


def _check(*commits: Commit) -> None:
    for commit in commits:
        if not _COMMIT.fullmatch(commit):
            raise GitUnavailable("an object is not named by its full id")


def _remove_strays(folder: Path, named: set[str]) -> None:
    with suppress(OSError):
        for path in stray_folders(folder, named=named):
            with suppress(OSError):
                remove(path)
