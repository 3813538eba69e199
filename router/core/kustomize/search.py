"""The closures of many builds in one tree; who runs the search brings the contents it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.kustomize.closure import Closure, Need, find_closure, kustomization_blobs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from router.core.kustomize.closure import Build
    from router.core.kustomize.reader import Reader
    from router.core.kustomize.tree import Tree

MAX_ROUNDS = 200
"""How often contents are asked for; each round leads one link or plugin further."""

FILES_SLICE = 500
"""Files read by builds before others get a turn: 1 to 3 ms."""


class Search:
    """Finds what each of *builds* reads, with the contents that *reader* has."""

    def __init__(self, tree: Tree, builds: Collection[Build], reader: Reader) -> None:
        self._tree = tree
        self._builds = builds
        self._reader = reader
        self.found: dict[Build, Closure] = {}
        """All of them, once the steps have ended."""

    def steps(self) -> Iterator[Collection[str]]:
        """Each step tells the blobs to add to the reader before the next; where it tells none,
        others may have a turn."""
        first = kustomization_blobs(self._tree)
        yield [blob for blob in first if not self._reader.has(blob)]
        for _ in range(MAX_ROUNDS):
            needed: set[str] = set()
            yield from self._round(needed)
            if not needed:
                return
            yield needed
        unknown = Closure(files={}, unknown=f"links lead on for more than {MAX_ROUNDS} steps")
        self.found = {build: self.found.get(build, unknown) for build in self._builds}

    def _round(self, needed: set[str]) -> Iterator[Collection[str]]:
        """Find those closures that can be told, and add to *needed* what the others lack."""
        work = 0
        for build in [each for each in self._builds if each not in self.found]:
            closure = find_closure(self._tree, build, reader=self._reader)
            if isinstance(closure, Need):
                needed |= closure.blobs
                work += 1
            else:
                self.found[build] = closure
                work += 1 + len(closure.files)
            if work > FILES_SLICE:
                work = 0
                yield ()
