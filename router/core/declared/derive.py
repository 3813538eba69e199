"""Layers as the Flux Kustomizations of a repository tell them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, get_args

from router.core.declared.charts import find_charts
from router.core.declared.files import Note
from router.core.declared.variables import find_variables
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
class Derived:
    layers: tuple[DerivedLayer, ...]
    notes: tuple[Note, ...]


def derive_layers(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> Derived:
    """A layer for each Kustomization that is built of this repository, by name.

    *closures* are those of all these Kustomizations.
    """
    roots = [each for each in owned.kustomizations if _is_root(each, owned, found, closures)]
    layers, doubles = _one_a_name([each for each in owned.kustomizations if each not in roots])
    names = frozenset(map(_by_layer, layers))
    beside, notes = find_beside(owned, found, tree, closures)
    return Derived(
        layers=tuple(_layer(each, found, names, beside[each]) for each in layers),
        notes=(
            *found.unreadable,
            *owned.notes,
            *found.unfollowed,
            *(Note(file=each.file, message=ROOT.format(each.name)) for each in roots),
            *doubles,
            *dict.fromkeys(_gone(layers, names)),
            *notes,
            *_shared(layers),
        ),
    )


def find_beside(
    owned: Owned, found: FluxFiles, tree: Tree, closures: Mapping[Build, Closure]
) -> tuple[Mapping[FluxKustomization, tuple[str, ...]], tuple[Note, ...]]:
    """What Flux reads for each Kustomization beside its build: files of variables and of charts."""
    charts, of_charts = find_charts(owned, found, tree, closures)
    beside = {}
    notes: list[Note] = []
    for each in owned.kustomizations:
        files, told = find_variables(each, found)
        beside[each] = (*files, *charts.get(each, ()))
        notes += told
    return beside, (*notes, *of_charts)


def _is_root(
    each: FluxKustomization, owned: Owned, found: FluxFiles, closures: Mapping[Build, Closure]
) -> bool:
    """Whether it applies itself, as what `flux bootstrap` makes does, and nobody need be called for
    that."""
    is_called = any(each.source in receiver.resources for receiver in found.objects.receivers)
    is_polled = owned.sources.are_polled(each) and not is_called
    return is_polled and each.file in closures[each.build].files


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


def _layer(
    each: FluxKustomization, found: FluxFiles, names: Collection[str], paths: tuple[str, ...]
) -> DerivedLayer:
    receivers = [
        receiver
        for receiver in found.objects.receivers
        if each.source in receiver.resources and receiver.type in RECEIVER_TYPES
    ]
    return DerivedLayer(
        name=each.layer,
        file=each.file,
        build=f"./{each.folder}",
        components=each.components,
        depends_on=tuple(dict.fromkeys(name for name in each.depends_on if name in names)),
        paths=paths,
        receiver=receivers[0] if len(receivers) == 1 else None,
    )
