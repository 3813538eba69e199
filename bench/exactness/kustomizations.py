"""The Flux Kustomizations that stand in the files of a commit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.kustomize.closure import Build
from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.exactness.clone import Clone
    from router.core.kustomize.documents import Value
    from router.core.kustomize.tree import Tree

_GROUP = "kustomize.toolkit.fluxcd.io/"


@dataclass(frozen=True, slots=True)
class Declared:
    """A Kustomization as one file declares it."""

    name: str
    source: str
    build: Build


class Finder:
    """Reads each blob once, whichever commit has it."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._found: dict[str, tuple[Declared, ...]] = {}

    def find(self, tree: Tree) -> dict[str, Build]:
        """File and name → build, of those whose folder is in *tree*, and that the source of most
        feeds: the others are built from another repository, or have variables in their path."""
        blobs = {
            path: entry.blob
            for path, entry in tree.files.items()
            if entry.kind == "file" and path.endswith((".yaml", ".yml"))
        }
        missing = sorted(set(blobs.values()) - self._found.keys())
        for blob, content in self._clone.contents(missing):
            self._found[blob] = tuple(_declared(content or b""))
        declared = [(path, each) for path, blob in blobs.items() for each in self._found[blob]]
        sources = Counter(each.source for _, each in declared)
        own = max(sources, key=lambda source: sources[source], default=None)
        return {
            f"{path}#{each.name}": each.build
            for path, each in declared
            if each.source == own and tree.is_folder(each.build.folders[0])
        }


def _declared(content: bytes) -> Iterator[Declared]:
    if _GROUP.encode() not in content:
        return
    try:
        documents = read_documents(content)
    except Unreadable:
        return
    for document in documents:
        spec = _get(document, "spec")
        if (
            _get(document, "kind") == "Kustomization"
            and str(_get(document, "apiVersion")).startswith(_GROUP)
            and _get(source := _get(spec, "sourceRef"), "kind") == "GitRepository"
        ):
            path = str(_get(spec, "path") or "").removeprefix("./").strip("/")
            components = _get(spec, "components")
            names = tuple(map(str, components)) if isinstance(components, list) else ()
            name = str(_get(_get(document, "metadata"), "name"))
            yield Declared(
                name, str(_get(source, "name")), Build(folders=(path,), components=names)
            )


def _get(value: Value, key: str) -> Value:
    return value.get(key) if isinstance(value, dict) else None
