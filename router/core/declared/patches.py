"""Patches and replacements: which objects they change, and what of them.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/replacements/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from router.core.declared.values import beside, is_a, mapping_in, mappings, text_in, texts_in
from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.kustomize.documents import Value

MAX_PATCHES = 5000
"""Of one file, with all its aliases; one with more is told, and the rest is not looked at."""

_FIELDS = ("patches", "patchesStrategicMerge", "patchesJson6902")
_NAME = "metadata.name"
"""Every merge has it, to tell for which object it is."""

_PLAIN = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What a patch consists of."""

    documents: Sequence[Value]
    """As values; none for one that cannot be read."""
    merged: frozenset[tuple[str, str]]
    """Kind and name of the objects that merges are for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """One patch (a merge, or operations of JSON6902), or one target of a replacement."""

    by: str
    """The file that has it, or names its file."""
    folder: str
    """Of whose build it changes objects."""
    file: str
    """Where its text is."""
    target: Mapping[str, Value]
    text: Text
    """Of a replacement, operations that change the same fields."""
    source: Mapping[str, Value] = field(default_factory=dict)
    """What a replacement copies from."""

    @property
    def reach(self) -> tuple[object, ...]:
        """What it has in common with all patches that may change the same objects."""
        if not self.target:
            return (self.folder, self.text.merged)
        return (self.folder, _plain(self.target.get("kind")), _plain(self.target.get("name")))

    def changes(self, kind: str, name: str) -> bool:
        """Whether it may change that object, as far as kind and name tell."""
        if not self.target:
            return (kind, name) in self.text.merged
        wanted = ((self.target.get("kind"), kind), (self.target.get("name"), name))
        return all(_may_be(pattern, text) for pattern, text in wanted)

    def sets(self, kind: str, api: str, *fields: str) -> bool:
        """Whether it changes a field of objects of that kind and API, such as `spec.path`."""
        return any(self._sets(document, kind, api, fields) for document in self.text.documents)

    def removes(self, kind: str, api: str) -> bool:
        """Whether it takes objects of that kind and API away."""
        merges = (each for each in self.text.documents if isinstance(each, dict))
        return any(
            each.get("$patch") == "delete" and self._is_for(each, kind, api) for each in merges
        )

    def names(self, kind: str) -> frozenset[str] | None:
        """The names of those objects of that kind that it may change; None for any name."""
        if self.target:
            name = _plain(self.target.get("name"))
            return None if name is None else frozenset({name})
        return frozenset(name for of_kind, name in self.text.merged if of_kind == kind)

    def merges(self, kind: str, *keys: str) -> Iterator[Mapping[str, Value]]:
        """The mappings that it puts under *keys* of objects of that kind."""
        for document in self.text.documents:
            for each in mappings(document):  # operations
                if text_in(each, "path") == f"/{'/'.join(keys)}":
                    yield mapping_in(each, "value")
            if isinstance(document, dict) and self._is_for(document, kind, ""):
                yield mapping_in(document, *keys)

    def _sets(self, document: Value, kind: str, api: str, fields: Collection[str]) -> bool:
        if isinstance(document, list):
            paths = [text_in(each, "path").strip("/") for each in mappings(document)]
            pointers = [path.replace("/", ".") for path in paths]
            return _may_be(self.target.get("kind"), kind) and _touch(pointers, fields)
        if not isinstance(document, dict) or not self._is_for(document, kind, api):
            return False
        keys = (name.split(".") for name in fields if name != _NAME)
        return any(each[-1] in mapping_in(document, *each[:-1]) for each in keys)

    def _is_for(self, document: Mapping[str, Value], kind: str, api: str) -> bool:
        """Whether a merge is for objects of that kind: its target counts, if that names a kind."""
        wanted = self.target.get("kind")
        return is_a(document, kind, api) if wanted is None else _may_be(wanted, kind)


def read_patches(
    file: str, document: Mapping[str, Value], texts: Texts, folder: str
) -> Iterator[Patch]:
    """The patches that a kustomization, or a Flux Kustomization's spec, in *file* has for what the
    build of *folder* makes, at most MAX_PATCHES and one more."""
    return islice(_read_all(file, document, texts, folder), MAX_PATCHES + 1)


class Texts:
    """Texts of patches by their files, each read once."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self._read: dict[str, Text] = {}

    def __contains__(self, file: str) -> bool:
        return file in self._contents

    def of_file(self, file: str) -> Text:
        if file not in self._read:
            self._read[file] = read_text(self._contents.get(file, b""))
        return self._read[file]


def read_text(content: bytes) -> Text:
    """A patch's text as it stands."""
    try:
        documents = read_documents(content)
    except Unreadable:
        documents = []
    merges = (each for each in documents if isinstance(each, dict))
    named = ((text_in(each, "kind"), text_in(each, "metadata", "name")) for each in merges)
    return Text(documents, frozenset(named))


def _read_all(
    file: str, document: Mapping[str, Value], texts: Texts, folder: str
) -> Iterator[Patch]:
    for key in _FIELDS:
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str):  # a file if there is one, else the patch itself
                yield _read(file, {"path": entry, "patch": entry}, texts, folder)
            elif isinstance(entry, dict):
                yield _read(file, entry, texts, folder)
    for replacement in mappings(document.get("replacements")):
        yield from _replacements(file, replacement, texts, folder)


def _read(by: str, entry: Mapping[str, Value], texts: Texts, folder: str) -> Patch:
    path, inline = text_in(entry, "path"), text_in(entry, "patch")
    file = beside(by, path)
    if file != by and (file in texts or not inline):
        text = texts.of_file(file)
    else:
        file, text = by, read_text(inline.encode("utf-8", "surrogatepass"))
    return Patch(by=by, folder=folder, file=file, target=mapping_in(entry, "target"), text=text)


def _replacements(
    by: str, entry: Mapping[str, Value], texts: Texts, folder: str
) -> Iterator[Patch]:
    """A replacement may stand here, or one or a list of them in a file of its own."""
    file = beside(by, text_in(entry, "path"))
    found: list[Mapping[str, Value]] = [entry]
    if file != by:
        read = texts.of_file(file).documents
        values = [each for one in read for each in (one if isinstance(one, list) else [one])]
        found = [each for each in values if isinstance(each, dict)]
    for each in found:
        for target in mappings(each.get("targets")):
            yield Patch(
                by=by,
                folder=folder,
                file=file,
                target=mapping_in(target, "select"),
                text=Text([_operations(texts_in(target, "fieldPaths") or (_NAME,))], frozenset()),
                source=mapping_in(each, "source"),
            )


def _operations(field_paths: Sequence[str]) -> Value:
    return [{"path": path.replace(".", "/")} for path in field_paths]


def _touch(pointers: Sequence[str], fields: Collection[str]) -> bool:
    """Whether one is a field, or above or below one."""
    return any(
        not pointer or name == pointer or f"{name}.".startswith(f"{pointer}.")
        or pointer.startswith(f"{name}.")
        for pointer in pointers
        for name in fields
    )  # fmt: skip


def _plain(pattern: Value) -> str | None:
    """The only text that a selector, a regular expression of the whole, matches; None for none and
    for an odd one, which is not tried."""
    return pattern if isinstance(pattern, str) and _PLAIN.fullmatch(pattern) else None


def _may_be(pattern: Value, text: str) -> bool:
    return _plain(pattern) in {None, text}
