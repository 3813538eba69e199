"""Objects of Flux in a repository's files: Kustomizations, and what else tells about layers.

Fields as kustomize-controller and notification-controller have them, in every version of their API:
https://fluxcd.io/flux/components/kustomize/kustomizations/
https://fluxcd.io/flux/components/notification/receivers/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.flux_objects import Resource
from router.core.kustomize.closure import Build
from router.core.kustomize.documents import Unreadable, read_documents
from router.core.kustomize.names import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.kustomize.documents import Value

KUSTOMIZE_API = "kustomize.toolkit.fluxcd.io/"
DEFAULT_NAMESPACE = "flux-system"
"""Where an object without a namespace is taken to be, as `flux bootstrap` has it."""

_SOURCE_API = "source.toolkit.fluxcd.io/"
_NOTIFICATION_API = "notification.toolkit.fluxcd.io/"
_MOVING = frozenset({"path", "components", "dependsOn", "postBuild"})
_MOVING_POINTERS = tuple(f"/spec/{key}" for key in sorted(_MOVING))
_MARK = b"toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxKustomization:
    """A Flux Kustomization as a file has it, before anything patches it."""

    name: str
    namespace: str
    file: str
    path: str
    """`spec.path`, as it is written; "" for the root."""
    components: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    """Names alone, of whatever namespace."""
    source: Resource
    substitutes: tuple[Resource, ...] = ()
    """`spec.postBuild.substituteFrom`."""
    has_moving_patch: bool = False
    """It patches what it applies so that a Kustomization below it has another path or the like."""

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
    ignore: str = ""
    """`spec.ignore`: rules as those of `.sourceignore`."""


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


def read_objects(file: str, content: bytes) -> FluxObjects:
    """Flux's objects in one file. Raises Unreadable for one that names Flux but is no YAML."""
    found = list(_objects(content)) if _MARK in content else []
    return FluxObjects(
        kustomizations=tuple(
            _kustomization(file, each)
            for each in found
            if is_kustomization(each) and "sourceRef" in _mapping(each, "spec")
        ),
        sources=tuple(
            FluxSource(
                name=_own_name(each),
                file=file,
                url=_text(each, "spec", "url"),
                ignore=_text(each, "spec", "ignore"),
            )
            for each in found
            if each.get("kind") == "GitRepository" and _has_api(each, _SOURCE_API)
        ),
        receivers=tuple(
            _receiver(each)
            for each in found
            if each.get("kind") == "Receiver" and _has_api(each, _NOTIFICATION_API)
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
        _text(each, "metadata", "name") == wanted.name
        and each.get("kind") == wanted.kind
        and _text(each, "metadata", "namespace") in {"", wanted.namespace}
        for each in found
    )


def moves_kustomization(patch: bytes) -> bool:
    """Whether a patch (a merge, or JSON6902) gives a Flux Kustomization another path, components,
    dependencies or variables. What is no YAML moves none."""
    try:
        documents = read_documents(patch)
    except Unreadable:
        return False
    return any(map(_moves, documents))


def _moves(patch: Value) -> bool:
    if isinstance(patch, list):
        pointers = (_text(operation, "path") for operation in _mappings(patch))
        return any(pointer.startswith(_MOVING_POINTERS) for pointer in pointers)
    if not isinstance(patch, dict) or not is_kustomization(patch):
        return False
    return not _MOVING.isdisjoint(_mapping(patch, "spec"))


def inline_patches(document: Mapping[str, Value]) -> Iterator[bytes]:
    """The patches that a kustomization file, or a Flux Kustomization's spec, holds itself."""
    for key in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        for each in _list(document.get(key)):
            text = each.get("patch") if isinstance(each, dict) else each
            if isinstance(text, str):
                yield text.encode("utf-8", "surrogatepass")


def is_kustomization(document: Mapping[str, Value]) -> bool:
    """Whether this is an object of kustomize-controller, not a file of kustomize's."""
    return document.get("kind") == "Kustomization" and _has_api(document, KUSTOMIZE_API)


def _kustomization(file: str, document: Mapping[str, Value]) -> FluxKustomization:
    spec, own = _mapping(document, "spec"), _own_name(document)
    source, after_build = _mapping(spec, "sourceRef"), _mapping(spec, "postBuild")
    return FluxKustomization(
        name=own.name,
        namespace=own.namespace,
        file=file,
        path=_text(spec, "path"),
        components=tuple(each for each in _list(spec.get("components")) if isinstance(each, str)),
        depends_on=tuple(_text(each, "name") for each in _mappings(spec.get("dependsOn"))),
        source=_named(source, own.namespace),
        substitutes=tuple(
            _named(each, own.namespace, is_elsewhere_allowed=False)
            for each in _mappings(after_build.get("substituteFrom"))
        ),
        has_moving_patch=any(map(moves_kustomization, inline_patches(spec))),
    )


def _receiver(document: Mapping[str, Value]) -> FluxReceiver:
    own = _own_name(document)
    resources = _mappings(_mapping(document, "spec").get("resources"))
    return FluxReceiver(
        name=own.name,
        namespace=own.namespace,
        type=_text(document, "spec", "type"),
        resources=tuple(_named(each, own.namespace) for each in resources),
    )


def _objects(content: bytes) -> Iterator[Mapping[str, Value]]:
    """Every object of a file, those in lists of objects, too. Raises Unreadable."""
    for document in read_documents(content):
        if isinstance(document, dict):
            is_list = document.get("kind") == "List"
            yield from _mappings(document.get("items")) if is_list else [document]


def _own_name(document: Mapping[str, Value]) -> Resource:
    metadata = _mapping(document, "metadata")
    return _named({**metadata, "kind": document.get("kind")}, DEFAULT_NAMESPACE)


def _named(
    entry: Mapping[str, Value], namespace: str, *, is_elsewhere_allowed: bool = True
) -> Resource:
    own = _text(entry, "namespace") if is_elsewhere_allowed else ""
    return Resource(
        kind=_text(entry, "kind"), namespace=own or namespace, name=_text(entry, "name")
    )


def _has_api(document: Mapping[str, Value], group: str) -> bool:
    return str(document.get("apiVersion")).startswith(group)


def _mapping(document: Mapping[str, Value], key: str) -> Mapping[str, Value]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, Value], *keys: str) -> str:
    for key in keys[:-1]:
        document = _mapping(document, key)
    value = document.get(keys[-1])
    return value if isinstance(value, str) else ""


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _mappings(value: Value) -> Iterator[Mapping[str, Value]]:
    return (each for each in _list(value) if isinstance(each, dict))
