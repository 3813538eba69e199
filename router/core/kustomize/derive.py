"""Layers as the Flux Kustomizations of a repository tell them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, get_args

from router.core.kustomize.documents import MAX_DOCUMENT_BYTES, Unreadable, read_documents
from router.core.kustomize.flux import (
    FluxObjects,
    defines,
    inline_patches,
    moves_kustomization,
    read_objects,
)
from router.core.kustomize.references import read_fields, read_kustomization
from router.core.kustomize.walk import KUSTOMIZATION_FILES
from router.core.routing import ReceiverType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.flux_objects import Resource
    from router.core.kustomize.documents import Value
    from router.core.kustomize.flux import FluxKustomization, FluxReceiver
    from router.core.kustomize.tree import Tree

GIT = "GitRepository"
RECEIVER_TYPES = frozenset(get_args(ReceiverType))
"""Those that can be called."""

NOT_FOLLOWED = (
    "a patch here changes path, components, dependsOn or postBuild of a Kustomization, and is not"
    " followed"
)
NOT_HAD = f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB, or the repository lacks its content"
_MARKS = (b"toolkit.fluxcd.io", b"ConfigMap", b"Secret", b"/spec/")
_VARIABLE = "${"
_by_name = attrgetter("name")
_PATCHES = frozenset({"patches", "patchesStrategicMerge", "patchesJson6902"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What could not be derived, and the file that it is about."""

    file: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedLayer:
    """A layer as a routing file would have it."""

    name: str
    file: str
    """Where its Kustomization is defined."""
    build: str
    components: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Files of ConfigMaps and Secrets that its Kustomization substitutes variables from."""
    receiver: FluxReceiver | None = None
    """The one that makes Flux fetch its source, if the repository has just one such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    layers: tuple[DerivedLayer, ...]
    notes: tuple[Note, ...]


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


def own_kustomizations(
    found: FluxFiles, tree: Tree, is_own: Collection[str]
) -> tuple[tuple[FluxKustomization, ...], tuple[Note, ...]]:
    """The Kustomizations that are built of this repository, and notes on the others.

    *is_own* has the URLs that are this repository's, normalized as those of the sources are.
    """
    sources = {each.name: each.url for each in found.objects.sources}
    is_known = any(url in is_own for url in sources.values())
    own, notes = [], []
    for each in found.objects.kustomizations:
        url = sources.get(each.source)
        is_elsewhere = is_known and bool(url) and url not in is_own  # a patch may tell the URL
        why = _why_not(each, tree, is_elsewhere=is_elsewhere)
        if why is None:
            own.append(each)
        else:
            message = f"the Kustomization `{each.name}` is not derived: {why}"
            notes.append(Note(file=each.file, message=message))
    return tuple(own), tuple(notes)


def derive_layers(found: FluxFiles, tree: Tree, is_own: Collection[str]) -> Derived:
    """A layer for each Kustomization that is built of this repository, by name."""
    own, notes = own_kustomizations(found, tree, is_own)
    layers, doubles = _one_a_name(own)
    names = frozenset(each.name for each in layers)
    return Derived(
        layers=tuple(_layer(each, found, names) for each in layers),
        notes=(
            *found.unreadable,
            *notes,
            *(Note(file=path, message=NOT_FOLLOWED) for path in found.moving),
            *doubles,
            *dict.fromkeys(_gone(layers, names)),
            *_unnamed(layers),
        ),
    )


def _one_a_name(
    kustomizations: Sequence[FluxKustomization],
) -> tuple[Sequence[FluxKustomization], Sequence[Note]]:
    layers, notes = [], []
    for name, group in groupby(sorted(kustomizations, key=_by_name), key=_by_name):
        first, *others = group
        layers.append(first)
        message = f"`{name}` is also defined in {first.file}, and that counts"
        notes += [Note(file=each.file, message=message) for each in others]
    return layers, notes


def _gone(layers: Sequence[FluxKustomization], names: Collection[str]) -> Iterator[Note]:
    for each in layers:
        for name in each.depends_on:
            if name not in names:
                message = f"`{each.name}` depends on `{name}`, which is no layer here"
                yield Note(file=each.file, message=message)


def _unnamed(layers: Sequence[FluxKustomization]) -> Iterator[Note]:
    for each in layers:
        for one in each.substitutes:
            if not one.name or _VARIABLE in one.name:
                told = f"`{each.name}` substitutes from a {one.kind} of no known name, `{one.name}`"
                yield Note(file=each.file, message=told)


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


def _layer(each: FluxKustomization, found: FluxFiles, names: Collection[str]) -> DerivedLayer:
    receivers = [
        receiver
        for receiver in found.objects.receivers
        if each.source in receiver.resources and receiver.type in RECEIVER_TYPES
    ]
    return DerivedLayer(
        name=each.name,
        file=each.file,
        build=f"./{each.folder}",
        components=each.components,
        depends_on=tuple(dict.fromkeys(name for name in each.depends_on if name in names)),
        paths=tuple(dict.fromkeys(_substituted(each.substitutes, found.contents))),
        receiver=receivers[0] if len(receivers) == 1 else None,
    )


def _why_not(each: FluxKustomization, tree: Tree, *, is_elsewhere: bool) -> str | None:
    """Why a Kustomization makes no layer of this repository, or None."""
    texts = (each.name, each.path, *each.components)
    if any(_VARIABLE in text for text in texts):
        return f"a variable stands in its name or path, `{each.path}`"
    if not each.name:
        return "it has no name"
    if each.source.kind != GIT:
        return f"its source is of kind {each.source.kind or 'unknown'}"
    if is_elsewhere:
        return f"its source `{each.source.name}` is another repository"
    folder = each.folder
    if folder.startswith("../") or not (tree.is_folder(folder) or folder in tree.files):
        return f"there is no folder {each.path}"
    return None


def _substituted(wanted: Sequence[Resource], contents: Mapping[str, bytes]) -> Iterator[str]:
    for each in wanted:
        if not each.name or _VARIABLE in each.name:
            continue
        for path, content in contents.items():
            if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
                yield from _generated(each, path, content)
            elif defines(content, each):
                yield path


def _generated(wanted: Resource, path: str, content: bytes) -> Iterator[str]:
    """A kustomization file that generates *wanted*, and the files it is made of."""
    field = "configMapGenerator" if wanted.kind == "ConfigMap" else "secretGenerator"
    entries = _document(content).get(field)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == wanted.name:
            yield path
            yield from _named_files(path, {field: [entry]})


def _named_files(path: str, fields: Mapping[str, Value]) -> Iterator[str]:
    with suppress(Unreadable):
        yield from (normpath(join(dirname(path), each.path)) for each in read_fields(fields))


def _read_patches(contents: Mapping[str, bytes]) -> tuple[set[str], set[str]]:
    """Files that are patches, and those whose patches move a Kustomization."""
    patches: set[str] = set()
    moving: set[str] = set()
    for path, content in contents.items():
        if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
            patches |= _patch_files(path, content)
            if any(map(moves_kustomization, inline_patches(_document(content)))):
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


def _document(content: bytes) -> Mapping[str, Value]:
    try:
        documents = read_documents(content)
    except Unreadable:
        return {}
    first = documents[0] if documents else None
    return first if isinstance(first, dict) else {}
