"""Where the layers of an entry differ from the Flux Kustomizations of its repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.coverage import find_uncovered
from router.core.kustomize.found import BUILD
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.declared.objects import FluxKustomization, FluxSource
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.ignored import Ignored
    from router.core.routing import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """Files that a layer's build reads and its patterns do not include."""

    layer: str
    files: tuple[str, ...]
    kustomization: FluxKustomization | None
    """Whose build it is where the layer has none, so that a change there does not call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDependencies:
    """A layer that depends on others than its Kustomization does."""

    layer: str
    own: tuple[str, ...]
    kustomization: FluxKustomization
    flux: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBase:
    """Something from elsewhere that builds read."""

    url: str
    by: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Files that kustomizations of a layer's build name, and its source does not have for Flux."""

    layer: str
    source: FluxSource
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    unknown: Mapping[str, str]
    """Layer → why it is not known what its build reads."""
    uncovered: tuple[Uncovered, ...]
    dependencies: tuple[OtherDependencies, ...]
    unserved: tuple[FluxKustomization, ...]
    """Kustomizations that no layer has the name or the folder of."""
    remotes: tuple[RemoteBase, ...]
    left_out: tuple[LeftOut, ...]


def builds_to_read(
    entry: Repository, kustomizations: Sequence[FluxKustomization]
) -> Mapping[str, Build]:
    """What is built of each layer: as it says, else as the only Kustomization of its name does."""
    of_flux = {
        layer.name: found[0].build
        for layer in entry.layers
        if len(found := _named(kustomizations, layer.name)) == 1
    }
    return {**of_flux, **entry.builds}


def find_drift(
    entry: Repository,
    names: Collection[str],
    kustomizations: Sequence[FluxKustomization],
    sources: Sequence[FluxSource],
    closures: Mapping[str, Closure],
) -> Drift:
    """Compare the layers of *entry* with the Kustomizations that are built of its repository.

    *names* are those of all layers there are, *closures* those of `builds_to_read`.
    """
    builds = entry.builds
    return Drift(
        unknown={
            name: closures[name].unknown or ""
            for name in builds
            if closures[name].unknown is not None
        },
        uncovered=tuple(_uncovered(entry, kustomizations, closures)),
        dependencies=tuple(_dependencies(entry, names, kustomizations)),
        unserved=tuple(_unserved(builds.values(), names, kustomizations)),
        remotes=tuple(_remotes({name: closures[name] for name in builds})),
        left_out=tuple(_left_out(kustomizations, sources, closures)),
    )


def _uncovered(
    entry: Repository,
    kustomizations: Sequence[FluxKustomization],
    closures: Mapping[str, Closure],
) -> Iterator[Uncovered]:
    found = find_uncovered(entry.index, {name: each.files for name, each in closures.items()})
    for layer in entry.layers:
        if layer.patterns and layer.name in found:
            yield Uncovered(
                layer=layer.name,
                files=found[layer.name],
                kustomization=None if layer.build else _named(kustomizations, layer.name)[0],
            )


def _dependencies(
    entry: Repository, names: Collection[str], kustomizations: Sequence[FluxKustomization]
) -> Iterator[OtherDependencies]:
    """Only between layers that Flux knows; of several clusters, one that agrees is enough."""
    of_flux = {each.name for each in kustomizations}
    for layer in entry.layers:
        own = tuple(name for name in layer.depends_on if name in of_flux)
        found = [
            (each, tuple(name for name in dict.fromkeys(each.depends_on) if name in names))
            for each in _named(kustomizations, layer.name)
        ]
        if found and all(set(flux) != set(own) for _, flux in found):
            first, flux = found[0]
            yield OtherDependencies(layer=layer.name, own=own, kustomization=first, flux=flux)


def _unserved(
    builds: Collection[Build], names: Collection[str], kustomizations: Sequence[FluxKustomization]
) -> Iterator[FluxKustomization]:
    folders = {folder_of(folder) for build in builds for folder in build.folders}
    for each in kustomizations:
        if each.name not in names and each.folder not in folders:
            yield each


def _remotes(closures: Mapping[str, Closure]) -> Iterator[RemoteBase]:
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for layer, closure in closures.items():
        for remote in closure.remotes:
            found.setdefault(remote.url, (remote.by, {}))[1][layer] = None
    for url, (by, layers) in found.items():
        yield RemoteBase(url=url, by=by, layers=tuple(layers))


def _left_out(
    kustomizations: Sequence[FluxKustomization],
    sources: Sequence[FluxSource],
    closures: Mapping[str, Closure],
) -> Iterator[LeftOut]:
    """What no kustomization names may well be meant to be left out. Of sources of one name in
    several clusters, one that has a file is enough."""
    rules: dict[str, Ignored] = {}
    for layer, closure in closures.items():
        named = [path for path, by in closure.files.items() if by != BUILD]
        for name in dict.fromkeys(each.source for each in _named(kustomizations, layer)):
            same = [each for each in sources if each.name == name]
            for each in same:
                if each.ignore not in rules:
                    rules[each.ignore] = closure.ignored.of_source(each.ignore)
            files = [path for path in named if all(path in rules[each.ignore] for each in same)]
            if same and files:
                yield LeftOut(layer=layer, source=same[0], files=tuple(sorted(files)))


def _named(kustomizations: Sequence[FluxKustomization], name: str) -> list[FluxKustomization]:
    return [each for each in kustomizations if each.name == name]
