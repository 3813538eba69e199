"""Git mode: what the builds of layers read, at the commits that a change leads between."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.changes import UnknownPaths
from router.core.errors import GitUnavailable
from router.core.kustomize.changed import NO_BUILDS, read_changes
from router.core.kustomize.difference import find_difference
from router.core.kustomize.reader import Reader
from router.core.kustomize.search import Search

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from router.core.changes import ExactPaths
    from router.core.kustomize.changed import Builds
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.tree import Tree
    from router.core.push import Commit
    from router.core.routing import GitAccess, Repository
    from router.ports.git import Git

MAX_KEPT_COMMITS = 4
"""Commits of one repository whose closures are kept: the cursor, and what is compared with it."""

MAX_KEPT_REPOSITORIES = 16
"""Repositories whose closures are kept; of the others they are worked out anew."""


@dataclass(slots=True)
class _Known:
    """What is known of one repository."""

    reader: Reader = field(default_factory=Reader)
    closures: OrderedDict[Commit, dict[Build, Closure]] = field(default_factory=OrderedDict)
    newest: tuple[Commit, Tree] | None = None
    """The tree read last: the next is told from it, and by what differs."""


class BuildReader:
    """Reads closures through clones, and keeps those of the newest commits."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._known: OrderedDict[str, _Known] = OrderedDict()
        """By the URL that is read; the one read last at the end."""

    async def read(
        self,
        entry: Repository,
        access: GitAccess,
        commits: Collection[Commit],
        changes: ExactPaths | UnknownPaths,
    ) -> Builds:
        """What the builds of the entry's layers make of *changes* between *commits* of the clone.

        Raises GitUnavailable.
        """
        builds = entry.builds
        if not builds or isinstance(changes, UnknownPaths) or not changes.paths:
            return NO_BUILDS
        known = self._known.setdefault(access.url, _Known())
        self._known.move_to_end(access.url)
        while len(self._known) > MAX_KEPT_REPOSITORIES:
            self._known.popitem(last=False)
        known.reader.forget_missing()
        wanted = set(builds.values())
        found = [await self._find(known, access, commit, wanted) for commit in commits]
        closures = {name: [each[build] for each in found] for name, build in builds.items()}
        return read_changes(closures, changes.paths)

    async def _find(
        self, known: _Known, access: GitAccess, commit: Commit, wanted: Iterable[Build]
    ) -> Mapping[Build, Closure]:
        found = known.closures.setdefault(commit, {})
        known.closures.move_to_end(commit)
        if any(build not in found for build in wanted):
            tree = await self._read_tree(known, access, commit, found)
            missing = [build for build in wanted if build not in found]
            if missing:
                search = Search(tree, missing, known.reader)
                for needed in search.steps():
                    if needed:
                        known.reader.add(await self._git.read_blobs(access, needed))
                    else:
                        await asyncio.sleep(0)
                found.update(search.found)
        while len(known.closures) > MAX_KEPT_COMMITS:
            known.closures.popitem(last=False)
        return found

    async def _read_tree(
        self, known: _Known, access: GitAccess, commit: Commit, found: dict[Build, Closure]
    ) -> Tree:
        """The tree of a commit; what holds of the closures of the one read last is *found* then."""
        if known.newest is None:
            tree = await self._git.read_tree(access, commit)
        else:
            other, before = known.newest
            try:
                changes = await self._git.changed_entries(access, other, commit)
            except GitUnavailable:  # the clone was made anew, without that commit
                tree = await self._git.read_tree(access, commit)
            else:
                tree = before.changed(changes)
                difference = find_difference(before, changes)
                for build, closure in known.closures.get(other, {}).items():
                    if build not in found and difference.leaves(closure):
                        found[build] = closure
        known.newest = (commit, tree)
        return tree
