"""Objects and fields of plain values; a field that is not there, or of another kind, is empty."""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.flux_objects import Resource
from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.kustomize.documents import Value

VARIABLE = "${"
"""What Flux substitutes when it applies an object; nobody knows here by what."""

DEFAULT_NAMESPACE = "flux-system"
"""Where an object without a namespace is taken to be, as `flux bootstrap` has it."""


def first_document(content: bytes) -> Mapping[str, Value]:
    """What kustomize reads of a file; empty if that is no mapping."""
    try:
        documents = read_documents(content)
    except Unreadable:
        return {}
    first = documents[0] if documents else None
    return first if isinstance(first, dict) else {}


def objects_in(content: bytes) -> Iterator[Mapping[str, Value]]:
    """Every object of a file, those in lists of objects, too. Raises Unreadable."""
    for document in read_documents(content):
        if isinstance(document, dict):
            is_list = text_in(document, "kind").endswith("List") and "items" in document
            yield from mappings(document.get("items")) if is_list else [document]


def is_a(document: Mapping[str, Value], kind: str, api: str) -> bool:
    """Whether an object is of that kind, in whatever version of the API."""
    return document.get("kind") == kind and text_in(document, "apiVersion").startswith(api)


def own_name(document: Mapping[str, Value], namespace: str | None) -> Resource:
    """What an object is called; *namespace* is the one that a kustomization sets, if any does."""
    told = text_in(document, "metadata", "namespace") or DEFAULT_NAMESPACE
    name = text_in(document, "metadata", "name")
    return Resource(kind=text_in(document, "kind"), namespace=namespace or told, name=name)


def named(entry: Mapping[str, Value], namespace: str) -> Resource:
    """What a reference names; without a namespace of its own, something in *namespace*."""
    return Resource(
        kind=text_in(entry, "kind"),
        namespace=text_in(entry, "namespace") or namespace,
        name=text_in(entry, "name"),
    )


def beside(file: str, path: str) -> str:
    """What *file* names by a path relative to its folder; itself for no path."""
    return normpath(join(dirname(file), path)) if path else file


def mapping_in(document: Mapping[str, Value], *keys: str) -> Mapping[str, Value]:
    """The mapping under *keys*, each in the one before."""
    for key in keys:
        value = document.get(key)
        document = value if isinstance(value, dict) else {}
    return document


def text_in(document: Mapping[str, Value], *keys: str) -> str:
    """The text under *keys*, each in the one before."""
    value = mapping_in(document, *keys[:-1]).get(keys[-1])
    return value if isinstance(value, str) else ""


def texts_in(document: Mapping[str, Value], key: str) -> tuple[str, ...]:
    """The texts of the list under *key*."""
    return tuple(each for each in _list(document.get(key)) if isinstance(each, str))


def mappings(value: Value) -> Iterator[Mapping[str, Value]]:
    """The mappings of a list."""
    return (each for each in _list(value) if isinstance(each, dict))


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
