"""Files of the ConfigMaps and Secrets that Kustomizations substitute variables from."""

from __future__ import annotations

from contextlib import suppress
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.declared.files import Note
from router.core.declared.objects import defines
from router.core.declared.values import VARIABLE, first_document, mappings, text_in
from router.core.flux_objects import Resource
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import read_fields
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization, FluxVariables
    from router.core.declared.patches import Patch
    from router.core.kustomize.documents import Value


def find_variables(
    each: FluxKustomization, found: FluxFiles
) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """The files that a Kustomization's variables come from, and notes on those of which none is
    here. Patches of their objects count, as far as kind and name tell which these are."""
    files: dict[str, None] = {}
    notes = []
    for variables in each.variables:
        of_these = dict.fromkeys(_files(variables.object, found)) if _is_named(variables) else {}
        files |= of_these
        if not of_these and not variables.is_optional:
            notes.append(Note(file=each.file, message=_absent(each, variables)))
    return tuple(files), tuple(notes)


def _is_named(variables: FluxVariables) -> bool:
    name = variables.object.name
    return bool(name) and VARIABLE not in name


def _absent(each: FluxKustomization, variables: FluxVariables) -> str:
    told = f"`{each.name}` substitutes from a {variables.object.kind}"
    if _is_named(variables):
        return f"{told} that no file here defines, `{variables.object.name}`"
    return f"{told} of no known name, `{variables.object.name}`"


def _files(wanted: Resource, found: FluxFiles) -> Iterator[str]:
    defining = list(_defining(wanted, found.contents))
    yield from defining
    for patch in found.patches:
        is_of_them = patch.changes(wanted.kind, wanted.name)
        if is_of_them and any(found.scopes.reaches(patch, file) for file in defining):
            yield patch.file
            yield from _copied(wanted, patch, found.contents)


def _copied(wanted: Resource, patch: Patch, contents: Mapping[str, bytes]) -> Iterator[str]:
    """Where the object is defined that a replacement takes a value from."""
    kind, name = text_in(patch.source, "kind"), text_in(patch.source, "name")
    if kind and name:
        yield from _defining(Resource(kind=kind, namespace=wanted.namespace, name=name), contents)


def _defining(wanted: Resource, contents: Mapping[str, bytes]) -> Iterator[str]:
    for path, content in contents.items():
        if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
            yield from _generated(wanted, path, content)
        elif defines(content, wanted):
            yield path


def _generated(wanted: Resource, path: str, content: bytes) -> Iterator[str]:
    """A kustomization file that generates *wanted*, and the files it is made of."""
    field = "configMapGenerator" if wanted.kind == "ConfigMap" else "secretGenerator"
    for entry in mappings(first_document(content).get(field)):
        if entry.get("name") == wanted.name:
            yield path
            yield from _named_files(path, {field: [dict(entry)]})


def _named_files(path: str, fields: Mapping[str, Value]) -> Iterator[str]:
    with suppress(Unreadable):
        yield from (normpath(join(dirname(path), each.path)) for each in read_fields(fields))
