"""Which files the build of a folder takes objects from, as far as the files at hand tell."""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.declared.values import first_document
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import read_kustomization
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.declared.patches import Patch

_OF_OBJECTS = frozenset({"resource", "component", "plugin"})


class Scopes:
    """Files by the folders whose builds read them: what a patch there may change."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self._kustomizations = {
            dirname(path): path
            for path in contents
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES
        }
        self._known: dict[str, frozenset[str] | None] = {}

    def reaches(self, patch: Patch, file: str) -> bool:
        """Whether *patch* may change objects of *file*."""
        if patch.folder not in self._known:
            self._known[patch.folder] = self._read(patch.folder)
        files = self._known[patch.folder]
        return files is None or file in files

    def _read(self, folder: str) -> frozenset[str] | None:
        """Files that the build of *folder* reads; None if that cannot be told."""
        if folder not in self._kustomizations:
            start = f"{folder}/" if folder else ""
            return frozenset(path for path in self._contents if path.startswith(start))
        found: set[str] = set()
        waiting = [self._kustomizations[folder]]
        if first_document(self._contents[waiting[0]]).get("kind") == "Component":
            return None  # it changes objects of those that include it
        try:
            while waiting:
                path = waiting.pop()
                if path not in found:
                    found.add(path)
                    waiting += self._named(path)
        except Unreadable:
            return None
        return frozenset(found)

    def _named(self, path: str) -> Iterator[str]:
        """Files at hand that a kustomization names; those of folders are their kustomizations."""
        if path.rpartition("/")[2] not in KUSTOMIZATION_FILES:
            return
        for each in read_kustomization(self._contents[path]):
            if each.kind in _OF_OBJECTS:
                place = normpath(join(dirname(path), each.path))
                place = self._kustomizations.get("" if place == "." else place, place)
                if place in self._contents:
                    yield place
