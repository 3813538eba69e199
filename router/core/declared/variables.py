"""Files of the ConfigMaps and Secrets that Kustomizations substitute variables from."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from posixpath import dirname
from typing import TYPE_CHECKING

from router.core.declared.files import Note
from router.core.declared.scopes import nearness
from router.core.declared.values import (
    VARIABLE,
    beside,
    mappings,
    objects_in,
    text_in,
)
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import read_fields

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization, FluxVariables
    from router.core.declared.patches import Patch
    from router.core.flux_objects import Resource
    from router.core.kustomize.documents import Value

NEAR_FOLDERS = 2
"""Such as clusters/prod: who shares these is of one cluster."""

MAX_RELATED = 500
"""Definitions of one name, or changes of them, of which each is compared with each."""

_GENERATORS = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}
_NAME = re.compile(rb"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableFiles:
    """What a Kustomization's variables come from."""

    files: tuple[str, ...]
    unsure: frozenset[str]
    """Those of them that may be another cluster's as well as its own."""
    notes: tuple[Note, ...]
    """On variables that nothing here defines."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A definition of an object, or a change of it."""

    by: str
    files: tuple[str, ...]
    namespace: str = ""
    """Of a definition; "" where it does not tell."""


class Variables:
    """The ConfigMaps and Secrets of several files, and what changes them."""

    def __init__(self, found: FluxFiles) -> None:
        self._found = found
        wanted = (one for each in found.objects.kustomizations for one in each.variables)
        names = {one.object.name for one in wanted}
        names |= {text_in(each.source, "name") for each in found.patches}
        self._definitions = _read_definitions(found, names)
        self._patches = {kind: _by_name(found.patches, kind) for kind in _GENERATORS}
        self._known: dict[tuple[Resource, bool], Mapping[str, frozenset[str]]] = {}

    def find(self, each: FluxKustomization) -> VariableFiles:
        """Of objects of one name in several clusters, the nearest count. So do patches, as far as
        kind and name tell which objects these are for."""
        files: dict[str, None] = {}
        unsure: set[str] = set()
        notes = []
        for variables in dict.fromkeys(each.variables):
            parts = self._parts(each, variables) if _is_named(variables) else []
            files |= dict.fromkeys(file for part, _ in parts for file in part.files)
            unsure |= {file for part, is_sure in parts if not is_sure for file in part.files}
            if not parts and not variables.is_optional:
                notes.append(Note(file=each.file, message=_absent(each, variables)))
        return VariableFiles(files=tuple(files), unsure=frozenset(unsure), notes=tuple(notes))

    def _parts(
        self, each: FluxKustomization, variables: FluxVariables
    ) -> Sequence[tuple[_Part, bool]]:
        """What counts, and whether it is sure that it does."""
        wanted = variables.object
        defined = self._definitions.get((wanted.kind, wanted.name), ())
        here = [part for part in defined if part.namespace in {"", wanted.namespace}]
        near = self._choose(each.file, (wanted, False), here)
        by_name = self._patches.get(wanted.kind, {})
        changes = [
            _Part(patch.by, (patch.file, *self._copied(patch)))
            for patch in (*by_name.get(wanted.name, ()), *by_name.get("", ()))
            if patch.changes(wanted.kind, wanted.name)
            and any(self._found.scopes.reaches(patch.folder, part.by) for part, _ in near)
        ]
        return (*near, *self._choose(each.file, (wanted, True), changes))

    def _choose(
        self, file: str, key: tuple[Resource, bool], parts: Sequence[_Part]
    ) -> Sequence[tuple[_Part, bool]]:
        """The nearest to *file*, and those that the same builds read. Not sure are those of which
        there may be another one instead, as of another cluster, unless they are much nearer: in the
        folder of *file*, one above or below it, or in the same folder of a folder."""
        related = self._relations(key, frozenset(part.by for part in parts))
        best = max((nearness(part.by, file) for part in parts), default=0)
        near = [part.by for part in parts if nearness(part.by, file) == best]
        chosen = frozenset[str]().union(*(related[by] for by in near))
        is_near = best >= NEAR_FOLDERS and all(chosen <= related[by] for by in near)
        return [
            (part, is_near or related.keys() <= related[part.by] or _is_around(part.by, file))
            for part in parts
            if part.by in chosen
        ]

    def _relations(
        self, key: tuple[Resource, bool], files: frozenset[str]
    ) -> Mapping[str, frozenset[str]]:
        """For each of *files* those that some build reads together with it; not for very many."""
        known = self._known.get(key)
        if known is None or known.keys() != files:
            if len(files) > MAX_RELATED:
                known = {file: frozenset({file}) for file in files}
            else:
                known = {
                    one: frozenset(other for other in files if self._is_related(one, other))
                    for one in files
                }
            self._known[key] = known
        return known

    def _is_related(self, one: str, other: str) -> bool:
        reaches = self._found.scopes.reaches
        return one == other or reaches(dirname(one), other) or reaches(dirname(other), one)

    def _copied(self, patch: Patch) -> Iterator[str]:
        """Where the object is defined that a replacement takes a value from."""
        key = (text_in(patch.source, "kind"), text_in(patch.source, "name"))
        for part in self._definitions.get(key, ()):
            if self._found.scopes.reaches(patch.folder, part.by):
                yield from part.files


