"""Contents of files that name other files: read once for each blob, whichever commit has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.kustomize.documents import Unreadable
from router.core.kustomize.ignored import Ignored
from router.core.kustomize.references import read_kustomization, read_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.kustomize.references import Reference
    from router.core.kustomize.tree import FileEntry

NamingKind: TypeAlias = Literal["kustomization", "plugin", "link"]

MAX_KEPT_BLOBS = 20_000
"""Contents kept of one repository, some kilobytes each; above that all are brought anew."""


class Reader:
    """What the files of one repository name, by their blobs."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes | None] = {}
        self._found: dict[tuple[NamingKind, str], tuple[Reference, ...] | Unreadable] = {}
        self._ignored: tuple[Mapping[str, FileEntry], Ignored] = ({}, Ignored({}))
        """The ignore files asked for last, and what they leave out."""

    def add(self, contents: Mapping[str, bytes | None]) -> None:
        """Contents by blob; None for one that cannot be had."""
        if len(self._contents) + len(contents) > MAX_KEPT_BLOBS:
            self._contents.clear()
            self._found.clear()
        self._contents.update(contents)

    def has(self, blob: str) -> bool:
        """Whether the content of *blob* was added, or that it cannot be had."""
        return blob in self._contents

    def references(self, kind: NamingKind, blob: str) -> tuple[Reference, ...] | Unreadable:
        """What a file names, or why nobody can tell. Its blob was added."""
        found = self._found.get((kind, blob))
        if found is None:
            found = self._found[kind, blob] = self._read(kind, self._contents[blob])
        return found

    def forget_missing(self) -> None:
        """Contents that could not be had may be had by now."""
        missing = {blob for blob, content in self._contents.items() if content is None}
        for blob in missing:
            del self._contents[blob]
        for key in [key for key in self._found if key[1] in missing]:
            del self._found[key]

    def ignored(self, files: Mapping[str, FileEntry]) -> Ignored:
        """What the ignore files of a tree leave out. Their blobs were added."""
        if self._ignored[0] != files:
            contents = {
                path: self._contents[entry.blob] if entry.kind == "file" else None
                for path, entry in files.items()
            }
            self._ignored = (files, Ignored(contents))
        return self._ignored[1]

    def target(self, blob: str) -> str | None:
        """Where a symbolic link leads, as it is written; None if that cannot be had."""
        content = self._contents[blob]
        return None if content is None else content.decode("utf-8", "surrogateescape")

    def _read(self, kind: NamingKind, content: bytes | None) -> tuple[Reference, ...] | Unreadable:
        if content is None:
            return Unreadable("its content cannot be had")
        try:
            return read_kustomization(content) if kind == "kustomization" else read_plugins(content)
        except Unreadable as why:
            return why
