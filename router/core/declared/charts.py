"""Files of the Helm charts that Flux makes of this repository.

https://fluxcd.io/flux/components/source/helmcharts/
https://helm.sh/docs/topics/charts/#chart-dependencies
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from router.core.declared.files import Note
from router.core.declared.values import VARIABLE, first_document, mappings, text_in
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxChart, FluxKustomization
    from router.core.declared.ownership import Owned
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.tree import Tree

DESCRIPTIONS = ("Chart.yaml", "requirements.yaml")
"""Files of a chart that name the charts it depends on."""

_LOCAL = "file://"


def descriptions(charts: Iterable[FluxChart], contents: Mapping[str, bytes]) -> Iterator[str]:
    """Where the charts, and those they depend on, would tell what they depend on."""
    for chart in charts:
        for folder in _folders(chart.path, contents):
            yield from (f"{folder}/{name}" for name in DESCRIPTIONS)


def find_charts(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> tuple[Mapping[FluxKustomization, tuple[str, ...]], tuple[Note, ...]]:
    """What charts are made of, by the Kustomization whose source is theirs: folders, with a slash
    at their ends, and files. And notes on charts that cannot be followed.

    Of Kustomizations that share the source, that one counts which applies the HelmRelease.
    """
    made: dict[FluxKustomization, tuple[str, ...]] = {}
    notes = []
    for chart in found.objects.charts:
        if owned.sources.why_not(chart.source, chart.file) is not None:
            continue
        fetching = [each for each in owned.kustomizations if each.source == chart.source]
        applying = [each for each in fetching if chart.file in closures[each.build].files]
        why = _why_not(chart, tree) if fetching else "no layer has its source fetched"
        if why is not None:
            told = f"the chart `{chart.path}` of {chart.owner} is not followed: {why}"
            notes.append(Note(file=chart.file, message=told))
            continue
        for each in applying or fetching[:1]:
            parts = chain(made.get(each, ()), _parts(chart, found.contents, tree))
            made[each] = tuple(dict.fromkeys(parts))
    return made, tuple(notes)


def _why_not(chart: FluxChart, tree: Tree) -> str | None:
    if any(VARIABLE in path for path in (chart.path, *chart.values)):
        return "a variable stands in a path"
    if not chart.path or not (tree.is_folder(chart.path) or chart.path in tree.files):
        return "there is no such folder"
    return None


def _parts(chart: FluxChart, contents: Mapping[str, bytes], tree: Tree) -> Iterator[str]:
    for path in (*_folders(chart.path, contents), *chart.values):
        if path in tree.files:
            yield path
        elif tree.is_folder(path):
            yield f"{path}/"


def _folders(path: str, contents: Mapping[str, bytes]) -> Sequence[str]:
    """A chart's folder, and those of charts in the repository that it depends on."""
    folders = {path: None}
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        for name in DESCRIPTIONS:
            document = first_document(contents.get(f"{folder}/{name}", b""))
            for each in mappings(document.get("dependencies")):
                place = text_in(each, "repository")
                if place.startswith(_LOCAL):
                    needed = folder_of(f"{folder}/{place.removeprefix(_LOCAL)}")
                    if needed not in folders:
                        folders[needed] = None
                        waiting.append(needed)
    return tuple(folders)
