"""What the files of a checkout and the layers of a routing file make of each other, as findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from router.cli.discovery import discover_below
from router.cli.drifts import tell_drift, view_drift
from router.cli.entries import ours_of
from router.cli.tables import counted, printable
from router.core.coverage import cover
from router.core.declared.derive import find_beside
from router.core.declared.ownership import own_kustomizations
from router.core.drift import Declared, builds_to_read, find_drift
from router.core.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from router.config.load import Checked
    from router.config.places import Places
    from router.config.report import Place
    from router.core.coverage import Coverage, SharedFiles
    from router.core.declared.files import FluxFiles
    from router.core.declared.ownership import Ours
    from router.core.drift import Drift
    from router.core.routing import Repository
    from router.remote.git.snapshots import Snapshot

Level: TypeAlias = Literal["error", "warning", "note"]

SHOWN_FILES = 10
"""Files, or folders when there are more files, that one finding names."""

SHOWN_LAYERS = 5
"""Layers that one finding names."""

SHOWN_OVERLAPS = 20
"""Overlaps told one by one, those with the most files; JSON has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to look at, at its place in the routing file."""

    level: Level
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One commit of a local repository, and which of its folders clusters apply."""

    repo: Path
    snapshot: Snapshot
    folders: tuple[str, ...]
    everything: FluxFiles | None
    """What all files hold of Flux; None where only *folders* count, whoever asks."""

    @property
    def told(self) -> str:
        """How many files there are, and at which commit."""
        return f"{counted(len(self.snapshot.tree.files), 'file')} at {self.snapshot.commit[:12]}"

    def find(self, ours: Ours) -> FluxFiles:
        """What the files hold of Flux, as far as clusters apply it. Raises SettingsInvalid."""
        if self.everything is not None:
            return self.everything
        found, notes = discover_below(self.snapshot, self.folders, ours)
        return replace(found, unreadable=(*notes, *found.unreadable))


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One entry of a routing file, laid over the files of a commit."""

    file: str
    entry: Repository
    places: Places
    checkout: Checkout
    flux: FluxFiles
    coverage: Coverage
    drift: Drift

    def findings(self) -> Iterator[Finding]:
        """What to look at, in file order within each kind."""
        yield from self._unmapped()
        yield from self._idle()
        yield from self._overlaps()
        yield from self._unread()
        for level, place, message in tell_drift(self.drift, self.entry.name, self.places):
            yield self._finding(level, place, message)

    def view(self) -> dict[str, Any]:
        """The same as JSON, without limits but for the names of files that no layer owns."""
        coverage = self.coverage
        return {
            "repository": self.entry.name,
            "ref": self.entry.ref,
            "commit": self.checkout.snapshot.commit,
            "fileCount": coverage.file_count,
            "unmappedCount": len(coverage.unmapped),
            "unmapped": list(coverage.unmapped[:SHOWN_FILES]),
            "unmappedFolders": dict(_by_folder(coverage.unmapped)),
            "idlePatterns": [
                {
                    "layer": idle.layer,
                    "pattern": idle.pattern,
                    "line": self.places.patterns[idle.layer][idle.position].line,
                    "column": self.places.patterns[idle.layer][idle.position].column,
                }
                for idle in coverage.idle
            ],
            "overlaps": [
                {"layers": list(shared.layers), "count": shared.count, "example": shared.example}
                for shared in coverage.shared
            ],
            **view_drift(self.drift),
            "unread": [
                {"file": note.file, "reason": note.message} for note in self.flux.unreadable
            ],
        }

    def _unmapped(self) -> Iterator[Finding]:
        found = self.coverage.unmapped
        if not found:
            return
        is_ignored = self.entry.unmapped == "ignore"
        yield self._finding(
            "warning" if is_ignored else "note",
            self.places.entries[self.entry.name],
            f"no layer owns {len(found)} of {counted(self.coverage.file_count, 'file')}, and a "
            f"change there calls {'nothing' if is_ignored else 'every layer'}: {_told(found)}",
        )

    def _idle(self) -> Iterator[Finding]:
        for idle in self.coverage.idle:
            yield self._finding(
                "note" if idle.pattern.startswith("!") else "warning",
                self.places.patterns[idle.layer][idle.position],
                f"`{printable(idle.pattern)}` of layer `{idle.layer}` matches no file",
            )

    def _overlaps(self) -> Iterator[Finding]:
        shared = self.coverage.shared
        for overlap in shared[:SHOWN_OVERLAPS]:
            yield self._finding("note", self.places.layers[overlap.layers[1]], _overlap(overlap))
        if len(shared) > SHOWN_OVERLAPS:
            yield self._finding(
                "note",
                self.places.entries[self.entry.name],
                f"{len(shared) - SHOWN_OVERLAPS} more sets of layers share files; -o json has all",
            )

    def _unread(self) -> Iterator[Finding]:
        notes = self.flux.unreadable
        if notes:
            told = counted(len(notes), "file")
            yield self._finding(
                "note",
                self.places.entries[self.entry.name],
                f"{told} may hold Flux Kustomizations and cannot be read, such as "
                f"{printable(notes[0].file)}: {printable(notes[0].message)}",
            )

    def _finding(self, level: Level, place: Place, message: str) -> Finding:
        problem = Problem(
            file=self.file,
            line=place.line,
            column=place.column,
            message=message,
            is_warning=True,
        )
        return Finding(level=level, problem=problem)


def survey_entry(file: str, entry: Repository, checked: Checked, checkout: Checkout) -> Survey:
    """Lay *entry* of the routing file *file*, which has no problems, over a commit's files.

    Raises SettingsInvalid.
    """
    assert checked.routing is not None
    assert checked.places is not None
    snapshot = checkout.snapshot
    ours = ours_of(checkout.repo, entry, checked)
    flux = checkout.find(ours)
    owned = own_kustomizations(flux, snapshot.tree, ours)
    builds = builds_to_read(entry, owned)
    found = snapshot.closures({*builds.values(), *(each.build for each in owned.kustomizations)})
    beside, _ = find_beside(owned, flux, snapshot.tree, found)
    closures = {name: found[build] for name, build in builds.items()}
    reads = {name: closures[name].files for name in entry.builds}
    declared = Declared(
        owned=owned,
        beside={
            each: snapshot.tree.expand(path for path in read.paths if path not in read.unsure)
            for each, read in beside.items()
        },
    )
    return Survey(
        file=file,
        entry=entry,
        places=checked.places,
        checkout=checkout,
        flux=flux,
        coverage=cover(entry.index, sorted(snapshot.tree.files), reads),
        drift=find_drift(entry, checked.routing.layers, declared, closures),
    )


def _overlap(shared: SharedFiles) -> str:
    named = [f"`{name}`" for name in shared.layers]
    more = len(named) - SHOWN_LAYERS
    if more > 1:
        named = [*named[:SHOWN_LAYERS], f"{more} more"]
    return (
        f"layers {', '.join(named[:-1])} and {named[-1]} share {counted(shared.count, 'file')}, "
        f"such as `{printable(shared.example)}`: a change there calls each of them"
    )


def _told(paths: Sequence[str]) -> str:
    """The files by name; where they are many, by the folder at the root that they are in."""
    if len(paths) <= SHOWN_FILES:
        return ", ".join(printable(path) for path in paths)
    groups = _by_folder(paths)
    told = [f"{printable(name)} ({count})" for name, count in groups[:SHOWN_FILES]]
    rest = sum(count for _, count in groups[SHOWN_FILES:])
    return ", ".join(told) + (f" and {rest} more" if rest else "")


def _by_folder(paths: Sequence[str]) -> list[tuple[str, int]]:
    """How many files each folder at the root holds; a file at the root stands for itself."""
    tops = (path.partition("/") for path in paths)
    return Counter(name + slash for name, slash, _ in tops).most_common()
