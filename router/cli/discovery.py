"""The Flux Kustomizations of a commit: those of a folder, and all that these lead to."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from router.core.declared.charts import DESCRIPTIONS, read_dependencies
from router.core.declared.files import FluxFiles, Note, may_matter, patch_files, read_flux
from router.core.declared.ownership import own_kustomizations
from router.core.errors import SettingsInvalid
from router.core.kustomize.closure import Build
from router.core.kustomize.names import folder_of
from router.core.kustomize.walk import KUSTOMIZATION_FILES, MANIFEST_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from router.core.declared.ownership import Ours
    from router.core.kustomize.closure import Closure
    from router.remote.git.snapshots import Snapshot

FILES_AT_ONCE = 2000
"""Files in memory together of which only few are kept."""

MAX_NESTING = 20
"""Kustomizations that apply Kustomizations that apply …; two or three are usual."""


def discover_all(snapshot: Snapshot) -> FluxFiles:
    """What every YAML or JSON file of the commit holds of Flux. Raises SettingsInvalid."""
    paths = [path for path in snapshot.tree.files if _is_manifest(path)]
    contents: dict[str, bytes | None] = {}
    for start in range(0, len(paths), FILES_AT_ONCE):
        some = snapshot.contents(paths[start : start + FILES_AT_ONCE])
        contents |= {path: content for path, content in some.items() if may_matter(path, content)}
    return _complete(snapshot, contents)


def discover_below(
    snapshot: Snapshot, folders: Collection[str], ours: Ours
) -> tuple[FluxFiles, tuple[Note, ...]]:
    """What the builds of *folders* apply of Flux, and what the builds of that apply; and notes on
    those builds of which something may be missing.

    Builds of other repositories than *ours* cannot be read. Raises SettingsInvalid.
    """
    notes: list[Note] = []
    contents: dict[str, bytes | None] = {}
    followed: set[Build] = set()
    builds = {Build(folders=(folder_of(folder),)) for folder in folders}
    notes += _elsewhere(snapshot.closures(builds).values())
    for _ in range(MAX_NESTING):
        closures = snapshot.closures(builds - followed)
        followed |= builds
        notes += _unknown(closures)
        reads = (path for closure in closures.values() for path in closure.files)
        paths = set(filter(_is_manifest, reads))
        contents |= snapshot.contents(paths - contents.keys())
        owned = own_kustomizations(read_flux(contents), snapshot.tree, ours)
        builds = {each.build for each in owned.kustomizations}
        if builds <= followed:
            break
    else:
        message = f"Kustomizations apply others more than {MAX_NESTING} deep, and no further"
        notes.append(Note(file=min(folders), message=f"{message} ones are looked for"))
    return _complete(snapshot, contents), tuple(sorted(notes, key=attrgetter("file")))


def _unknown(closures: Mapping[Build, Closure]) -> Iterator[Note]:
    for build, closure in closures.items():
        if closure.unknown is not None:
            message = f"what its build reads is not known: {closure.unknown}"
            yield Note(file=build.folders[0] or ".", message=message)


def _elsewhere(closures: Iterable[Closure]) -> Iterator[Note]:
    for remote in (remote for closure in closures for remote in closure.remotes):
        message = f"what `{remote.url}` applies, which is elsewhere, is not looked at"
        yield Note(file=remote.by, message=message)


def _complete(snapshot: Snapshot, contents: dict[str, bytes | None]) -> FluxFiles:
    """What *contents* hold, with the patches of their kustomizations, and the descriptions of the
    charts that are made of this commit."""
    missing = patch_files(contents, snapshot.tree.files.keys()) - contents.keys()
    contents |= snapshot.contents(missing)
    found = read_flux(contents)
    folders, known = {chart.path for chart in found.objects.charts}, set[str]()
    while waiting := folders - known:
        paths = {f"{folder}/{name}" for folder in waiting for name in DESCRIPTIONS}
        contents |= snapshot.contents(paths - contents.keys())
        known |= waiting
        folders |= {each for folder in waiting for each in read_dependencies(folder, contents)}
    had = {path: content for path, content in contents.items() if content is not None}
    return replace(found, contents=had)


def _is_manifest(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith((*MANIFEST_SUFFIXES, ".json")) or name in KUSTOMIZATION_FILES


def check_folder(snapshot: Snapshot, repo: Path, folder: str, revision: str) -> None:
    """Raises SettingsInvalid for what is no folder of the commit."""
    if not snapshot.tree.is_folder(folder_of(folder)):
        is_file = folder_of(folder) in snapshot.tree.files
        told = f"{folder!r} is a file, no folder" if is_file else f"there is no folder {folder!r}"
        raise SettingsInvalid(f"{repo}: {told} at {revision}")
