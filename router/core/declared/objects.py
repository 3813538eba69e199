"""Objects of Flux in a repository's files: Kustomizations, and what else tells about layers.

Fields as Flux's controllers have them, in every version of their API:
https://fluxcd.io/flux/components/kustomize/kustomizations/
https://fluxcd.io/flux/components/source/helmcharts/
https://fluxcd.io/flux/components/helm/helmreleases/
https://fluxcd.io/flux/components/notification/receivers/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.declared.patches import Patch, Texts, read_patches
from router.core.declared.sources import GIT, SOURCE_API, FluxSource, read_source
from router.core.declared.values import (
    is_a,
    mapping_in,
    mappings,
    named,
    objects_in,
    own_name,
    text_in,
    texts_in,
)
from router.core.kustomize.closure import Build
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.core.flux_objects import Resource
    from router.core.kustomize.documents import Value

KUSTOMIZE_API = "kustomize.toolkit.fluxcd.io/"
HELM_API = "helm.toolkit.fluxcd.io/"
_NOTIFICATION_API = "notification.toolkit.fluxcd.io/"
_MARK = b"toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxVariables:
    """A ConfigMap or Secret that variables are substituted from."""

    object: Resource
    is_optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxKustomization:
    """A Flux Kustomization as a file has it, before anything patches it."""

    name: str
    namespace: str
    file: str
    path: str
    """`spec.path`, as it is written; "" for the root."""
    components: tuple[str, ...] = ()
    layer: str
    """The layer it would be: its name, unless clusters call those of layers otherwise."""
    depends_on: tuple[str, ...] = ()
    """Layers likewise, of whatever namespace."""
    source: Resource
    """Of no kind where the file does not tell."""
    variables: tuple[FluxVariables, ...] = ()
    """`spec.postBuild.substituteFrom`."""

    @property
    def folder(self) -> str:
        """Its path from the repository's root; "" is the root."""
        return folder_of(self.path)

    @property
    def build(self) -> Build:
        """What kustomize-controller builds for it."""
        return Build(folders=(self.folder,), components=self.components)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxChart:
    """A Helm chart that Flux makes of files of a source, for a HelmRelease or a HelmChart."""

    owner: Resource
    file: str
    source: Resource
    path: str
    """Its folder, or packaged file, from the source's root."""
    values: tuple[str, ...] = ()
    """Files of values, from the source's root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxReceiver:
    """A Flux Receiver, and the objects that it makes Flux reconcile."""

    name: str
    namespace: str
    type: str
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxObjects:
    """What files hold of Flux."""

    kustomizations: tuple[FluxKustomization, ...] = ()
    sources: tuple[FluxSource, ...] = ()
    receivers: tuple[FluxReceiver, ...] = ()
    charts: tuple[FluxChart, ...] = ()
    patches: tuple[Patch, ...] = ()
    """Those that Kustomizations have of what they build."""


def read_objects(file: str, content: bytes, namespace: str | None = None) -> FluxObjects:
    """Flux's objects in one file, in the *namespace* that a kustomization sets, if any does.

    Raises Unreadable for a file that names Flux but is no YAML.
    """
    found = list(objects_in(content)) if _MARK in content else []
    kustomizations = [each for each in found if is_a(each, "Kustomization", KUSTOMIZE_API)]
    return FluxObjects(
        kustomizations=tuple(_kustomization(file, each, namespace) for each in kustomizations),
        sources=tuple(
            read_source(file, each, namespace) for each in found if is_a(each, GIT, SOURCE_API)
        ),
        receivers=tuple(
            _receiver(each, namespace)
            for each in found
            if is_a(each, "Receiver", _NOTIFICATION_API)
        ),
        charts=tuple(_charts(file, found, namespace)),
        patches=tuple(
            patch for each in kustomizations for patch in _patches(file, mapping_in(each, "spec"))
        ),
    )


def _kustomization(
    file: str, document: Mapping[str, Value], namespace: str | None
) -> FluxKustomization:
    spec, own = mapping_in(document, "spec"), own_name(document, namespace)
    return FluxKustomization(
        name=own.name,
        layer=own.name,
        namespace=own.namespace,
        file=file,
        path=text_in(spec, "path"),
        components=texts_in(spec, "components"),
        depends_on=tuple(text_in(each, "name") for each in mappings(spec.get("dependsOn"))),
        source=named(mapping_in(spec, "sourceRef"), own.namespace),
        variables=tuple(
            FluxVariables(
                object=named({**each, "namespace": None}, own.namespace),
                is_optional=text_in(each, "optional") == "true",
            )
            for each in mappings(mapping_in(spec, "postBuild").get("substituteFrom"))
        ),
    )


def _patches(file: str, spec: Mapping[str, Value]) -> Iterator[Patch]:
    return read_patches(file, spec, Texts({}), folder_of(text_in(spec, "path")))


def _charts(
    file: str, found: Sequence[Mapping[str, Value]], namespace: str | None
) -> Iterator[FluxChart]:
    for each in found:
        if is_a(each, "HelmRelease", HELM_API):
            spec = mapping_in(each, "spec", "chart", "spec")
        elif is_a(each, "HelmChart", SOURCE_API):
            spec = mapping_in(each, "spec")
        else:
            continue
        own = own_name(each, namespace)
        source = named(mapping_in(spec, "sourceRef"), own.namespace)
        if source.kind == GIT:
            values = (*texts_in(spec, "valuesFiles"), text_in(spec, "valuesFile"))
            yield FluxChart(
                owner=own,
                file=file,
                source=source,
                path=folder_of(text_in(spec, "chart")),
                values=tuple(folder_of(path) for path in values if path),
            )


def _receiver(document: Mapping[str, Value], namespace: str | None) -> FluxReceiver:
    own = own_name(document, namespace)
    resources = mappings(mapping_in(document, "spec").get("resources"))
    return FluxReceiver(
        name=own.name,
        namespace=own.namespace,
        type=text_in(document, "spec", "type"),
        resources=tuple(named(each, own.namespace) for each in resources),
    )
