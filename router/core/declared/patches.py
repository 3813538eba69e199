"""Patches and replacements: which objects they change, and what of them.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/replacements/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.declared.values import mapping_in, mappings, text_in
from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from router.core.kustomize.documents import Value

_FIELDS = ("patches", "patchesStrategicMerge", "patchesJson6902")
_PLAIN = re.compile(r"[A-Za-z0-9.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One patch (a merge, or operations of JSON6902), or one target of a replacement."""

    by: str
    """The file that has it, or names its file."""
    folder: str
    """Of whose build it changes objects."""
    file: str
    """Where its text is."""
    target: Mapping[str, Value]
    documents: tuple[Value, ...]
    """Its text as values; none for one that cannot be read, or a replacement."""
    source: Mapping[str, Value] = field(default_factory=dict)
    """What a replacement copies from."""

    def changes(self, kind: str, name: str) -> bool:
        """Whether it may change that object, as far as kind and name tell."""
        if self.target:
            wanted = ((self.target.get("kind"), kind), (self.target.get("name"), name))
            return all(_may_be(pattern, text) for pattern, text in wanted)
        merges = (each for each in self.documents if isinstance(each, dict))
        return any(
            each.get("kind") == kind and text_in(each, "metadata", "name") == name
            for each in merges
        )

    def sets(self, kind: str, api: str, fields: Collection[str]) -> bool:
        """Whether it changes one of *fields* of the spec of an object of that kind and API."""
        return any(self._sets(document, kind, api, fields) for document in self.documents)

    def _sets(self, document: Value, kind: str, api: str, fields: Collection[str]) -> bool:
        if isinstance(document, list):
            pointers = (text_in(operation, "path") for operation in mappings(document))
            starts = tuple(f"/spec/{name}" for name in fields)
            is_one = any(each == "/spec" or each.startswith(starts) for each in pointers)
            return is_one and _may_be(self.target.get("kind"), kind)
        if not isinstance(document, dict):
            return False
        is_meant = document.get("kind") == kind and text_in(document, "apiVersion").startswith(api)
        return is_meant and any(name in mapping_in(document, "spec") for name in fields)


def read_patches(
    file: str, document: Mapping[str, Value], contents: Mapping[str, bytes], folder: str
) -> Iterator[Patch]:
    """The patches that a kustomization, or a Flux Kustomization's spec, in *file* has for what the
    build of *folder* makes. The texts that it names are taken from *contents*."""
    for key in _FIELDS:
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str):  # a file if there is one, else the patch itself
                yield _read(file, {"path": entry, "patch": entry}, contents, folder)
            elif isinstance(entry, dict):
                yield _read(file, entry, contents, folder)
    for replacement in mappings(document.get("replacements")):
        yield from _replacements(file, replacement, contents, folder)


def _read(by: str, entry: Mapping[str, Value], contents: Mapping[str, bytes], folder: str) -> Patch:
    path, text = text_in(entry, "path"), text_in(entry, "patch")
    file = _beside(by, path)
    if file != by and (file in contents or not text):
        content = contents.get(file, b"")
    else:
        file, content = by, text.encode("utf-8", "surrogatepass")
    target = mapping_in(entry, "target")
    documents = _documents(content)
    return Patch(by=by, folder=folder, file=file, target=target, documents=documents)


def _replacements(
    by: str, entry: Mapping[str, Value], contents: Mapping[str, bytes], folder: str
) -> Iterator[Patch]:
    """A replacement may stand here, or one or a list of them in a file of its own."""
    file = _beside(by, text_in(entry, "path"))
    found: list[Mapping[str, Value]] = [entry]
    if file != by:
        read = _documents(contents.get(file, b""))
        values = [each for one in read for each in (one if isinstance(one, list) else [one])]
        found = [each for each in values if isinstance(each, dict)]
    for each in found:
        for target in mappings(each.get("targets")):
            select, source = mapping_in(target, "select"), mapping_in(each, "source")
            yield Patch(by=by, folder=folder, file=file, target=select, documents=(), source=source)


def _beside(by: str, path: str) -> str:
    """The file that *by* names; *by* itself for no name."""
    return normpath(join(dirname(by), path)) if path else by


def _documents(content: bytes) -> tuple[Value, ...]:
    try:
        return tuple(read_documents(content))
    except Unreadable:
        return ()


def _may_be(pattern: Value, text: str) -> bool:
    """Whether a selector, a regular expression of the whole, may match; an odd one is not tried."""
    is_plain = isinstance(pattern, str) and _PLAIN.fullmatch(pattern)
    return not pattern or pattern == text or not is_plain
