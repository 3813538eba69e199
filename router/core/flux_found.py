"""Flux objects as manifests have them, as far as a routing file can be held against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.flux_objects import Resource

ANY_NAME = "*"
"""Stands for every name in a Receiver's resources; labels tell which."""

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAt:
    """Where a manifest stands."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReceiver:
    """A Receiver of the manifests."""

    at: FoundAt
    namespace: str | None
    """None where the manifest names none."""
    name: str
    type: str
    secret: str | None
    resources: tuple[Resource, ...]
    """Those without a namespace of their own are in the Receiver's."""
    events: tuple[str, ...] = ()
    """The only ones it takes; none stand for all."""
    is_suspended: bool = False
    unlabelled: tuple[Resource, ...] = ()
    """Those of *resources* that stand for every name, with no labels to tell which."""

    @property
    def key(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKustomization:
    """A Flux Kustomization of the manifests."""

    at: FoundAt
    namespace: str
    name: str
    source: Resource
    depends_on: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecret:
    """A Secret of the manifests: the names of its keys, and nothing of their values."""

    at: FoundAt
    namespace: str
    name: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGenerator:
    """An ArtifactGenerator of the manifests: the ExternalArtifacts it makes, and of what."""

    namespace: str
    artifacts: tuple[str, ...]
    sources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObjects:
    """What the manifests have."""

    receivers: tuple[FoundReceiver, ...] = ()
    kustomizations: tuple[FoundKustomization, ...] = ()
    secrets: tuple[FoundSecret, ...] = ()
    generators: tuple[FoundGenerator, ...] = ()
    by_key: Mapping[Key, FoundKustomization] = field(init=False, repr=False, compare=False)
    _origins: Mapping[Key, tuple[Resource, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key = {(each.namespace, each.name): each for each in self.kustomizations}
        object.__setattr__(self, "by_key", by_key)
        origins = {
            (generator.namespace, artifact): generator.sources
            for generator in self.generators
            for artifact in generator.artifacts
        }
        object.__setattr__(self, "_origins", origins)

    def triggers(self, kustomization: FoundKustomization) -> tuple[Resource, ...]:
        """What a Receiver may trigger to have the Kustomization's source looked at.

        An ExternalArtifact follows the sources of its ArtifactGenerator; without that generator
        nothing is known, and there are none.
        """
        source = kustomization.source
        if source.kind != "ExternalArtifact":
            return (source,)
        return self._origins.get((source.namespace, source.name), ())
