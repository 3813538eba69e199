"""Layers as the Flux Kustomizations of a repository tell them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, get_args

from router.core.declared.files import Note
from router.core.declared.ownership import VARIABLE, own_kustomizations
from router.core.declared.variables import substituted_files
from router.core.routing import ReceiverType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization, FluxReceiver
    from router.core.kustomize.tree import Tree

RECEIVER_TYPES = frozenset(get_args(ReceiverType))
"""Those that can be called."""

NOT_FOLLOWED = (
    "a patch here changes path, components, dependsOn or postBuild of a Kustomization, and is not"
    " followed"
)
_by_name = attrgetter("name")


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
    """Files of ConfigMaps and Secrets that its Kustomization substitutes variables from."""
    receiver: FluxReceiver | None = None
    """The one that makes Flux fetch its source, if the repository has just one such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    layers: tuple[DerivedLayer, ...]
    notes: tuple[Note, ...]


def derive_layers(found: FluxFiles, tree: Tree, is_own: Collection[str]) -> Derived:
    """A layer for each Kustomization that is built of this repository, by name."""
    own, notes = own_kustomizations(found, tree, is_own)
    layers, doubles = _one_a_name(own)
    names = frozenset(each.name for each in layers)
    return Derived(
        layers=tuple(_layer(each, found, names) for each in layers),
        notes=(
            *found.unreadable,
            *notes,
            *(Note(file=path, message=NOT_FOLLOWED) for path in found.moving),
            *doubles,
            *dict.fromkeys(_gone(layers, names)),
            *_unnamed(layers),
        ),
    )


def _one_a_name(
    kustomizations: Sequence[FluxKustomization],
) -> tuple[Sequence[FluxKustomization], Sequence[Note]]:
    layers, notes = [], []
    for name, group in groupby(sorted(kustomizations, key=_by_name), key=_by_name):
        first, *others = group
        layers.append(first)
        message = f"`{name}` is also defined in {first.file}, and that counts"
        notes += [Note(file=each.file, message=message) for each in others]
    return layers, notes


def _gone(layers: Sequence[FluxKustomization], names: Collection[str]) -> Iterator[Note]:
    for each in layers:
        for name in each.depends_on:
            if name not in names:
                message = f"`{each.name}` depends on `{name}`, which is no layer here"
                yield Note(file=each.file, message=message)


def _unnamed(layers: Sequence[FluxKustomization]) -> Iterator[Note]:
    for each in layers:
        for one in each.substitutes:
            if not one.name or VARIABLE in one.name:
                told = f"`{each.name}` substitutes from a {one.kind} of no known name, `{one.name}`"
                yield Note(file=each.file, message=told)


def _layer(each: FluxKustomization, found: FluxFiles, names: Collection[str]) -> DerivedLayer:
    receivers = [
        receiver
        for receiver in found.objects.receivers
        if each.source in receiver.resources and receiver.type in RECEIVER_TYPES
    ]
    return DerivedLayer(
        name=each.name,
        file=each.file,
        build=f"./{each.folder}",
        components=each.components,
        depends_on=tuple(dict.fromkeys(name for name in each.depends_on if name in names)),
        paths=tuple(dict.fromkeys(substituted_files(each.substitutes, found.contents))),
        receiver=receivers[0] if len(receivers) == 1 else None,
    )
