"""Where the names in a kustomization file lead: through links, and not out of the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.core.kustomize.found import Found
    from router.core.kustomize.reader import Reader
    from router.core.kustomize.tree import Tree

MAX_NAME_CHARACTERS = 4096
"""Of a name: no system has longer paths."""

MAX_LINKS = 40
"""Symbolic links on the way to one file, as Linux allows."""

_REMOTE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|git::|[^/\s@]+@[^/\s:]+:|[a-z0-9-]+(?:\.[a-z0-9-]+)+[/:])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one tree."""

    tree: Tree
    reader: Reader
    found: Found

    def resolve(self, name: str, folder: str, by: str) -> str | None:
        """*name*, as a file in *folder* has it, from the root and without links; None if it cannot
        be told, or not yet."""
        if name.startswith("/"):
            self.found.doubt(by, f"{name[:200]} is an absolute path")
            return None
        if len(name) > MAX_NAME_CHARACTERS:
            self.found.doubt(by, f"a name has more than {MAX_NAME_CHARACTERS} characters")
            return None
        path = _normal(join(folder, name)) if name else folder
        for _ in range(MAX_LINKS if self.tree.has_links else 1):
            if path == ".." or path.startswith("../"):
                return self._leave(name, by)
            link = self._first_link(path)
            if link is None:
                self.found.asked.add(path)
                return path
            target = self._target(link, by)
            if target is None:
                return None
            path = _normal(join(dirname(link), target) + path[len(link) :])
        self.found.doubt(by, f"{name} leads through more than {MAX_LINKS} links")
        return None

    def submodule_of(self, path: str) -> str | None:
        """The submodule that *path* is, or is in."""
        while path:
            entry = self.tree.files.get(path)
            if entry is not None and entry.kind == "submodule":
                return path
            path = dirname(path)
        return None

    def _leave(self, name: str, by: str) -> str | None:
        if is_remote(name):  # a URL with dots in it
            return name
        self.found.doubt(by, f"{name} leads out of the repository")
        return None

    def _first_link(self, path: str) -> str | None:
        """The first part of *path* that is a symbolic link."""
        if not self.tree.has_links:
            return None
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            entry = self.tree.files.get(part)
            if entry is not None and entry.kind == "link":
                return part
        return None

    def _target(self, link: str, by: str) -> str | None:
        """Where a link leads, relative to its folder; None if that is not known, or not yet."""
        self.found.add(link, by)
        blob = self.tree.files[link].blob
        if not self.reader.has(blob):
            self.found.needs.add(blob)
            return None
        target = self.reader.target(blob)
        if not target or target.startswith("/"):
            self.found.doubt(link, "where the link leads is not known, or out of the repository")
            return None
        return target


def folder_of(path: str) -> str:
    """A folder as `spec.path` or `build` names it, from the root; "" is the root."""
    return _normal(path.strip().lstrip("/") or ".")


def is_remote(name: str) -> bool:
    """Whether a name that is no file here stands for something elsewhere."""
    return _REMOTE.match(name) is not None


def _normal(path: str) -> str:
    path = normpath(path)
    return "" if path == "." else path