def _is_around(one: str, other: str) -> bool:
    """Whether the folder of one file is that of the other, or above it."""
    ones, others = dirname(one), dirname(other)
    return f"{ones}/".startswith(f"{others}/") or f"{others}/".startswith(f"{ones}/")


def _by_name(patches: Sequence[Patch], kind: str) -> Mapping[str, Sequence[Patch]]:
    """Those that may change an object of that kind by its name; under "" those for any name."""
    found: dict[str, list[Patch]] = {}
    for patch in patches:
        names = patch.names(kind)
        for name in ("",) if names is None else names:
            found.setdefault(name, []).append(patch)
    return found


def _read_definitions(
    found: FluxFiles, names: Collection[str]
) -> Mapping[tuple[str, str], Sequence[_Part]]:
    """Objects of any of *names*, by kind and name. Files that do not hold a name are not read."""
    wanted = {name.encode() for name in names if name}
    kustomizations = frozenset(found.scopes.kustomizations.values())
    definitions: dict[tuple[str, str], list[_Part]] = {}
    for file, content in found.contents.items() if wanted else ():
        if wanted.isdisjoint(_NAME.findall(content)):
            continue
        namespace = found.scopes.namespace_of(file)
        if file in kustomizations:
            parts = _generated(file, found.scopes.document(file), namespace)
        else:
            parts = _defined(file, content, namespace)
        for kind, name, part in parts:
            if name in names:
                definitions.setdefault((kind, name), []).append(part)
    return definitions


def _defined(file: str, content: bytes, namespace: str | None) -> Iterator[tuple[str, str, _Part]]:
    with suppress(Unreadable):
        for each in objects_in(content):
            name = text_in(each, "metadata", "name")
            own = namespace or text_in(each, "metadata", "namespace")
            yield text_in(each, "kind"), name, _Part(file, (file,), own)


def _generated(
    file: str, document: Mapping[str, Value], namespace: str | None
) -> Iterator[tuple[str, str, _Part]]:
    """What a kustomization file generates, and the files that is made of."""
    for kind, field in _GENERATORS.items():
        for entry in mappings(document.get(field)):
            files = (file, *_named_files(file, {field: [dict(entry)]}))
            own = namespace or text_in(entry, "namespace")
            yield kind, text_in(entry, "name"), _Part(file, files, own)


def _named_files(file: str, fields: Mapping[str, Value]) -> Iterator[str]:
    with suppress(Unreadable):
        yield from (beside(file, each.path) for each in read_fields(fields))


def _is_named(variables: FluxVariables) -> bool:
    name = variables.object.name
    return bool(name) and VARIABLE not in name


def _absent(each: FluxKustomization, variables: FluxVariables) -> str:
    told = f"`{each.name}` substitutes from a {variables.object.kind}"
    if _is_named(variables):
        return f"{told} that no file here defines, `{variables.object.name}`"
    return f"{told} of no known name, `{variables.object.name}`"
