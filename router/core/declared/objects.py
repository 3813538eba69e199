"""Objects of Flux in a repository's files: Kustomizations, and what else tells about layers.

Fields as Flux's controllers have them, in every version of their API:
https://fluxcd.io/flux/components/kustomize/kustomizations/
https://fluxcd.io/flux/components/source/gitrepositories/
https://fluxcd.io/flux/components/source/helmcharts/
https://fluxcd.io/flux/components/helm/helmreleases/
https://fluxcd.io/flux/components/notification/receivers/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.declared.patches import Patch, read_patches
from router.core.declared.values import VARIABLE, mapping_in, mappings, text_in, texts_in
from router.core.flux_objects import Resource
from router.core.kustomize.closure import Build
from router.core.kustomize.documents import Unreadable, read_documents
from router.core.kustomize.names import folder_of
from router.core.naming import normalize_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.core.kustomize.documents import Value

KUSTOMIZE_API = "kustomize.toolkit.fluxcd.io/"
SOURCE_API = "source.toolkit.fluxcd.io/"
GIT = "GitRepository"
DEFAULT_NAMESPACE = "flux-system"
"""Where an object without a namespace is taken to be, as `flux bootstrap` has it."""

ANY_TAG = "refs/tags/"
"""Stands for the refs of a source that takes the newest version of several tags."""

POLLED_SECONDS = 600
"""Up to this interval changes arrive without a call; what `flux bootstrap` makes has a minute."""

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_HELM_API = "helm.toolkit.fluxcd.io/"
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
class FluxSource:
    """A GitRepository, as a file has it."""

    name: Resource
    file: str
    url: str
    """Normalized; "" if the file does not tell."""
    ref: str = ""
    """The full name of what it follows, or ANY_TAG; "" if the file does not tell."""
    is_pinned: bool = False
    """It stays at one commit, whatever is pushed."""
    is_polled: bool = False
    """Flux fetches it by itself every POLLED_SECONDS, or more often."""
    ignore: str = ""
    """`spec.ignore`: rules as those of `.sourceignore`."""


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


def read_objects(file: str, content: bytes) -> FluxObjects:
    """Flux's objects in one file. Raises Unreadable for one that names Flux but is no YAML."""
    found = list(_objects(content)) if _MARK in content else []
    kustomizations = [
        each for each in found if is_kustomization(each) and "sourceRef" in mapping_in(each, "spec")
    ]
    return FluxObjects(
        kustomizations=tuple(_kustomization(file, each) for each in kustomizations),
        sources=tuple(_source(file, each) for each in found if _is(each, GIT, SOURCE_API)),
        receivers=tuple(
            _receiver(each) for each in found if _is(each, "Receiver", _NOTIFICATION_API)
        ),
        charts=tuple(_charts(file, found)),
        patches=tuple(
            patch for each in kustomizations for patch in _patches(file, mapping_in(each, "spec"))
        ),
    )


def defines(content: bytes, wanted: Resource) -> bool:
    """Whether a file holds that ConfigMap or Secret; one that names no namespace may be it."""
    if wanted.kind.encode() not in content or wanted.name.encode() not in content:
        return False
    try:
        found = list(_objects(content))
    except Unreadable:
        return False
    return any(
        text_in(each, "metadata", "name") == wanted.name
        and each.get("kind") == wanted.kind
        and text_in(each, "metadata", "namespace") in {"", wanted.namespace}
        for each in found
    )


def is_kustomization(document: Mapping[str, Value]) -> bool:
    """Whether this is an object of kustomize-controller, not a file of kustomize's."""
    return _is(document, "Kustomization", KUSTOMIZE_API)


def _kustomization(file: str, document: Mapping[str, Value]) -> FluxKustomization:
    spec, own = mapping_in(document, "spec"), _own_name(document)
    return FluxKustomization(
        name=own.name,
        layer=own.name,
        namespace=own.namespace,
        file=file,
        path=text_in(spec, "path"),
        components=texts_in(spec, "components"),
        depends_on=tuple(text_in(each, "name") for each in mappings(spec.get("dependsOn"))),
        source=_named(mapping_in(spec, "sourceRef"), own.namespace),
        variables=tuple(
            FluxVariables(
                object=_named({**each, "namespace": None}, own.namespace),
                is_optional=text_in(each, "optional") == "true",
            )
            for each in mappings(mapping_in(spec, "postBuild").get("substituteFrom"))
        ),
    )


