"""What several files hold of Flux, and which files change that afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from posixpath import dirname
from typing import TYPE_CHECKING

from router.core.declared.objects import (
    GIT,
    KUSTOMIZE_API,
    SOURCE_API,
    FluxObjects,
    FluxSource,
    read_objects,
)
from router.core.declared.patches import Patch, read_patches
from router.core.declared.scopes import Scopes
from router.core.declared.values import first_document
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES, Unreadable
from router.core.kustomize.walk import KUSTOMIZATION_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


NOT_HAD = f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB, or the repository lacks its content"
NOT_FOLLOWED = "a patch here changes {}, and is not followed"
MOVED = NOT_FOLLOWED.format("path, components, dependsOn or postBuild of a Kustomization")
REDIRECTED = NOT_FOLLOWED.format("the URL or the ref of a GitRepository")
_MARKS = (b"toolkit.fluxcd.io", b"ConfigMap", b"Secret", b"/spec/")


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
    patches = tuple(_read_patches(contents))
    apart = {patch.file for patch in patches if patch.file != patch.by}
    whole = {path: contents[path] for path in sorted(contents.keys() - apart)}
    found, unreadable = _read_files(whole)
    patches += tuple(patch for one in found for patch in one.patches)
    scopes = Scopes(contents)
    sources = [each for one in found for each in one.sources]
    redirecting = _redirecting(sources, patches, scopes)
    objects = FluxObjects(
        kustomizations=tuple(each for one in found for each in one.kustomizations),
        sources=tuple(
            replace(each, url="", ref="", is_pinned=False) if each in redirecting else each
            for each in sources
        ),
        receivers=tuple(each for one in found for each in one.receivers),
        charts=tuple(each for one in found for each in one.charts),
    )
    told = {*_moved(patches), *_redirected(redirecting)}
    return FluxFiles(
        objects=objects,
        contents=contents,
        patches=patches,
        scopes=scopes,
        unfollowed=tuple(Note(file=file, message=message) for file, message in sorted(told)),
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


def _read_patches(contents: Mapping[str, bytes]) -> Iterator[Patch]:
    for path, content in contents.items():
        if path.rpartition("/")[2] in KUSTOMIZATION_FILES:
            yield from read_patches(path, first_document(content), contents, dirname(path))


def _moved(patches: Sequence[Patch]) -> Iterator[tuple[str, str]]:
    fields = ("path", "components", "dependsOn", "postBuild")
    for patch in patches:
        if patch.sets("Kustomization", KUSTOMIZE_API, fields):
            yield patch.file, MOVED


def _redirecting(
    sources: Sequence[FluxSource], patches: Sequence[Patch], scopes: Scopes
) -> Mapping[FluxSource, Sequence[Patch]]:
    """The sources whose URL or ref a patch tells, with those patches."""
    telling = [patch for patch in patches if patch.sets(GIT, SOURCE_API, ("url", "ref"))]
    found = {
        each: [
            patch
            for patch in telling
            if patch.changes(GIT, each.name.name) and scopes.reaches(patch, each.file)
        ]
        for each in sources
    }
    return {each: found_patches for each, found_patches in found.items() if found_patches}


def _redirected(
    redirecting: Mapping[FluxSource, Sequence[Patch]],
) -> Iterator[tuple[str, str]]:
    """Patches of what files tell otherwise; that they tell what no file does is usual."""
    for source, patches in redirecting.items():
        if source.url or source.ref:
            yield from ((patch.file, REDIRECTED) for patch in patches)
