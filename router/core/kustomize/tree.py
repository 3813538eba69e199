"""The files of one commit, as Git has them: their names, kinds and blobs, without their content."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from posixpath import dirname
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.kustomize.ignored import IGNORE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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

    __slots__ = ("_order", "files", "has_links", "ignore_files")

    def __init__(self, files: Mapping[str, FileEntry], order: Sequence[str] | None = None) -> None:
        """*order* has the paths sorted, where that is known."""
        self.files = files
        self._order = sorted(files) if order is None else order
        self.has_links = any(entry.kind == "link" for entry in files.values())
        self.ignore_files = {
            path: entry
            for path, entry in files.items()
            if path.endswith(IGNORE_FILE) and path.rpartition("/")[2] == IGNORE_FILE
        }
        """Those by the name of `.sourceignore`."""

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

    def expand(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The files of *paths*, where a slash at the end stands for all below."""
        found: dict[str, None] = {}
        for path in paths:
            below = self.below(path[:-1]) if path.endswith("/") else (path,)
            found |= dict.fromkeys(below)
        return tuple(found)

    def changed(self, changes: Mapping[str, FileEntry | None]) -> Tree:
        """The tree after *changes*: paths with their new entries, None for those removed."""
        files = dict(self.files)
        for path, entry in changes.items():
            if entry is None:
                files.pop(path, None)
            else:
                files[path] = entry
        has_same_paths = all((path in self.files) == (path in files) for path in changes)
        return Tree(files, self._order if has_same_paths else None)


def with_folders(paths: Iterable[str]) -> set[str]:
    """The *paths*, and all folders that they are in."""
    found: set[str] = set()
    for path in paths:
        place = path
        while place not in found:
            found.add(place)
            place = dirname(place)
    return found
