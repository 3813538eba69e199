"""The Flux Kustomizations of a commit: those of a folder, and all that these lead to."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from router.core.declared.files import FluxFiles, Note, may_matter, read_flux
from router.core.declared.ownership import own_kustomizations
from router.core.kustomize.closure import Build
from router.core.kustomize.names import folder_of
from router.core.kustomize.walk import KUSTOMIZATION_FILES, MANIFEST_SUFFIXES
from router.core.naming import normalize_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from router.core.kustomize.closure import Closure
    from router.remote.git.snapshots import Snapshot

FILES_AT_ONCE = 2000
"""Files in memory together of which only few are kept."""

MAX_NESTING = 20
"""Kustomizations that apply Kustomizations that apply …; two or three are usual."""


def discover_all(snapshot: Snapshot) -> FluxFiles:
    """What every YAML file of the commit holds of Flux. Raises SettingsInvalid."""
    paths = [path for path in snapshot.tree.files if _is_manifest(path)]
    contents: dict[str, bytes | None] = {}
    for start in range(0, len(paths), FILES_AT_ONCE):
        some = snapshot.contents(paths[start : start + FILES_AT_ONCE])
        contents |= {path: content for path, content in some.items() if may_matter(path, content)}
    return _read(contents)


def discover_below(
    snapshot: Snapshot, folder: str, own: Collection[str]
) -> tuple[FluxFiles, tuple[Note, ...]]:
    """What the build of *folder* applies of Flux, and what the builds of that apply; and notes on
    those builds of which something may be missing.

    *own* are the URLs of this repository; builds of others cannot be read. Raises SettingsInvalid.
    """
    notes: list[Note] = []
    contents: dict[str, bytes | None] = {}
    followed: set[Build] = set()
    builds = {Build(folders=(folder_of(folder),))}
    found = _read(contents)
    for _ in range(MAX_NESTING):
        closures = snapshot.closures(builds - followed)
        followed |= builds
        notes += _unknown(closures)
        reads = (path for closure in closures.values() for path in closure.files)
        paths = set(filter(_is_manifest, reads))
        contents |= snapshot.contents(paths - contents.keys())
        found = _read(contents)
        kustomizations, _ = own_kustomizations(found, snapshot.tree, own)
        builds = {each.build for each in kustomizations}
        if builds <= followed:
            break
    else:
        message = f"Kustomizations apply others more than {MAX_NESTING} deep, and no further"
        notes.append(Note(file=folder, message=f"{message} ones are looked for"))
    return found, tuple(sorted(notes, key=attrgetter("file")))


def _unknown(closures: Mapping[Build, Closure]) -> Iterator[Note]:
    for build, closure in closures.items():
        if closure.unknown is not None:
            message = f"what its build reads is not known: {closure.unknown}"
            yield Note(file=build.folders[0] or ".", message=message)


def _read(contents: Mapping[str, bytes | None]) -> FluxFiles:
    found = read_flux(contents)
    sources = tuple(
        replace(each, url=each.url and normalize_url(each.url)) for each in found.objects.sources
    )
    return replace(found, objects=replace(found.objects, sources=sources))


def _is_manifest(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith(MANIFEST_SUFFIXES) or name in KUSTOMIZATION_FILES
