"""What several files hold of Flux, and which files change that afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from posixpath import dirname
from typing import TYPE_CHECKING, TypeVar

from router.core.declared.objects import (
    HELM_API,
    KUSTOMIZE_API,
    FluxKustomization,
    FluxObjects,
    read_objects,
)
from router.core.declared.patches import MAX_PATCHES, Patch, Texts, read_patches
from router.core.declared.scopes import Scopes
from router.core.declared.sources import GIT, SOURCE_API, FluxSource
from router.core.declared.values import first_document, named
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES, Unreadable
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

NOT_HAD = f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB, or the repository lacks its content"
_NOT_FOLLOWED = "a patch here changes {}, and is not followed"
MOVED = _NOT_FOLLOWED.format(
    "path, components, dependsOn, postBuild or name of a Kustomization, or removes it"
)
REDIRECTED = _NOT_FOLLOWED.format("the source of a Kustomization, or the URL or ref of one")
RECHARTED = _NOT_FOLLOWED.format("the chart of a HelmRelease")
RENAMED = "a namePrefix or nameSuffix here renames a Kustomization, and is not followed"
TRANSFORMED = "a transformer here may change a Kustomization, and is not followed"
TOO_MANY = f"it has more than {MAX_PATCHES} patches, and no further ones are looked at"

_MARKS = (b"toolkit.fluxcd.io", b"ConfigMap", b"Secret")
_KUSTOMIZATION = "Kustomization"
_MOVING = ("spec.path", "spec.components", "spec.dependsOn", "spec.postBuild", "metadata.name")
_SOURCE = "spec.sourceRef"
_CHART = tuple(
    f"spec.chart.spec.{key}" for key in ("chart", "sourceRef", "valuesFiles", "valuesFile")
)
_Object = TypeVar("_Object", FluxKustomization, FluxSource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What could not be derived, and the file that it is about."""

    file: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxFiles:
    """The objects of Flux in several files, and what changes them afterwards."""

    objects: FluxObjects
    contents: Mapping[str, bytes]
    patches: tuple[Patch, ...]
    scopes: Scopes
    unfollowed: tuple[Note, ...]
    """Patches that give a Kustomization another path or the like, or a source another ref."""
    unreadable: tuple[Note, ...] = ()


def read_flux(had: Mapping[str, bytes | None]) -> FluxFiles:
    """The objects of Flux in contents by path, None for what cannot be had; patches are none."""
    contents = {path: content for path, content in had.items() if content is not None}
    missing = tuple(Note(file=path, message=NOT_HAD) for path in sorted(had.keys() - contents))
    scopes, texts = Scopes(contents), Texts(contents)
    patches: list[Patch] = []
    told: list[Note] = []
    for path in scopes.kustomizations.values():
        some = list(read_patches(path, scopes.document(path), texts, dirname(path)))
        patches += some[:MAX_PATCHES]
        told += [Note(file=path, message=TOO_MANY)] * (len(some) > MAX_PATCHES)
    apart = {patch.file for patch in patches if patch.file != patch.by} - scopes.resources()
    whole = {path: contents[path] for path in sorted(contents.keys() - apart)}
    found, unreadable = _read_files(whole, scopes)
    patches += [patch for one in found for patch in one.patches]
    reading = _Reading(found, patches, scopes)
    return FluxFiles(
        objects=reading.objects(),
        contents=contents,
        patches=tuple(patches),
        scopes=scopes,
        unfollowed=(*told, *reading.unfollowed()),
        unreadable=(*missing, *unreadable),
    )


def may_matter(path: str, content: bytes | None) -> bool:
    """Whether a file may hold anything that layers are derived from."""
    if content is None or path.rpartition("/")[2] in KUSTOMIZATION_FILES:
        return True
    return any(mark in content for mark in _MARKS)


def patch_files(contents: Mapping[str, bytes | None], files: Collection[str]) -> frozenset[str]:
    """Which of all *files* the kustomizations among *contents* have patches in."""
    texts = Texts(dict.fromkeys(files, b""))
    found = (
        patch.file
        for path, content in contents.items()
        if content is not None and path.rpartition("/")[2] in KUSTOMIZATION_FILES
        for patch in read_patches(path, first_document(content), texts, dirname(path))
    )
    return frozenset(found) & frozenset(files)


