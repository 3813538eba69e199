"""What git prints of trees and of the contents of files. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.kustomize.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.kustomize.tree import FileKind

_KINDS: Mapping[bytes, FileKind] = {b"120000": "link", b"160000": "submodule"}
"""Modes of entries that are no files (https://git-scm.com/docs/git-ls-tree)."""


_GONE = b"000000"


def parse_tree(output: bytes) -> Tree:
    """The tree that `ls-tree -r -z` prints."""
    files = {}
    for line in output.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _, blob = facts.split(b" ")
        name = path.decode("utf-8", "surrogateescape")
        files[name] = FileEntry(_KINDS.get(mode, "file"), blob.decode("ascii"))
    return Tree(files)


def parse_changes(output: bytes) -> dict[str, FileEntry | None]:
    """Paths with their new entries that `diff-tree -r -z --raw` prints; None for one removed."""
    words = output.split(b"\0")
    changes = {}
    for facts, path in zip(words[::2], words[1::2], strict=False):
        _, mode, _, blob, _ = facts.split(b" ")
        entry = FileEntry(_KINDS.get(mode, "file"), blob.decode("ascii"))
        changes[path.decode("utf-8", "surrogateescape")] = None if mode == _GONE else entry
    return changes


def parse_sizes(output: bytes) -> dict[str, int]:
    """Sizes in bytes of those that a clone has, as `cat-file --batch-check` prints them."""
    sizes = {}
    for line in output.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[1] == "blob":
            sizes[words[0]] = int(words[2])
    return sizes


def parse_contents(output: bytes) -> dict[str, bytes]:
    """Contents by blob, as `cat-file --batch` prints them."""
    return dict(_contents(output))


def _contents(output: bytes) -> Iterator[tuple[str, bytes]]:
    start = 0
    while start < len(output):
        end = output.index(b"\n", start)
        words = output[start:end].split(b" ")
        start = end + 1
        if len(words) == 3:  # a blob that is missing has two words, and nothing after them
            size = int(words[2])
            yield words[0].decode("ascii"), output[start : start + size]
            start += size + 1
