"""Layers as the Flux Kustomizations of a repository tell them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, get_args

from router.core.declared.charts import find_charts
from router.core.declared.files import Note
from router.core.declared.variables import Variables
from router.core.routing import ReceiverType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization, FluxReceiver
    from router.core.declared.ownership import Owned
    from router.core.flux_objects import Resource
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.tree import Tree

RECEIVER_TYPES = frozenset(get_args(ReceiverType))
"""Those that can be called."""

ROOT = (
    "the Kustomization `{}` is not derived: it applies itself, and Flux fetches its source often"
    " without being called"
)

SHOWN_NAMES = 10
"""Layers that one note names."""

_by_layer = attrgetter("layer")


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
    """What its build does not read: files, and folders with a slash at their ends."""
    receiver: FluxReceiver | None = None
    """The one that makes Flux fetch its source, if the repository has just one such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What Flux reads for a Kustomization beside its build: files of variables and of charts."""

    paths: tuple[str, ...]
    """Files, and folders with a slash at their ends."""
    unsure: frozenset[str]
    """Those of them that may be another cluster's as well."""
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    layers: tuple[DerivedLayer, ...]
    notes: tuple[Note, ...]


def derive_layers(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> Derived:
    """A layer for each Kustomization that is built of this repository, by name.

    *closures* are those of all these Kustomizations.
    """
    receivers = _Receivers(found)
    roots = [each for each in owned.kustomizations if _is_root(each, owned, receivers, closures)]
    apart = frozenset(roots)
    layers, doubles = _one_a_name([each for each in owned.kustomizations if each not in apart])
    names = frozenset({*map(_by_layer, layers), *owned.sources.ours.layers})
    beside, of_charts = find_beside(owned, found, tree, closures)
    return Derived(
        layers=tuple(_layer(each, receivers, names, beside[each].paths) for each in layers),
        notes=(
            *found.unreadable,
            *owned.notes,
            *found.unfollowed,
            *(Note(file=each.file, message=ROOT.format(each.name)) for each in roots),
            *doubles,
            *dict.fromkeys(_gone(layers, names)),
            *(note for each in layers for note in beside[each].notes),
            *of_charts,
            *_unclear(layers, receivers),
            *_shared(layers),
        ),
    )


def find_beside(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> tuple[Mapping[FluxKustomization, Beside], tuple[Note, ...]]:
    """What Flux reads for each Kustomization beside its build, and notes on charts."""
    charts, of_charts = find_charts(owned, found, tree, closures)
    variables = Variables(found)
    beside = {}
    for each in owned.kustomizations:
        of_variables = variables.find(each)
        files = (*of_variables.files, *charts.get(each, ()))
        beside[each] = Beside(paths=files, unsure=of_variables.unsure, notes=of_variables.notes)
    return beside, of_charts


def _is_root(
    each: FluxKustomization,
    owned: Owned,
    receivers: _Receivers,
    closures: Mapping[Build, Closure],
) -> bool:
    """Whether it applies itself, as what `flux bootstrap` makes does, and nobody need be called for
    that. One that is a layer already is meant to be one."""
    entry = owned.sources.ours.entry
    is_layer = entry is not None and any(each.layer == layer.name for layer in entry.layers)
    if is_layer or receivers.of(each.source) or not owned.sources.are_polled(each):
        return False
    return each.file in closures[each.build].files


def _one_a_name(
    kustomizations: Sequence[FluxKustomization],
) -> tuple[Sequence[FluxKustomization], Sequence[Note]]:
    layers, notes = [], []
    for name, group in groupby(sorted(kustomizations, key=_by_layer), key=_by_layer):
        first, *others = group
        layers.append(first)
        message = f"`{name}` is also defined in {first.file}, and that counts"
        notes += [Note(file=each.file, message=message) for each in others]
    return layers, notes


def _gone(layers: Sequence[FluxKustomization], names: Collection[str]) -> Iterator[Note]:
    for each in layers:
        for name in each.depends_on:
            if name not in names:
                message = f"`{each.layer}` depends on `{name}`, which is no layer here"
                yield Note(file=each.file, message=message)


def _shared(layers: Sequence[FluxKustomization]) -> Iterator[Note]:
    """Layers that no call can tell apart."""
    by_source: dict[Resource, list[FluxKustomization]] = {}
    for each in layers:
        by_source.setdefault(each.source, []).append(each)
    for source, sharing in by_source.items():
        if len(sharing) > 1:
            names = ", ".join(f"`{each.layer}`" for each in sharing[:SHOWN_NAMES])
            more = len(sharing) - SHOWN_NAMES
            told = f"{names} and {more} more" if more > 0 else names
            message = f"{told} share {source}: Flux builds them all whenever it is fetched"
            yield Note(file=sharing[0].file, message=message)


def _unclear(layers: Sequence[FluxKustomization], receivers: _Receivers) -> Iterator[Note]:
    for each in layers:
        names = [f"`{receiver.name}`" for receiver in receivers.of(each.source)]
        if len(names) > 1:
            told = f"`{each.layer}` gets no `receiver`: {', '.join(names)} have its source fetched"
            yield Note(file=each.file, message=told)


def _layer(
    each: FluxKustomization, receivers: _Receivers, names: Collection[str], paths: tuple[str, ...]
) -> DerivedLayer:
    fetching = receivers.of(each.source)
    return DerivedLayer(
        name=each.layer,
        file=each.file,
        build=f"./{each.folder}",
        components=each.components,
        depends_on=tuple(dict.fromkeys(name for name in each.depends_on if name in names)),
        paths=paths,
        receiver=fetching[0] if len(fetching) == 1 else None,
    )


class _Receivers:
    """Those that can be called, by what they have fetched."""

    def __init__(self, found: FluxFiles) -> None:
        self._by_resource: dict[Resource, list[FluxReceiver]] = {}
        for receiver in found.objects.receivers:
            if receiver.type in RECEIVER_TYPES:
                for each in dict.fromkeys(receiver.resources):
                    self._by_resource.setdefault(each, []).append(receiver)

    def of(self, source: Resource) -> Sequence[FluxReceiver]:
        own = self._by_resource.get(source, [])
        every = self._by_resource.get(replace(source, name="*"), [])
        return [*own, *(each for each in every if not any(each is other for other in own))]
