"""Which files a kustomize build reads: the closure of a folder, worked out without running it.

A change of any other file cannot change what the build makes. Where that cannot be told for certain
the closure says so (`unknown`), and never leaves anything out. Contents are needed only of a few
files; those that are not at hand are returned as a need, and the whole is asked again with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.kustomize.found import BUILD, Remote
from router.core.kustomize.ignored import IGNORE_FILE, Ignored
from router.core.kustomize.walk import KUSTOMIZATION_FILES, Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.kustomize.reader import Reader
    from router.core.kustomize.tree import Tree

NOTHING_IGNORED = Ignored({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is built: folders, as `spec.path` of a Flux Kustomization names them."""

    folders: tuple[str, ...]
    components: tuple[str, ...] = ()
    """`spec.components` of the Flux Kustomization, relative to each of the folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What a build reads of one commit."""

    files: Mapping[str, str]
    """Path → the file that names it, or BUILD."""
    remotes: tuple[Remote, ...] = ()
    unknown: str | None = None
    """Why files may be missing here (a sentence), or None where none is."""
    absent: tuple[str, ...] = ()
    """Folders to build that are not there, where nothing else makes it unknown."""
    deciding: frozenset[str] = frozenset()
    """Files whose content this was found from."""
    asked: frozenset[str] = frozenset()
    """Paths that this depends on being there, or not, and folders for what is below."""

    ignored: Ignored = field(default=NOTHING_IGNORED, compare=False)
    """What the commit's ignore files leave out."""

    def has_rules(self, path: str) -> bool:
        """Whether *path* counts only as an ignore file above what is read."""
        return self.files.get(path) == BUILD and path.rpartition("/")[2] == IGNORE_FILE

    def chain(self, path: str) -> tuple[str, ...]:
        """*path*, the file that names it, the file that names that one, and so on."""
        chain = [path]
        while (by := self.files.get(chain[-1], BUILD)) != BUILD and by not in chain:
            chain.append(by)
        return tuple(chain)


@dataclass(frozen=True, slots=True)
class Need:
    """Blobs without whose content a closure cannot be told."""

    blobs: frozenset[str]


def kustomization_blobs(tree: Tree) -> frozenset[str]:
    """The blobs of every kustomization and ignore file of a tree: what closures need first."""
    blobs = {
        entry.blob
        for path, entry in tree.files.items()
        if path.endswith(KUSTOMIZATION_FILES)
        and path.rpartition("/")[2] in KUSTOMIZATION_FILES
        and entry.kind == "file"
    }
    return frozenset(blobs | {entry.blob for entry in tree.ignore_files.values()})


def find_closure(tree: Tree, build: Build, *, reader: Reader) -> Closure | Need:
    """The closure of *build* in *tree*; *reader* has the contents that were brought so far."""
    walk = Walk(tree, reader)
    for name in build.folders:
        walk.start(name, build.components)
    walk.run()
    found = walk.found
    if found.needs:
        return Need(frozenset(found.needs))
    unknown = found.unknown
    if unknown is None and found.absent:
        unknown = f"there is no folder {found.absent[0] or '.'}"
    return Closure(
        files=found.files,
        remotes=tuple(found.remotes),
        unknown=unknown,
        absent=tuple(found.absent) if found.unknown is None else (),
        deciding=frozenset(found.deciding),
        asked=frozenset(found.asked),
        ignored=walk.ignored,
    )
