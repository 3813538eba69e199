"""Files of the Helm charts that Flux makes of this repository.

https://fluxcd.io/flux/components/source/helmcharts/
https://helm.sh/docs/topics/charts/#chart-dependencies
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.declared.files import Note
from router.core.declared.values import VARIABLE, first_document, mappings, text_in
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxChart, FluxKustomization
    from router.core.declared.ownership import Owned
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.tree import Tree

DESCRIPTIONS = ("Chart.yaml", "requirements.yaml")
"""Files of a chart that name the charts it depends on."""

_LOCAL = "file://"


def read_dependencies(folder: str, contents: Mapping[str, bytes | None]) -> tuple[str, ...]:
    """The folders of those charts in the repository that a chart depends on."""
    found = []
    for name in DESCRIPTIONS:
        document = first_document(contents.get(f"{folder}/{name}") or b"")
        places = (text_in(each, "repository") for each in mappings(document.get("dependencies")))
        local = (place.removeprefix(_LOCAL) for place in places if place.startswith(_LOCAL))
        found += [folder_of(f"{folder}/{place}") for place in local]
    return tuple(found)


def find_charts(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> tuple[Mapping[FluxKustomization, tuple[str, ...]], tuple[Note, ...]]:
    """What charts are made of, by the Kustomizations that apply their HelmReleases and have their
    source: folders, with a slash at their ends, and files. And notes on charts that cannot be
    followed."""
    dependencies = _Dependencies(found.contents)
    files = {chart.file for chart in found.objects.charts}
    by_file = _applying(owned, closures, files)
    made: dict[FluxKustomization, dict[str, None]] = {}
    notes = []
    for chart in found.objects.charts:
        if owned.sources.why_not(chart.source, chart.file) is not None:
            continue
        why = _why_not(chart, tree)
        applying = by_file[chart.file]
        fetching = [each for each in applying if each.source == chart.source]
        if why is None and not fetching:
            why = (
                f"the Kustomization that applies it has another source than {chart.source}"
                if applying
                else "no build applies it"
            )
        if why is not None:
            told = f"the chart `{chart.path or './'}` of {chart.owner} is not followed: {why}"
            notes.append(Note(file=chart.file, message=told))
            continue
        parts = dict.fromkeys(_parts(chart, dependencies, tree))
        for each in fetching:
            made.setdefault(each, {}).update(parts)
    return {each: tuple(parts) for each, parts in made.items()}, tuple(notes)


class _Dependencies:
    """Those of charts, read once for each."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self._known: dict[str, tuple[str, ...]] = {}

    def below(self, folder: str) -> Sequence[str]:
        """The folder of a chart, and those of all that it depends on."""
        found: dict[str, None] = {}
        waiting = [folder]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found[each] = None
                if each not in self._known:
                    self._known[each] = read_dependencies(each, self._contents)
                waiting += reversed(self._known[each])
        return tuple(found)


def _applying(
    owned: Owned, closures: Mapping[Build, Closure], files: Collection[str]
) -> Mapping[str, Sequence[FluxKustomization]]:
    """The Kustomizations whose builds read each of *files*, or may do so."""
    found: dict[str, list[FluxKustomization]] = {file: [] for file in files}
    for each in owned.kustomizations if files else ():
        closure = closures[each.build]
        read = files if closure.unknown is not None else closure.files.keys() & files
        for file in read:
            found[file].append(each)
    return found


def _why_not(chart: FluxChart, tree: Tree) -> str | None:
    if any(VARIABLE in path for path in (chart.path, *chart.values)):
        return "a variable stands in a path"
    if not chart.path:
        return "it is the whole repository"
    if not (tree.is_folder(chart.path) or chart.path in tree.files):
        return "there is no such folder"
    return None


def _parts(chart: FluxChart, dependencies: _Dependencies, tree: Tree) -> Iterator[str]:
    for path in (*dependencies.below(chart.path), *chart.values):
        if path in tree.files:
            yield path
        elif path and tree.is_folder(path):
            yield f"{path}/"
