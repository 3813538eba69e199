"""Which files the build of a folder takes objects from, as far as the files at hand tell."""

from __future__ import annotations

from posixpath import dirname
from typing import TYPE_CHECKING

from router.core.declared.values import beside, first_document, text_in
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import read_kustomization
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.kustomize.documents import Value

_OF_OBJECTS = frozenset({"resource", "component", "plugin"})


class Scopes:
    """Files by the folders whose builds read them: what a patch there may change."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self.kustomizations = {
            dirname(path): path
            for path in contents
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES
        }
        """By their folders."""
        self._documents: dict[str, Mapping[str, Value]] = {}
        self._namespaces: list[tuple[str, str]] | None = None
        self._named: dict[str, frozenset[str] | None] = {}
        self._known: dict[str, frozenset[str] | None] = {}

    def document(self, path: str) -> Mapping[str, Value]:
        """What one of the kustomizations holds."""
        if path not in self._documents:
            self._documents[path] = first_document(self._contents[path])
        return self._documents[path]

    def resources(self) -> frozenset[str]:
        """The files that some kustomization names as what it takes objects from."""
        named = (self._names(path) for path in self.kustomizations.values())
        return frozenset().union(*(files for files in named if files is not None))

    def reaches(self, folder: str, file: str) -> bool:
        """Whether the build of *folder* may take objects from *file*, or change those of it."""
        if folder not in self._known:
            self._known[folder] = self._read(folder)
        files = self._known[folder]
        return files is None or file in files

    def namespace_of(self, file: str) -> str | None:
        """The one that kustomizations set for the objects of *file*; None for none, or several."""
        if self._namespaces is None:
            told = (
                (folder, text_in(self.document(path), "namespace"))
                for folder, path in self.kustomizations.items()
            )
            self._namespaces = [(folder, name) for folder, name in told if name]
        found = {name for folder, name in self._namespaces if self.reaches(folder, file)}
        return found.pop() if len(found) == 1 else None

    def _read(self, folder: str) -> frozenset[str] | None:
        """Files that the build of *folder* reads; None if that cannot be told."""
        if folder not in self.kustomizations:
            start = f"{folder}/" if folder else ""
            return frozenset(path for path in self._contents if path.startswith(start))
        found: set[str] = set()
        waiting = [self.kustomizations[folder]]
        if self.document(waiting[0]).get("kind") == "Component":
            return None  # it changes objects of those that include it
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                named = self._names(path)
                if named is None:
                    return None
                waiting += named
        return frozenset(found)

    def _names(self, path: str) -> frozenset[str] | None:
        """Files at hand that a kustomization takes objects from, those of folders being their
        kustomizations; none of another file, and None if it cannot be told."""
        if self.kustomizations.get(dirname(path)) != path:
            return frozenset()
        if path not in self._named:
            self._named[path] = self._read_names(path)
        return self._named[path]

    def _read_names(self, path: str) -> frozenset[str] | None:
        try:
            references = read_kustomization(self._contents[path])
        except Unreadable:
            return None
        named = (beside(path, each.path) for each in references if each.kind in _OF_OBJECTS)
        places = ("" if place == "." else place for place in named)
        files = (self.kustomizations.get(place, place) for place in places)
        return frozenset(each for each in files if each in self._contents)


def nearness(one: str, other: str) -> int:
    """How many folders two files share from the root on; more still for the same file."""
    if one == other:
        return one.count("/") + 1
    ones, others = one.split("/")[:-1], other.split("/")[:-1]
    pairs = enumerate(zip(ones, others, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(ones), len(others)))
