"""What several files hold of Flux, and which files change that afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from router.core.declared.objects import (
    FluxObjects,
    inline_patches,
    moves_kustomization,
    read_objects,
)
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES, Unreadable, read_documents
from router.core.kustomize.references import read_kustomization
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.kustomize.documents import Value

NOT_HAD = f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB, or the repository lacks its content"
_MARKS = (b"toolkit.fluxcd.io", b"ConfigMap", b"Secret", b"/spec/")
_PATCHES = frozenset({"patches", "patchesStrategicMerge", "patchesJson6902"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What could not be derived, and the file that it is about."""

    file: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxFiles:
    """The objects of Flux in several files, and which files change them afterwards."""

    objects: FluxObjects
    contents: Mapping[str, bytes]
    moving: tuple[str, ...]
    """Files with patches that give a Flux Kustomization another path or the like."""
    unreadable: tuple[Note, ...] = ()


def read_flux(had: Mapping[str, bytes | None]) -> FluxFiles:
    """The objects of Flux in contents by path, None for what cannot be had; patches are none."""
    contents = {path: content for path, content in had.items() if content is not None}
    missing = tuple(Note(file=path, message=NOT_HAD) for path in sorted(had.keys() - contents))
    patches, moving = _read_patches(contents)
    whole = {path: contents[path] for path in sorted(contents.keys() - patches)}
    found, unreadable = _read_files(whole)
    kustomizations = tuple(each for one in found for each in one.kustomizations)
    moving |= {each.file for each in kustomizations if each.has_moving_patch}
    objects = FluxObjects(
        kustomizations=kustomizations,
        sources=tuple(each for one in found for each in one.sources),
        receivers=tuple(each for one in found for each in one.receivers),
    )
    return FluxFiles(
        objects=objects,
        contents=contents,
        moving=tuple(sorted(moving)),
        unreadable=(*missing, *unreadable),
    )


def may_matter(path: str, content: bytes | None) -> bool:
    """Whether a file may hold, or change, anything that layers are derived from."""
    if content is None or path.rpartition("/")[2] in KUSTOMIZATION_FILES:
        return True
    return any(mark in content for mark in _MARKS)


def _read_files(
    contents: Mapping[str, bytes],
) -> tuple[Sequence[FluxObjects], tuple[Note, ...]]:
    found, notes = [], []
    for path, content in contents.items():
        try:
            found.append(read_objects(path, content))
        except Unreadable as why:
            notes.append(Note(file=path, message=f"it names Flux, and cannot be read: {why}"))
    return found, tuple(notes)


def _read_patches(contents: Mapping[str, bytes]) -> tuple[set[str], set[str]]:
    """Files that are patches, and those whose patches move a Kustomization."""
    patches: set[str] = set()
    moving: set[str] = set()
    for path, content in contents.items():
        if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
            patches |= _patch_files(path, content)
            if any(map(moves_kustomization, inline_patches(first_document(content)))):
                moving.add(path)
    moving |= {path for path in patches if moves_kustomization(contents.get(path, b""))}
    return patches, moving


def _patch_files(path: str, content: bytes) -> set[str]:
    try:
        references = read_kustomization(content)
    except Unreadable:
        return set()
    return {
        normpath(join(dirname(path), each.path)) for each in references if each.field in _PATCHES
    }


def first_document(content: bytes) -> Mapping[str, Value]:
    try:
        documents = read_documents(content)
    except Unreadable:
        return {}
    first = documents[0] if documents else None
    return first if isinstance(first, dict) else {}
