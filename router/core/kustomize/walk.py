"""The walk through kustomization files that finds a closure."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import dirname, join
from typing import TYPE_CHECKING

from router.core.kustomize.documents import Unreadable
from router.core.kustomize.found import BUILD, Found, Remote
from router.core.kustomize.ignored import is_left_out_by_default
from router.core.kustomize.names import MAX_NAME_CHARACTERS, Names, is_remote
from router.core.kustomize.references import Reference, is_inline
from router.core.kustomize.tree import with_folders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from router.core.kustomize.ignored import Ignored
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


class Walk:
    """One closure on its way."""

    def __init__(self, tree: Tree, reader: Reader) -> None:
        self._tree = tree
        self._reader = reader
        self.found = Found()
        self._names = Names(tree, reader, self.found)
        self.ignored = self._read_ignored()
        """What ignore files leave out."""
        self._visits: list[_Visit] = []
        self._done: set[str] = set()
        self._whole: set[str] = set()
        """Charts, of which everything counts."""
        self._has_plain = False

    def start(self, name: str, components: Iterable[str]) -> None:
        """Visit a folder that is built, and what Flux adds to it."""
        folder = self._names.resolve(name.lstrip("/"), "", BUILD)
        if folder is None:
            return
        is_there = self._tree.is_folder(folder) or folder in self._tree.files
        if not is_there and self._names.submodule_of(folder) is None:
            self.found.absent.append(folder)
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
                self.found.doubt(visit.by, f"{visit.folder or '.'} is part of a circle")
            elif visit.depth > MAX_DEPTH:
                self.found.doubt(
                    visit.by, f"kustomizations lead on for more than {MAX_DEPTH} steps"
                )
            elif visit.folder not in self._done:
                self._done.add(visit.folder)
                if len(self._done) > MAX_FOLDERS:
                    self.found.doubt(BUILD, f"more than {MAX_FOLDERS} folders are read")
                    return
                self._visit(visit)
        self._add_ignore_files()

    def _visit(self, visit: _Visit) -> None:
        names = [join(visit.folder, name) for name in KUSTOMIZATION_FILES]
        there = [path for path in names if self._has(path)]
        if not there or any(map(self._is_hidden, there)):
            self._visit_plain(visit)
        if len(there) > 1:
            self.found.doubt(visit.by, f"{visit.folder or '.'} has several kustomization files")
        for path in there:
            self._read(path, "kustomization", visit)

    def _visit_plain(self, visit: _Visit) -> None:
        """A folder without a kustomization file: only Flux reads one, and all that is below it."""
        folder = visit.folder
        if not self._tree.is_folder(folder):
            where = "is in a submodule" if self._names.submodule_of(folder) else "is no folder"
            self.found.doubt(visit.by, f"{folder or '.'} {where}")
            self.found.add(self._names.submodule_of(folder) or folder, visit.by)
            return
        if not visit.is_root:
            self.found.doubt(visit.by, f"the folder {folder or '.'} has no kustomization file")
            return
        self._has_plain = True
        outer = self._built_below(folder)
        self._visits += [visit.to(each, visit.by) for each in sorted(outer)]
        manifests = [
            path
            for path in self._tree.below(folder)
            if path.endswith(MANIFEST_SUFFIXES) and not _has_above(dirname(path), outer)
        ]
        applied = [path for path in manifests if path not in self.ignored]
        if not manifests and not outer:  # any one file tells that the folder is there
            manifests = [next(self._tree.below(folder))]
        for path in applied or manifests:  # a source that serves the folder has rules of its own
            self._add(path, visit.by)

    def _built_below(self, folder: str) -> set[str]:
        """The outermost folders below *folder* that have a kustomization file for Flux."""
        built = {
            dirname(path)
            for path in self._tree.below(folder)
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES and not self._is_hidden(path)
        } - {folder}
        return {each for each in built if not _has_above(dirname(each), built)}

    def _is_hidden(self, path: str) -> bool:
        """Whether Flux's artifact lacks a file: it has no links, and nothing that is ignored.

        https://github.com/fluxcd/pkg/blob/main/artifact/storage/archive.go
        """
        return path in self.ignored or self._tree.files[path].kind == "link"

    def _read(self, path: str, kind: NamingKind, visit: _Visit) -> None:
        """Follow what the file at *path* names, from the folder of *visit*."""
        real = self._add(path, visit.by)
        if real is None:
            return
        self.found.deciding.add(real)
        blob = self._tree.files[real].blob
        if not self._reader.has(blob):
            self.found.needs.add(blob)
            return
        references = self._reader.references(kind, blob)
        if isinstance(references, Unreadable):
            self.found.doubt(path, str(references))
            return
        for reference in references:
            self._name(reference, visit, path)

    def _name(self, reference: Reference, visit: _Visit, by: str) -> None:
        """Follow one thing that the file *by* names."""
        kind = reference.kind
        if kind == "patch" and _is_no_name(reference.path):
            return
        path = self._names.resolve(reference.path, visit.folder, by)
        if path is None:
            return
        is_file = self._has(path)
        if kind == "chart":
            self._add_whole(path, by)
        elif is_file and kind == "plugin":
            self._read(path, "plugin", _Visit(visit.folder, by, visit.above))
        elif is_file and kind != "component":
            self._add(path, by)
        elif kind in {"resource", "component", "plugin"} and self._tree.is_folder(path):
            self._visits.append(visit.to(path, by))
            if kind == "plugin":
                self.found.doubt(by, f"what the plugins of the folder {path} read is not followed")
        else:
            self._miss(reference, path, by)

    def _miss(self, reference: Reference, path: str, by: str) -> None:
        """Something that is not in the tree: elsewhere, in a submodule, or missing."""
        if reference.kind == "patch" and is_inline(reference.path):
            return  # a patch of one line
        submodule = self._names.submodule_of(path)
        if submodule is not None:
            self.found.add(submodule, by)
            if reference.kind not in {"file", "patch"}:
                self.found.doubt(by, f"{path} is in a submodule")
        elif is_remote(reference.path):
            self.found.remotes[Remote(url=reference.path, by=by)] = None
            if reference.kind == "plugin":
                self.found.doubt(by, f"what the plugins of {reference.path} read is not followed")
        else:
            self.found.doubt(by, f"there is no {path or '.'}")

    def _add(self, path: str, by: str) -> str | None:
        """A file that is read; the file that it is a link to, if it is one. None while unknown."""
        self.found.add(path, by)
        if self._tree.files[path].kind != "link":
            return path
        real = self._names.resolve(path, "", by)
        if real is None or real not in self._tree.files:
            if real is not None:
                self.found.doubt(path, f"the link leads to {real or '.'}, which is no file")
            return None
        self.found.add(real, by)
        return real

    def _add_whole(self, folder: str, by: str) -> None:
        """A chart: if it is not in the repository, Helm has it elsewhere."""
        if folder in self._whole:
            return
        self._whole.add(folder)
        for path in self._tree.below(folder):
            self._add(path, by)

    def _read_ignored(self) -> Ignored:
        files = self._tree.ignore_files
        needs = {entry.blob for entry in files.values() if not self._reader.has(entry.blob)}
        self.found.needs |= needs
        return self._reader.ignored({} if needs else files)

    def _add_ignore_files(self) -> None:
        """Those that tell of what was read; any of them tells whether Flux's defaults hold."""
        if not self._tree.ignore_files:
            return
        telling = list(self._tree.ignore_files)
        if not self._has_plain and not any(map(is_left_out_by_default, self.found.files)):
            folders = with_folders(self.found.files)
            telling = [path for path in telling if dirname(path) in folders]
        for path in telling:
            self._add_ignore_file(path)

    def _add_ignore_file(self, path: str) -> None:
        """One that is a link counts with its target, if it has one; else Flux reads no rules."""
        aside = Found()
        real = Names(self._tree, self._reader, aside).resolve(path, "", BUILD)
        self.found.needs |= aside.needs
        self.found.asked |= aside.asked
        for each in (path, *aside.files, real):
            if each is not None and each in self._tree.files:
                self.found.add(each, BUILD)

    def _has(self, path: str) -> bool:
        entry = self._tree.files.get(path)
        return entry is not None and entry.kind != "submodule"


def _is_no_name(patch: str) -> bool:
    """Whether it cannot be a file's name; a patch of one short line can."""
    return "\n" in patch or (is_inline(patch) and len(patch) > MAX_NAME_CHARACTERS)


def _has_above(folder: str, folders: Collection[str]) -> bool:
    """Whether *folder*, or one that it is in, is one of *folders*."""
    while folder not in folders:
        if not folder or not folders:
            return False
        folder = dirname(folder)
    return True
