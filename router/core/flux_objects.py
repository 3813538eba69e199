"""The Flux objects that a routing file implies on a cluster: Receivers, Secrets, Kustomizations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RECEIVER_API_VERSION = "notification.toolkit.fluxcd.io/v1"
RECEIVER_INTERVAL = "1h"
"""How often Flux reads the Secret anew; it does not delay calls.

https://fluxcd.io/flux/components/notification/receivers/#interval
"""

SECRET_KEY = "token"  # noqa: S105  the key's name
"""https://fluxcd.io/flux/components/notification/receivers/#secret-reference"""

WITHOUT_SECRET = "generic-oidc"  # noqa: S105  a type of Receiver
"""Flux refuses a Receiver of this type that has a secretRef."""

LAYER = "{layer}"
RECEIVER = "{receiver}"
ARTIFACT_SOURCE_KIND = "OCIRepository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A Flux object that a Receiver triggers, or a Kustomization reads."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOnCluster:
    """What a routing file says of one layer on one cluster, as far as Flux has objects for it."""

    layer: str
    cluster: str
    receiver_namespace: str
    receiver_name: str
    receiver_type: str
    token: str | None
    """Where the token is, such as `file secrets/app1`; never the token."""
    kustomization_namespace: str
    kustomization_name: str
    is_artifact: bool
    depends_on: tuple[str, ...]
    line: int
    column: int
    """Where the routing file can be changed: the layer's receiver, else the layer's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What no routing file says: how sources and Secrets are called."""

    source_kind: str = "GitRepository"
    source_name: str = LAYER
    """Of a layer under `artifacts`, only the name counts: its source is an OCIRepository."""
    secret_name: str = f"receiver-{RECEIVER}"

    def source(self, use: LayerOnCluster) -> Resource:
        """The layer's source, in the namespace of its Receiver."""
        return Resource(
            kind=ARTIFACT_SOURCE_KIND if use.is_artifact else self.source_kind,
            namespace=use.receiver_namespace,
            name=self.source_name.replace(LAYER, use.layer),
        )

    def secret(self, use: LayerOnCluster) -> str | None:
        """The Secret of the layer's Receiver; None for a type that has none."""
        if use.receiver_type == WITHOUT_SECRET:
            return None
        return self.secret_name.replace(RECEIVER, use.receiver_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedReceiver:
    """One Receiver, with the layers that share it."""

    first: LayerOnCluster
    """The first of its layers; they define it alike."""
    layers: tuple[str, ...]
    secret: str | None
    resources: tuple[Resource, ...]

    @property
    def namespace(self) -> str:
        return self.first.receiver_namespace

    @property
    def name(self) -> str:
        return self.first.receiver_name

    @property
    def type(self) -> str:
        return self.first.receiver_type

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def manifest(self) -> dict[str, Any]:
        """The object as Flux's API has it."""
        secret = {} if self.secret is None else {"secretRef": {"name": self.secret}}
        resources = [{"kind": each.kind, "name": each.name} for each in self.resources]
        return {
            "apiVersion": RECEIVER_API_VERSION,
            "kind": "Receiver",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "type": self.type,
                "interval": RECEIVER_INTERVAL,
                **secret,
                "resources": resources,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedKustomization:
    """The Kustomization that applies a layer."""

    layer: str
    namespace: str
    name: str
    depends_on: tuple[tuple[str, str], ...]
    """Namespace and name of those of the layers it depends on, where they are on the cluster."""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedObjects:
    """All that a routing file implies on one cluster, in its order."""

    cluster: str
    receivers: tuple[ImpliedReceiver, ...]
    kustomizations: tuple[ImpliedKustomization, ...]
    by_layer: Mapping[str, ImpliedKustomization] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_layer", {each.layer: each for each in self.kustomizations})

    def secrets(self) -> Mapping[tuple[str, str], tuple[ImpliedReceiver, ...]]:
        """Namespace and name of each Secret that must exist, with the Receivers that use it."""
        users: dict[tuple[str, str], tuple[ImpliedReceiver, ...]] = {}
        for receiver in self.receivers:
            if receiver.secret is not None:
                key = (receiver.namespace, receiver.secret)
                users[key] = (*users.get(key, ()), receiver)
        return users


def imply(cluster: str, uses: Iterable[LayerOnCluster], naming: Naming) -> ImpliedObjects:
    """The objects that *uses* ask for on *cluster*; layers of other clusters are left out."""
    here = [use for use in uses if use.cluster == cluster]
    by_receiver: dict[tuple[str, str], list[LayerOnCluster]] = {}
    for use in here:
        by_receiver.setdefault((use.receiver_namespace, use.receiver_name), []).append(use)
    return ImpliedObjects(
        cluster=cluster,
        receivers=tuple(_receiver(shared, naming) for shared in by_receiver.values()),
        kustomizations=_kustomizations(here),
    )


def _receiver(uses: Sequence[LayerOnCluster], naming: Naming) -> ImpliedReceiver:
    return ImpliedReceiver(
        first=uses[0],
        layers=tuple(use.layer for use in uses),
        secret=naming.secret(uses[0]),
        resources=tuple(dict.fromkeys(naming.source(use) for use in uses)),
    )


def _kustomizations(uses: Sequence[LayerOnCluster]) -> tuple[ImpliedKustomization, ...]:
    keys = {use.layer: (use.kustomization_namespace, use.kustomization_name) for use in uses}
    return tuple(
        ImpliedKustomization(
            layer=use.layer,
            namespace=use.kustomization_namespace,
            name=use.kustomization_name,
            depends_on=tuple(keys[name] for name in use.depends_on if name in keys),
        )
        for use in uses
    )