def _patches(file: str, spec: Mapping[str, Value]) -> Iterator[Patch]:
    return read_patches(file, spec, {}, folder_of(text_in(spec, "path")))


def _source(file: str, document: Mapping[str, Value]) -> FluxSource:
    spec = mapping_in(document, "spec")
    ref, url = mapping_in(spec, "ref"), text_in(spec, "url")
    commit = text_in(ref, "commit")
    return FluxSource(
        name=_own_name(document),
        file=file,
        url=normalize_url(url) if url and VARIABLE not in url else "",
        ref=_ref(ref),
        is_pinned=bool(commit) and VARIABLE not in commit,
        is_polled=_is_short(text_in(spec, "interval")),
        ignore=text_in(spec, "ignore"),
    )


def _is_short(interval: str) -> bool:
    if not _DURATION.fullmatch(interval):
        return False
    parts = _PART.findall(interval)
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts) <= POLLED_SECONDS


def _ref(ref: Mapping[str, Value]) -> str:
    """The one that counts, of those that are there: https://fluxcd.io/flux/components/source/
    gitrepositories/#reference. Without any it is `master`, unless a patch tells another."""
    names = (
        text_in(ref, "name"),
        ANY_TAG if text_in(ref, "semver") else "",
        f"refs/tags/{tag}" if (tag := text_in(ref, "tag")) else "",
        f"refs/heads/{branch}" if (branch := text_in(ref, "branch")) else "",
    )
    found = next(filter(None, names), "")
    return "" if VARIABLE in found else found


def _charts(file: str, found: Sequence[Mapping[str, Value]]) -> Iterator[FluxChart]:
    for each in found:
        if _is(each, "HelmRelease", _HELM_API):
            spec = mapping_in(each, "spec", "chart", "spec")
        elif _is(each, "HelmChart", SOURCE_API):
            spec = mapping_in(each, "spec")
        else:
            continue
        own = _own_name(each)
        source = _named(mapping_in(spec, "sourceRef"), own.namespace)
        if source.kind == GIT:
            values = (*texts_in(spec, "valuesFiles"), text_in(spec, "valuesFile"))
            yield FluxChart(
                owner=own,
                file=file,
                source=source,
                path=folder_of(text_in(spec, "chart")),
                values=tuple(folder_of(path) for path in values if path),
            )


def _receiver(document: Mapping[str, Value]) -> FluxReceiver:
    own = _own_name(document)
    resources = mappings(mapping_in(document, "spec").get("resources"))
    return FluxReceiver(
        name=own.name,
        namespace=own.namespace,
        type=text_in(document, "spec", "type"),
        resources=tuple(_named(each, own.namespace) for each in resources),
    )


def _objects(content: bytes) -> Iterator[Mapping[str, Value]]:
    """Every object of a file, those in lists of objects, too. Raises Unreadable."""
    for document in read_documents(content):
        if isinstance(document, dict):
            is_list = document.get("kind") == "List"
            yield from mappings(document.get("items")) if is_list else [document]


def _own_name(document: Mapping[str, Value]) -> Resource:
    metadata = mapping_in(document, "metadata")
    return _named({**metadata, "kind": document.get("kind")}, DEFAULT_NAMESPACE)


def _named(entry: Mapping[str, Value], namespace: str) -> Resource:
    return Resource(
        kind=text_in(entry, "kind"),
        namespace=text_in(entry, "namespace") or namespace,
        name=text_in(entry, "name"),
    )


def _is(document: Mapping[str, Value], kind: str, api: str) -> bool:
    """Whether it is of that kind, in whatever version of the API."""
    return document.get("kind") == kind and text_in(document, "apiVersion").startswith(api)
