"""Files of the ConfigMaps and Secrets that Kustomizations substitute variables from."""

from __future__ import annotations

from contextlib import suppress
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.declared.files import first_document
from router.core.declared.objects import defines
from router.core.declared.ownership import VARIABLE
from router.core.kustomize.documents import Unreadable
from router.core.kustomize.references import read_fields
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.core.flux_objects import Resource
    from router.core.kustomize.documents import Value


def substituted_files(wanted: Sequence[Resource], contents: Mapping[str, bytes]) -> Iterator[str]:
    for each in wanted:
        if not each.name or VARIABLE in each.name:
            continue
        for path, content in contents.items():
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
                yield from _generated(each, path, content)
            elif defines(content, each):
                yield path


def _generated(wanted: Resource, path: str, content: bytes) -> Iterator[str]:
    """A kustomization file that generates *wanted*, and the files it is made of."""
    field = "configMapGenerator" if wanted.kind == "ConfigMap" else "secretGenerator"
    entries = first_document(content).get(field)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == wanted.name:
            yield path
            yield from _named_files(path, {field: [entry]})


def _named_files(path: str, fields: Mapping[str, Value]) -> Iterator[str]:
    with suppress(Unreadable):
        yield from (normpath(join(dirname(path), each.path)) for each in read_fields(fields))
