"""Trees for tests: files with their contents, as a commit would have them."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from router.core.kustomize.closure import Build, Closure, Need, find_closure
from router.core.kustomize.reader import Reader
from router.core.kustomize.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def blob_of(content: str) -> str:
    return sha1(content.encode()).hexdigest()


def make_tree(
    files: Mapping[str, str],
    links: Mapping[str, str] | None = None,
    submodules: Iterable[str] = (),
) -> Tree:
    """A tree of *files* by content and *links* by target."""
    entries = {path: FileEntry("file", blob_of(content)) for path, content in files.items()}
    entries |= {path: FileEntry("link", blob_of(to)) for path, to in (links or {}).items()}
    entries |= {path: FileEntry("submodule", blob_of(path)) for path in submodules}
    return Tree(entries)


def closure_of(
    files: Mapping[str, str],
    *folders: str,
    components: tuple[str, ...] = (),
    links: Mapping[str, str] | None = None,
    submodules: Iterable[str] = (),
) -> Closure:
    """The closure of *folders*; contents are given as they are asked for, and only these."""
    tree = make_tree(files, links, submodules)
    contents = {blob_of(text): text.encode() for text in (*files.values(), *(links or {}).values())}
    reader, build = Reader(), Build(folders=folders, components=components)
    for _ in range(200):
        found = find_closure(tree, build, reader=reader)
        if not isinstance(found, Need):
            return found
        assert not any(map(reader.has, found.blobs)), "what was given is asked for again"
        reader.add({blob: contents[blob] for blob in found.blobs})
    raise AssertionError("it never ends")
