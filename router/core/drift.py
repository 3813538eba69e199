"""Where the layers of an entry differ from the Flux Kustomizations of its repository."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import join, normpath
from typing import TYPE_CHECKING, Literal

from router.core.coverage import find_uncovered
from router.core.kustomize.found import BUILD
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.core.declared.objects import FluxKustomization
    from router.core.declared.ownership import NotDerived, Owned
    from router.core.declared.sources import FluxSource
    from router.core.flux_objects import Resource
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.ignored import Ignored
    from router.core.routing import Layer, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """Files that a layer's build reads and its patterns do not include."""

    layer: str
    files: tuple[str, ...]
    kustomization: FluxKustomization | None
    """Whose build it is where the layer has none, so that a change there does not call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A layer that says otherwise than its Kustomization."""

    layer: str
    key: Literal["build", "components", "dependsOn"]
    own: tuple[str, ...]
    kustomization: FluxKustomization
    flux: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwatched:
    """Files that Flux reads for a layer beside its build, and whose change does not call it."""

    layer: str
    files: tuple[str, ...]
    kustomization: FluxKustomization


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSource:
    """Layers with receivers of their own whose Kustomizations have one source."""

    source: Resource
    layers: tuple[str, ...]


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
class Declared:
    """What the files of an entry's repository declare of Flux."""

    owned: Owned
    beside: Mapping[FluxKustomization, tuple[str, ...]]
    """The files that Flux reads for a Kustomization beside its build, as far as that is sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    unknown: Mapping[str, str]
    """Layer → why it is not known what its build reads."""
    uncovered: tuple[Uncovered, ...]
    unwatched: tuple[Unwatched, ...]
    differing: tuple[Differing, ...]
    shared_sources: tuple[SharedSource, ...]
    unserved: tuple[FluxKustomization, ...]
    """Kustomizations that no layer has the name or the folder of."""
    polled: tuple[FluxKustomization, ...]
    """The same, where Flux fetches their source often by itself."""
    unfollowed: tuple[NotDerived, ...]
    """Kustomizations of this repository of which too little can be told."""
    remotes: tuple[RemoteBase, ...]
    left_out: tuple[LeftOut, ...]


def builds_to_read(entry: Repository, owned: Owned) -> Mapping[str, Build]:
    """What is built of each layer: as it says, else as the only Kustomization of its name does."""
    of_flux = {
        layer.name: found[0].build
        for layer in entry.layers
        if len(found := owned.of(layer.name)) == 1
    }
    return {**of_flux, **entry.builds}


def find_drift(
    entry: Repository,
    names: Collection[str],
    declared: Declared,
    closures: Mapping[str, Closure],
) -> Drift:
    """Compare the layers of *entry* with the Kustomizations that are built of its repository.

    *names* are those of all layers there are, *closures* those of `builds_to_read`.
    """
    builds, owned = entry.builds, declared.owned
    unserved = [
        (each, owned.sources.are_polled(each))
        for each in _unserved(builds.values(), names, owned.kustomizations)
    ]
    return Drift(
        unknown={
            name: closures[name].unknown or ""
            for name in builds
            if closures[name].unknown is not None
        },
        uncovered=tuple(_uncovered(entry, owned, closures)),
        unwatched=tuple(_unwatched(entry, declared, closures)),
        differing=(
            *_other_builds(entry, owned),
            *_dependencies(entry, names, owned),
        ),
        shared_sources=tuple(_shared_sources(entry, owned)),
        unserved=tuple(each for each, is_polled in unserved if not is_polled),
        polled=tuple(each for each, is_polled in unserved if is_polled),
        unfollowed=tuple(each for each in owned.left_out if each.is_ours),
        remotes=tuple(_remotes({name: closures[name] for name in builds})),
        left_out=tuple(_left_out(owned, closures)),
    )


def _uncovered(
    entry: Repository, owned: Owned, closures: Mapping[str, Closure]
) -> Iterator[Uncovered]:
    found = find_uncovered(entry.index, {name: each.files for name, each in closures.items()})
    for layer in entry.layers:
        files = found.get(layer.name, ())
        is_apart = layer.build is not None and len(files) == len(closures[layer.name].files)
        if layer.patterns and files and not is_apart:  # else its patterns are for other files
            yield Uncovered(
                layer=layer.name,
                files=files,
                kustomization=None if layer.build else owned.of(layer.name)[0],
            )


def _unwatched(
    entry: Repository, declared: Declared, closures: Mapping[str, Closure]
) -> Iterator[Unwatched]:
    """Of several clusters, one whose files all count is enough."""
    for layer in entry.layers:
        closure = closures[layer.name] if layer.build else None
        if closure is not None and closure.unknown is not None:
            continue  # every push calls it
        found = []
        for each in declared.owned.of(layer.name):
            read = declared.beside[each]
            files = [path for path in read if closure is None or path not in closure.files]
            uncovered = find_uncovered(entry.index, {layer.name: files}) if files else {}
            found.append((each, uncovered))
        if found and all(uncovered for _, uncovered in found):
            first, uncovered = found[0]
            yield Unwatched(layer=layer.name, files=uncovered[layer.name], kustomization=first)


def _other_builds(entry: Repository, owned: Owned) -> Iterator[Differing]:
    """Of several clusters, one that agrees is enough."""
    for layer in entry.layers:
        found, build = owned.of(layer.name), layer.build
        if not found or build is None:
            continue
        folders = {folder_of(folder) for folder in build.folders}
        same = [each for each in found if each.folder in folders]
        if not same:
            yield Differing(
                layer=layer.name,
                key="build",
                own=build.folders,
                kustomization=found[0],
                flux=(f"./{found[0].folder}",),
            )
        elif all(_components(each, build.components) != _components(each) for each in same):
            yield Differing(
                layer=layer.name,
                key="components",
                own=build.components,
                kustomization=same[0],
                flux=same[0].components,
            )


def _components(each: FluxKustomization, components: Sequence[str] | None = None) -> frozenset[str]:
    """The folders of its components, or of others as if they were its own."""
    named = each.components if components is None else components
    return frozenset(normpath(join(each.folder, name)) for name in named)


def _dependencies(entry: Repository, names: Collection[str], owned: Owned) -> Iterator[Differing]:
    """Only between layers that Flux knows; of several clusters, one that agrees is enough."""
    of_flux = owned.by_layer.keys()
    for layer in entry.layers:
        found = [
            (each, tuple(name for name in dict.fromkeys(each.depends_on) if name in names))
            for each in owned.of(layer.name)
        ]
        told = {name for _, flux in found for name in flux}
        own = tuple(name for name in layer.depends_on if name in of_flux or name in told)
        if found and all(set(flux) != set(own) for _, flux in found):
            first, flux = found[0]
            yield Differing(
                layer=layer.name, key="dependsOn", own=own, kustomization=first, flux=flux
            )


def _shared_sources(entry: Repository, owned: Owned) -> Iterator[SharedSource]:
    """Where receivers are shared, too, somebody knows."""
    sharing: dict[Resource, list[Layer]] = {}
    for layer in entry.layers:
        for source in dict.fromkeys(each.source for each in owned.of(layer.name)):
            sharing.setdefault(source, []).append(layer)
    for source, layers in sharing.items():
        if len({layer.receivers for layer in layers}) > 1:
            yield SharedSource(source=source, layers=tuple(layer.name for layer in layers))


def _unserved(
    builds: Collection[Build], names: Collection[str], kustomizations: Sequence[FluxKustomization]
) -> Iterator[FluxKustomization]:
    folders = {folder_of(folder) for build in builds for folder in build.folders}
    for each in kustomizations:
        if each.layer not in names and each.folder not in folders:
            yield each


def _remotes(closures: Mapping[str, Closure]) -> Iterator[RemoteBase]:
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for layer, closure in closures.items():
        for remote in closure.remotes:
            found.setdefault(remote.url, (remote.by, {}))[1][layer] = None
    for url, (by, layers) in found.items():
        yield RemoteBase(url=url, by=by, layers=tuple(layers))


def _left_out(owned: Owned, closures: Mapping[str, Closure]) -> Iterator[LeftOut]:
    """What no kustomization names may well be meant to be left out. Of sources of one name in
    several clusters, one that has a file is enough."""
    rules: dict[str, Ignored] = {}
    for layer, closure in closures.items():
        named = [path for path, by in closure.files.items() if by != BUILD]
        for name in dict.fromkeys(each.source for each in owned.of(layer)):
            same = owned.sources.by_name.get(name, ())
            for each in same:
                if each.ignore not in rules:
                    rules[each.ignore] = closure.ignored.of_source(each.ignore)
            files = [path for path in named if all(path in rules[each.ignore] for each in same)]
            if same and files:
                yield LeftOut(layer=layer, source=same[0], files=tuple(sorted(files)))
