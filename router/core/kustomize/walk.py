"""The walk through kustomization files that finds a closure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from router.core.kustomize.reader import NamingKind, Reader
    from router.core.kustomize.tree import Tree

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""https://github.com/kubernetes-sigs/kustomize/blob/master/api/konfig/general.go"""

MANIFEST_SUFFIXES = (".yaml", ".yml")
"""What kustomize-controller takes for manifests in a folder without a kustomization file.

https://fluxcd.io/flux/components/kustomize/kustomizations/#generating-a-kustomizationyaml-file
"""

MAX_FOLDERS = 10_000
"""Folders with a kustomization that one build may read."""

MAX_DEPTH = 100
"""Kustomizations on the way from the build to one file."""

MAX_NAME_CHARACTERS = 4096
"""Of a name: no system has longer paths."""

MAX_LINKS = 40
"""Symbolic links on the way to one file, as Linux allows."""

BUILD = ""
"""In the place of the file that named another: the build itself."""

_REMOTE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|git::|[^/\s@]+@[^/\s:]+:|[a-z0-9-]+(?:\.[a-z0-9-]+)+[/:])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Something that a build reads from elsewhere; nothing watches it."""

    url: str
    by: str
    """The file that names it."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A folder to read, and the folders that led to it."""

    folder: str
    by: str
    above: _Visit | None = None
    is_root: bool = False
    depth: int = 0

    def to(self, folder: str, by: str) -> _Visit:
        """The visit of a folder that the file *by* names."""
        return _Visit(folder, by, self, depth=self.depth + 1)

    def is_circle(self) -> bool:
        visit = self.above
        while visit is not None:
            if visit.folder == self.folder:
                return True
            visit = visit.above
        return False


