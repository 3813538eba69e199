"""Where builds, layers and Flux Kustomizations differ, as findings at their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.cli.tables import counted, printable
from router.core.declared.sources import POLLED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.cli.survey import Level
    from router.config.places import Places
    from router.config.report import Place
    from router.core.declared.objects import FluxKustomization
    from router.core.declared.ownership import NotDerived
    from router.core.drift import Differing, Drift, LeftOut, SharedSource, Uncovered, Unwatched
    from router.core.flux_objects import Resource

SHOWN_NAMES = 10
"""Files, or Kustomizations, that one finding names; JSON has all of them."""


def tell_drift(drift: Drift, entry: str, places: Places) -> Iterator[tuple[Level, Place, str]]:
    """Level, place and message of everything that differs, and of what builds read elsewhere."""
    for layer, why in drift.unknown.items():
        message = (
            f"it is not known what the build of layer `{layer}` reads: {printable(why)}; every push"
            " of the ref calls it"
        )
        yield "warning", places.builds[layer], message
    for uncovered in drift.uncovered:
        place = next(iter(places.patterns[uncovered.layer]), places.layers[uncovered.layer])
        yield (*_uncovered(uncovered, place),)
    for unwatched in drift.unwatched:
        yield "warning", places.layers[unwatched.layer], _unwatched(unwatched)
    for differing in drift.differing:
        found = places.dependencies if differing.key == "dependsOn" else places.builds
        yield "warning", found[differing.layer], _differing(differing)
    for left_out in drift.left_out:
        yield "warning", places.layers[left_out.layer], _left_out(left_out)
    for shared in drift.shared_sources:
        yield "warning", places.layers[shared.layers[0]], _shared(shared)
    for level, message in _tell_kustomizations(drift):
        yield level, places.entries[entry], message
    for remote in drift.remotes:
        message = (
            f"nothing watches `{printable(remote.url)}`, which {printable(remote.by)} has the build"
            f" of {_layers(remote.layers)} read"
        )
        yield "note", places.builds[remote.layers[0]], message


def _tell_kustomizations(drift: Drift) -> Iterator[tuple[Level, str]]:
    """Of those that are of no layer."""
    if drift.unserved:
        yield "warning", _unserved(drift.unserved)
    if drift.polled:
        often = f"whose source Flux fetches every {POLLED_SECONDS // 60} minutes or more often"
        yield "note", _unserved(drift.polled, f", {often}")
    if drift.unfollowed:
        yield "note", _unfollowed(drift.unfollowed)


def view_drift(drift: Drift) -> dict[str, Any]:
    """The same as JSON, without limits."""
    return {
        "unknownBuilds": [{"layer": layer, "reason": why} for layer, why in drift.unknown.items()],
        "uncovered": [_view_files(each) for each in drift.uncovered],
        "unwatched": [_view_files(each) for each in drift.unwatched],
        "builds": _view_differing(drift, "build"),
        "components": _view_differing(drift, "components"),
        "dependencies": _view_differing(drift, "dependsOn"),
        "leftOut": [
            {
                "layer": each.layer,
                "source": {**_view_source(each.source.name), "file": each.source.file},
                "files": list(each.files),
            }
            for each in drift.left_out
        ],
        "sharedSources": [
            {"source": _view_source(each.source), "layers": list(each.layers)}
            for each in drift.shared_sources
        ],
        "unserved": [_view(each) for each in drift.unserved],
        "polled": [_view(each) for each in drift.polled],
        "unfollowed": [
            {**_view(each.kustomization), "reason": each.reason} for each in drift.unfollowed
        ],
        "remotes": [
            {"url": each.url, "file": each.by, "layers": list(each.layers)}
            for each in drift.remotes
        ],
    }


def _view_files(each: Uncovered | Unwatched) -> dict[str, Any]:
    return {
        "layer": each.layer,
        "kustomization": each.kustomization and _view(each.kustomization),
        "files": list(each.files),
    }


def _view_source(source: Resource) -> dict[str, str]:
    return {"name": source.name, "namespace": source.namespace}


def _view_differing(drift: Drift, key: str) -> list[dict[str, Any]]:
    return [
        {
            "layer": each.layer,
            key: list(each.own),
            "kustomization": {**_view(each.kustomization), key: list(each.flux)},
        }
        for each in drift.differing
        if each.key == key
    ]


def _view(each: FluxKustomization) -> dict[str, str]:
    return {"name": each.name, "namespace": each.namespace, "file": each.file}


def _uncovered(uncovered: Uncovered, place: Place) -> tuple[Level, Place, str]:
    told = f"{counted(len(uncovered.files), 'file')} that its `paths` do not cover"
    names = _names([printable(path) for path in uncovered.files])
    built = uncovered.kustomization
    if built is None:
        message = f"the build of layer `{uncovered.layer}` reads {told}; they count: {names}"
        return "note", place, message
    return (
        "warning",
        place,
        f"the Kustomization of layer `{uncovered.layer}` ({printable(built.file)}) reads {told}, so"
        f" that a change there does not call it: {names}; `build: ./{built.folder}`"
        " (git mode) would",
    )


def _unwatched(unwatched: Unwatched) -> str:
    return (
        f"Flux takes variables or charts for layer `{unwatched.layer}`"
        f" ({printable(unwatched.kustomization.file)}) from"
        f" {counted(len(unwatched.files), 'file')} whose change does not call it:"
        f" {_names([printable(path) for path in unwatched.files])}; add them to its `paths`"
    )


def _differing(differing: Differing) -> str:
    own, flux = (
        _names([f"`{printable(name)}`" for name in names])
        for names in (differing.own, differing.flux)
    )
    verb = {"build": "builds", "components": "has components", "dependsOn": "depends on"}
    linked = {"build": " builds", "components": " has", "dependsOn": " on"}
    return (
        f"layer `{differing.layer}` {verb[differing.key]} {own or 'nothing'}, and its Kustomization"
        f" ({printable(differing.kustomization.file)}){linked[differing.key]} {flux or 'nothing'}"
    )


def _shared(shared: SharedSource) -> str:
    return (
        f"{_layers(shared.layers)} have receivers of their own, and Kustomizations with one source,"
        f" {printable(str(shared.source))}: a call of any has Flux build all of them"
    )


def _unfollowed(unfollowed: Sequence[NotDerived]) -> str:
    told = counted(len(unfollowed), "Flux Kustomization")
    first = unfollowed[0]
    return (
        f"{told} of this repository cannot be followed, such as"
        f" `{printable(first.kustomization.name)}` ({printable(first.kustomization.file)}):"
        f" {printable(first.reason)}"
    )


def _left_out(left_out: LeftOut) -> str:
    source = left_out.source
    return (
        f"the source of layer `{left_out.layer}`, `{printable(source.name.name)}`"
        f" ({printable(source.file)}), leaves out {counted(len(left_out.files), 'file')} that the"
        " layer's build reads, by `spec.ignore`, `.sourceignore` or Flux's defaults: "
        f"{_names([printable(each) for each in left_out.files])}"
    )


def _unserved(kustomizations: Sequence[FluxKustomization], more: str = "") -> str:
    told = counted(len(kustomizations), "Flux Kustomization")
    named = [f"`{printable(each.name)}` ({printable(each.file)})" for each in kustomizations]
    return f"no layer serves {told} of this repository{more}: {_names(named)}"


def _layers(names: Sequence[str]) -> str:
    kind = "layer" if len(names) == 1 else "layers"
    return f"{kind} {_names([f'`{name}`' for name in names])}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