def _read_files(
    contents: Mapping[str, bytes], scopes: Scopes
) -> tuple[Sequence[FluxObjects], tuple[Note, ...]]:
    found, notes = [], []
    for path, content in contents.items():
        try:
            found.append(read_objects(path, content, scopes.namespace_of(path)))
        except Unreadable as why:
            notes.append(Note(file=path, message=f"it names Flux, and cannot be read: {why}"))
    return found, tuple(notes)


class _Reading:
    """Objects as files have them, and the patches that may change them."""

    def __init__(
        self,
        found: Sequence[FluxObjects],
        patches: Sequence[Patch],
        scopes: Scopes,
    ) -> None:
        self._scopes = scopes
        self._patches = patches
        self._receivers = tuple(each for one in found for each in one.receivers)
        self._charts = tuple(each for one in found for each in one.charts)
        self._sources = [each for one in found for each in one.sources]
        self._kustomizations = [each for one in found for each in one.kustomizations]
        self._switched = self._reached(
            _KUSTOMIZATION,
            {each: each.name for each in self._kustomizations},
            (each for each in patches if each.sets(_KUSTOMIZATION, KUSTOMIZE_API, _SOURCE)),
        )
        self._redirected = self._reached(
            GIT,
            {each: each.name.name for each in self._sources},
            (each for each in patches if each.sets(GIT, SOURCE_API, "spec.url", "spec.ref")),
        )

    def objects(self) -> FluxObjects:
        """The objects without what patches may tell otherwise; with what only they tell."""
        sources = [
            replace(each, url="", ref="", is_pinned=False) if each in self._redirected else each
            for each in self._sources
        ]
        return FluxObjects(
            kustomizations=tuple(map(self._with_source, self._kustomizations)),
            sources=tuple(sources),
            receivers=self._receivers,
            charts=self._charts,
        )

    def unfollowed(self) -> tuple[Note, ...]:
        """What is told otherwise than files have it. What no file tells a patch usually does."""
        told = {(each.file, MOVED) for each in self._patches if _is_moving(each)}
        for kustomization, patches in self._switched.items():
            if kustomization.source.kind or len(patches) > 1:
                told |= {(each.file, REDIRECTED) for each in patches}
        for source, patches in self._redirected.items():
            if source.url:
                told |= {(each.file, REDIRECTED) for each in patches}
        told |= {
            (each.file, RECHARTED)
            for each in self._patches
            if each.sets("HelmRelease", HELM_API, *_CHART)
        }
        told |= set(self._transforming())
        return tuple(Note(file=file, message=message) for file, message in sorted(told))

    def _with_source(self, each: FluxKustomization) -> FluxKustomization:
        """With the source that a patch gives to a Kustomization without one."""
        if each.source.kind:
            return each
        merged = [
            named(reference, each.namespace)
            for patch in self._switched.get(each, ())
            for reference in patch.merges(_KUSTOMIZATION, "spec", "sourceRef")
            if reference
        ]
        return replace(each, source=merged[0]) if len(set(merged)) == 1 else each

    def _transforming(self) -> Iterator[tuple[str, str]]:
        files = {each.file for each in self._kustomizations}
        for folder, path in self._scopes.kustomizations.items():
            document = self._scopes.document(path)
            is_renaming = document.get("namePrefix") or document.get("nameSuffix")
            is_changing = is_renaming or document.get("transformers")
            if is_changing and any(self._scopes.reaches(folder, file) for file in files):
                yield path, RENAMED if is_renaming else TRANSFORMED

    def _reached(
        self, kind: str, objects: Mapping[_Object, str], patches: Iterable[Patch]
    ) -> Mapping[_Object, Sequence[Patch]]:
        """The objects that any of *patches* may change, with these; *objects* have their names."""
        by_name: dict[str, list[_Object]] = {}
        for each, name in objects.items():
            by_name.setdefault(name, []).append(each)
        alike: dict[tuple[object, ...], list[Patch]] = {}
        for patch in patches:
            alike.setdefault(patch.reach, []).append(patch)
        found: dict[_Object, list[Patch]] = {}
        for some in alike.values():
            patch, names = some[0], some[0].names(kind)
            for name in by_name if names is None else names:
                for each in by_name.get(name, ()):
                    if patch.changes(kind, name) and self._scopes.reaches(patch.folder, each.file):
                        found.setdefault(each, []).extend(some)
        return found


def _is_moving(patch: Patch) -> bool:
    return patch.sets(_KUSTOMIZATION, KUSTOMIZE_API, *_MOVING) or patch.removes(
        _KUSTOMIZATION, KUSTOMIZE_API
    )
