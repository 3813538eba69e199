"""Which files a kustomize build reads: the closure of a folder, worked out without running it.

A change of any other file cannot change what the build makes. Where that cannot be told for certain
the closure says so (`unknown`), and never leaves anything out. Contents are needed only of a few
files; those that are not at hand are returned as a need, and the whole is asked again with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.kustomize.walk import BUILD, KUSTOMIZATION_FILES, Remote, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.core.kustomize.reader import Reader
    from router.core.kustomize.tree import Tree


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
    """The blobs of every kustomization file of a tree: what closures need first."""
    return frozenset(
        entry.blob
        for path, entry in tree.files.items()
        if path.rpartition("/")[2] in KUSTOMIZATION_FILES and entry.kind == "file"
    )


def find_closure(
    tree: Tree,
    build: Build,
    *,
    reader: Reader,
    is_ignored: Callable[[str], bool] | None = None,
) -> Closure | Need:
    """The closure of *build* in *tree*.

    *reader* has the contents that were brought so far. *is_ignored* tells which paths never reach
    the cluster (.sourceignore); they are only left out where a folder is read whole.
    """
    walk = Walk(tree=tree, reader=reader, is_ignored=is_ignored)
    for name in build.folders:
        walk.start(name, build.components)
    walk.run()
    if walk.needs:
        return Need(frozenset(walk.needs))
    return Closure(files=walk.files, remotes=tuple(walk.remotes), unknown=walk.unknown)
