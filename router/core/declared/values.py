"""Fields of plain values; one that is not there, or is of another kind, is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.kustomize.documents import Value

VARIABLE = "${"
"""What Flux substitutes when it applies an object; nobody knows here by what."""


def first_document(content: bytes) -> Mapping[str, Value]:
    """What kustomize reads of a file; empty if that is no mapping."""
    try:
        documents = read_documents(content)
    except Unreadable:
        return {}
    first = documents[0] if documents else None
    return first if isinstance(first, dict) else {}


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
