"""One commit of a local repository, and what builds read of it. For the command line; blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.kustomize.changed import NO_BUILDS, read_changes
from router.core.kustomize.reader import Reader
from router.core.kustomize.search import Search
from router.core.push import is_zero
from router.remote.git.checkout import read_blobs, read_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from router.core.kustomize.changed import Builds
    from router.core.kustomize.closure import Build, Closure
    from router.core.push import Commit
    from router.core.routing import Repository


class Snapshot:
    """The files of one commit, and closures of builds in it; contents are read when needed."""

    def __init__(self, repo: Path, commit: Commit, reader: Reader | None = None) -> None:
        """Snapshots of one repository may share a *reader*. Raises SettingsInvalid, as all here."""
        self._repo = repo
        self.commit = commit
        self.tree = read_tree(repo, commit)
        self._reader = reader or Reader()
        self._closures: dict[Build, Closure] = {}

    def closures(self, builds: Collection[Build]) -> Mapping[Build, Closure]:
        """What each of *builds* reads."""
        missing = [build for build in builds if build not in self._closures]
        if missing:
            search = Search(self.tree, missing, self._reader)
            for needed in search.steps():
                if needed:
                    self._reader.add(read_blobs(self._repo, needed))
            self._closures |= search.found
        return {build: self._closures[build] for build in builds}

    def contents(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        """Contents of files, None for one that cannot be had; links and submodules are left out."""
        entries = ((path, self.tree.files.get(path)) for path in paths)
        blobs = {path: entry.blob for path, entry in entries if entry and entry.kind == "file"}
        found = read_blobs(self._repo, set(blobs.values())) if blobs else {}
        return {path: found[blob] for path, blob in blobs.items()}


def read_builds(
    repo: Path, entry: Repository, commits: Sequence[Commit], changed: Sequence[str]
) -> Builds:
    """What the builds of the entry's layers make of the paths that differ between *commits*.

    Zeros stand for a commit without files, of which no build reads any. Raises SettingsInvalid.
    """
    builds = entry.builds
    if not builds or not changed:
        return NO_BUILDS
    reader, wanted = Reader(), set(builds.values())
    found = [
        Snapshot(repo, commit, reader).closures(wanted) for commit in commits if not is_zero(commit)
    ]
    closures = {name: [each[build] for each in found] for name, build in builds.items()}
    return read_changes(closures, changed)
