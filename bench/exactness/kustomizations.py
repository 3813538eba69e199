"""The Flux Kustomizations that stand in the files of a commit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from router.core.declared.objects import read_objects
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.walk import MANIFEST_SUFFIXES

if TYPE_CHECKING:
    from bench.exactness.clone import Clone
    from router.core.declared.objects import FluxKustomization
    from router.core.kustomize.closure import Build
    from router.core.kustomize.tree import Tree


class Finder:
    """Reads each blob once, whichever commit has it."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._found: dict[str, tuple[FluxKustomization, ...]] = {}

    def find(self, tree: Tree) -> dict[str, Build]:
        """File and name → build, of those whose folder is in *tree*, and that the source of most
        feeds: the others are built from another repository, or have variables in their path."""
        blobs = {
            path: entry.blob
            for path, entry in tree.files.items()
            if entry.kind == "file" and path.endswith(MANIFEST_SUFFIXES)
        }
        missing = sorted(set(blobs.values()) - self._found.keys())
        for blob, content in self._clone.contents(missing):
            self._found[blob] = _fed_by_git(content or b"")
        declared = [(path, each) for path, blob in blobs.items() for each in self._found[blob]]
        sources = Counter(each.source for _, each in declared)
        own = max(sources, key=lambda source: sources[source], default=None)
        return {
            f"{path}#{each.name}": each.build
            for path, each in declared
            if each.source == own and tree.is_folder(each.folder)
        }


def _fed_by_git(content: bytes) -> tuple[FluxKustomization, ...]:
    try:
        found = read_objects("", content).kustomizations
    except Unreadable:
        return ()
    return tuple(each for each in found if each.source.kind == "GitRepository")