@dataclass(slots=True, kw_only=True)
class Walk:
    """One closure on its way."""

    tree: Tree
    reader: Reader
    is_ignored: Callable[[str], bool] | None
    files: dict[str, str] = field(default_factory=dict)
    remotes: dict[Remote, None] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    unknown: str | None = None
    _visits: list[_Visit] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)
    _whole: set[str] = field(default_factory=set)

    def start(self, name: str, components: Iterable[str]) -> None:
        """Visit a folder that is built, and what Flux adds to it."""
        folder = self._resolve(name.lstrip("/"), "", BUILD)
        if folder is None:
            return
        visit = _Visit(folder, BUILD, is_root=True)
        self._visits.append(visit)
        for component in components:
            self._name(Reference("components", "component", component), visit, BUILD)

    def run(self) -> None:
        """Visit folders until none is left."""
        while self._visits:
            visit = self._visits.pop()
            if visit.is_circle():
                self._doubt(visit.by, f"{visit.folder or '.'} is part of a circle")
            elif visit.depth > MAX_DEPTH:
                self._doubt(visit.by, f"kustomizations lead on for more than {MAX_DEPTH} steps")
            elif visit.folder not in self._done:
                self._done.add(visit.folder)
                if len(self._done) > MAX_FOLDERS:
                    self._doubt(BUILD, f"more than {MAX_FOLDERS} folders are read")
                    return
                self._visit(visit)

    def _visit(self, visit: _Visit) -> None:
        names = [join(visit.folder, name) for name in KUSTOMIZATION_FILES]
        found = [path for path in names if self._has(path)]
        if not found:
            self._visit_plain(visit)
            return
        if len(found) > 1:
            self._doubt(visit.by, f"{visit.folder or '.'} has several kustomization files")
        for path in found:
            self._read(path, "kustomization", visit)

    def _visit_plain(self, visit: _Visit) -> None:
        """A folder without a kustomization file: only Flux reads one, and all that is below it."""
        if not self.tree.is_folder(visit.folder):
            self._doubt(visit.by, f"there is no folder {visit.folder or '.'}")
            return
        if not visit.is_root:
            self._doubt(visit.by, f"the folder {visit.folder or '.'} has no kustomization file")
        inner = {
            dirname(path)
            for path in self.tree.below(visit.folder)
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES
        }
        outer = {each for each in inner if not _has_above(dirname(each), inner)}
        self._visits += [visit.to(each, visit.by) for each in sorted(outer)]
        for path in self.tree.below(visit.folder):
            is_manifest = path.endswith(MANIFEST_SUFFIXES) and not _has_above(dirname(path), outer)
            if is_manifest and not (self.is_ignored and self.is_ignored(path)):
                self._add(path, visit.by)

    def _read(self, path: str, kind: NamingKind, visit: _Visit) -> None:
        """Follow what the file at *path* names, from the folder of *visit*."""
        real = self._add(path, visit.by)
        if real is None:
            return
        blob = self.tree.files[real].blob
        if not self.reader.has(blob):
            self.needs.add(blob)
            return
        found = self.reader.references(kind, blob)
        if isinstance(found, Unreadable):
            self._doubt(path, str(found))
            return
        for reference in found:
            self._name(reference, visit, path)

    def _name(self, reference: Reference, visit: _Visit, by: str) -> None:
        """Follow one thing that the file *by* names."""
        kind = reference.kind
        if kind == "patch" and _is_inline(reference.path):
            return
        path = self._resolve(reference.path, visit.folder, by)
        if path is None:
            return
        is_file = path in self.tree.files and self.tree.files[path].kind != "submodule"
        if kind == "chart":
            self._add_whole(path, by)
        elif is_file and kind == "plugin":
            self._read(path, "plugin", _Visit(visit.folder, by, visit.above))
        elif is_file and kind != "component":
            self._add(path, by)
        elif kind in {"resource", "component", "plugin"} and self.tree.is_folder(path):
            self._visits.append(visit.to(path, by))
            if kind == "plugin":
                self._doubt(by, f"what the plugins of the folder {path} read is not followed")
        else:
            self._miss(reference, path, by)

    def _miss(self, reference: Reference, path: str, by: str) -> None:
        """Something that is not in the tree: elsewhere, in a submodule, or missing."""
        if reference.kind == "patch" and ": " in reference.path:
            return  # a patch of one line
        submodule = self._submodule_of(path)
        if submodule is not None:
            self.files.setdefault(submodule, by)
            if reference.kind not in {"file", "patch"}:
                self._doubt(by, f"{path} is in a submodule")
        elif _REMOTE.match(reference.path):
            self.remotes[Remote(url=reference.path, by=by)] = None
        else:
            self._doubt(by, f"there is no {path or '.'}")

    def _submodule_of(self, path: str) -> str | None:
        while path:
            entry = self.tree.files.get(path)
            if entry is not None and entry.kind == "submodule":
                return path
            path = dirname(path)
        return None

    def _add(self, path: str, by: str) -> str | None:
        """A file that is read; the file that it is a link to, if it is one. None while unknown."""
        self.files.setdefault(path, by)
        if self.tree.files[path].kind != "link":
            return path
        real = self._resolve(path, "", by)
        if real is None or real not in self.tree.files:
            if real is not None:
                self._doubt(path, f"the link leads to {real or '.'}, which is no file")
            return None
        self.files.setdefault(real, by)
        return real

    def _add_whole(self, folder: str, by: str) -> None:
        """A chart: if it is not in the repository, Helm has it elsewhere."""
        if folder in self._whole:
            return
        self._whole.add(folder)
        for path in self.tree.below(folder):
            self._add(path, by)

    def _resolve(self, name: str, folder: str, by: str) -> str | None:
        """*name*, as a file in *folder* has it, from the root and without links; None if it cannot
        be told, or not yet."""
        if name.startswith("/"):
            self._doubt(by, f"{name} is an absolute path")
            return None
        if len(name) > MAX_NAME_CHARACTERS:
            self._doubt(by, f"a name has more than {MAX_NAME_CHARACTERS} characters")
            return None
        path = normpath(join(folder, name)) if name else folder
        path = "" if path == "." else path
        for _ in range(MAX_LINKS if self.tree.has_links else 1):
            if path == ".." or path.startswith("../"):
                if _REMOTE.match(name):  # a URL with dots in it
                    return name
                self._doubt(by, f"{name} leads out of the repository")
                return None
            link = self._first_link(path)
            if link is None:
                return path
            target = self._target(link, by)
            if target is None:
                return None
            path = normpath(join(dirname(link), target) + path[len(link) :])
            path = "" if path == "." else path
        self._doubt(by, f"{name} leads through more than {MAX_LINKS} links")
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
        self.files.setdefault(link, by)
        blob = self.tree.files[link].blob
        if not self.reader.has(blob):
            self.needs.add(blob)
            return None
        target = self.reader.target(blob)
        if not target or target.startswith("/"):
            self._doubt(link, "where the link leads is not known, or out of the repository")
            return None
        return target

    def _doubt(self, by: str, why: str) -> None:
        """Files may be missing. The first reason is kept."""
        if self.unknown is None:
            self.unknown = f"{by}: {why}" if by else why

    def _has(self, path: str) -> bool:
        entry = self.tree.files.get(path)
        return entry is not None and entry.kind != "submodule"


def _is_inline(patch: str) -> bool:
    """Whether it cannot be a file's name; a patch of one short line can."""
    return "\n" in patch or (": " in patch and len(patch) > MAX_NAME_CHARACTERS)


def _has_above(folder: str, folders: Collection[str]) -> bool:
    """Whether *folder*, or one that it is in, is one of *folders*."""
    while True:
        if folder in folders:
            return True
        if not folder:
            return False
        folder = dirname(folder)
