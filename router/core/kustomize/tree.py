"""The files of one commit, as Git has them: their names, kinds and blobs, without their content."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from posixpath import dirname
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FileKind: TypeAlias = Literal["file", "link", "submodule"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a tree."""

    kind: FileKind
    blob: str
    """Id of its content; of a submodule, the commit."""


class Tree:
    """Every file of a commit by its path from the repository's root, bytes that are no text as
    surrogates. Folders are what files lie in."""

    __slots__ = ("_order", "files", "has_links")

    def __init__(self, files: Mapping[str, FileEntry]) -> None:
        self.files = files
        self._order = sorted(files)
        self.has_links = any(entry.kind == "link" for entry in files.values())

    def is_folder(self, path: str) -> bool:
        """Whether a file lies below *path*; "" is the root."""
        return next(self.below(path), None) is not None

    def below(self, path: str) -> Iterator[str]:
        """The paths of all files below a folder, in order."""
        prefix = f"{path}/" if path else ""
        for place in range(bisect_left(self._order, prefix), len(self._order)):
            name = self._order[place]
            if not name.startswith(prefix):
                return
            yield name

    def changed(self, changes: Mapping[str, FileEntry | None]) -> Tree:
        """The tree after *changes*: paths with their new entries, None for those removed."""
        files = {**self.files, **changes}
        return Tree({path: entry for path, entry in files.items() if entry is not None})

    def describe(self, changes: Mapping[str, FileEntry | None]) -> TreeChanges:
        """What *changes* make of this tree."""
        reshaped: set[str] = set()
        for path, entry in changes.items():
            before = self.files.get(path)
            if (before and before.kind) != (entry and entry.kind):
                reshaped.add(path)
        return TreeChanges(
            paths=frozenset(changes),
            reshaped=frozenset(reshaped),
            places=frozenset(reshaped | folders_of(reshaped)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeChanges:
    """In what one tree differs from another."""

    paths: frozenset[str]
    """Files whose content or kind differs, those that are new and those that are gone."""
    reshaped: frozenset[str]
    """Of these, the ones that are new, gone or of another kind."""
    places: frozenset[str]
    """These, and every folder they lie in."""


def folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that one of *paths* lies in; "" is the root."""
    folders: set[str] = set()
    for path in paths:
        folder = dirname(path)
        while folder not in folders:
            folders.add(folder)
            folder = dirname(folder)
    return folders
