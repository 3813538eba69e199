"""Which Flux Receiver each layer has on each cluster, and the rules that only show there.

Worked out on the tree, so that a file with other errors is checked as far as it can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import normpath
from typing import TYPE_CHECKING, Literal

from router.config.fields import (
    LAYER_PLACEHOLDER,
    MAX_OBJECT_NAME_CHARACTERS,
    is_file_path,
    is_variable,
)
from router.config.form import DEFAULT_NAMESPACE, DEFAULT_RECEIVER_TYPE
from router.config.names import layers_of
from router.config.outline import is_by_cluster
from router.config.tree import MappingNode, Node, child, items, shown, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.config.report import Report

OIDC = "generic-oidc"
_DEFAULTS = {
    "namespace": DEFAULT_NAMESPACE,
    "name": LAYER_PLACEHOLDER,
    "type": DEFAULT_RECEIVER_TYPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a secret is; never the secret."""

    kind: Literal["file", "env"]
    name: str
    place: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverUse:
    """One layer's receiver on one cluster."""

    layer: str
    cluster: str
    namespace: str
    name: str
    type: str
    token: Reference | None
    place: Node
    """Where the operator can change it: the layer's receiver, else the layer's name."""
    token_missing_at: Node | None = None
    """Where a token has to be added; None when there is one, even one that cannot be read."""

    @property
    def key(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @property
    def token_identity(self) -> tuple[str, str] | None:
        """Equal for two references to the same file or variable."""
        if self.token is None:
            return None
        is_file = self.token.kind == "file"
        return self.token.kind, normpath(self.token.name) if is_file else self.token.name


def reference(node: Node | None, *, layer: str | None = None) -> Reference | None:
    """What *node* refers to; None unless it has exactly one of file and env, and a sound one."""
    if not isinstance(node, MappingNode) or len(node.entries) != 1:
        return None
    file, env = text(node, "file"), text(node, "env")
    if file is not None:
        name = file if layer is None else file.replace(LAYER_PLACEHOLDER, layer)
        place = child(node, "file") or node
        return Reference(kind="file", name=name, place=place) if is_file_path(name) else None
    if env is not None and is_variable(env):
        return Reference(kind="env", name=env, place=child(node, "env") or node)
    return None


def file_reference(node: Node | None) -> Reference | None:
    """Like reference, where only a file will do."""
    found = reference(node)
    return found if found is not None and found.kind == "file" else None


def receiver_uses(root: Node, layers: Iterable[Node] | None = None) -> Iterator[ReceiverUse]:
    """Every layer's receivers, clusters in file order; those that cannot be read are left out."""
    clusters = {
        name: cluster
        for cluster in items(root, "clusters")
        if (name := text(cluster, "name")) is not None
    }
    for layer in layers_of(root) if layers is None else layers:
        named = child(layer, "clusters")
        names = {text(item) for item in items(layer, "clusters")}
        for name, cluster in clusters.items():
            if named is None or name in names:
                use = _use(layer, name, cluster)
                if use is not None:
                    yield use


def _use(layer: Node, cluster_name: str, cluster: Node) -> ReceiverUse | None:
    name = text(layer, "name")
    override = _override(layer, cluster_name)
    values = {key: _value(key, override, child(cluster, "receiver")) for key in _DEFAULTS}
    namespace, template, kind = (values[key] for key in ("namespace", "name", "type"))
    if name is None or namespace is None or template is None or kind is None:
        return None
    defaults = child(cluster, "receiver")
    token = _token(override, defaults, kind)
    owner = override if child(override, "type") is not None else defaults
    return ReceiverUse(
        layer=name,
        cluster=cluster_name,
        namespace=namespace,
        name=template.replace(LAYER_PLACEHOLDER, name),
        type=kind,
        token=reference(token, layer=name),
        place=override or child(layer, "name") or layer,
        token_missing_at=(owner or child(cluster, "name")) if token is None else None,
    )


def _override(layer: Node, cluster: str) -> Node | None:
    receiver = child(layer, "receiver")
    if receiver is not None and is_by_cluster(receiver):
        return child(receiver, cluster)
    return receiver


def _value(key: str, override: Node | None, defaults: Node | None) -> str | None:
    """The text of *key* from the layer, else the cluster, else ours; None where it is no text."""
    for node in (override, defaults):
        if child(node, key) is not None:
            return text(node, key)
    return _DEFAULTS[key]


def _token(override: Node | None, defaults: Node | None, kind: str) -> Node | None:
    own = child(override, "token")
    if own is not None:
        return own
    # A bearer token must not be sent as a signing key's stand-in, nor the other way round.
    is_same_kind = (_value("type", None, defaults) == OIDC) == (kind == OIDC)
    return child(defaults, "token") if is_same_kind else None


def check_receivers(root: Node, report: Report) -> None:
    """Report receivers that cannot be called, and shared ones that are not defined alike."""
    by_key: dict[str, ReceiverUse] = {}
    by_path: dict[tuple[object, ...], ReceiverUse] = {}
    for use in receiver_uses(root):
        _check_token(use, report)
        if len(use.name) > MAX_OBJECT_NAME_CHARACTERS:
            limit = f"{MAX_OBJECT_NAME_CHARACTERS} characters"
            report.error(use.place, f"the name of this layer's receiver is longer than {limit}")
        earlier = by_key.setdefault(use.key, use)
        _check_shared(use, earlier, report)
        path_token = None if use.type == OIDC else use.token_identity
        path = (use.cluster, path_token, use.name + use.namespace)
        _check_path(use, by_path.setdefault(path, use), report)


def _check_token(use: ReceiverUse, report: Report) -> None:
    needed = "token: {file: path}" if use.type == OIDC else "a token"
    if use.token_missing_at is not None:
        report.error(
            use.token_missing_at,
            f"receivers of type {shown(use.type)} on cluster {shown(use.cluster)} need {needed}",
        )
    elif use.type == OIDC and use.token is not None and use.token.kind == "env":
        report.error(
            use.token.place, "generic-oidc reads its bearer token for each call: it must be a file"
        )


def _check_shared(use: ReceiverUse, earlier: ReceiverUse, report: Report) -> None:
    if (use.type, use.token_identity) == (earlier.type, earlier.token_identity):
        return
    what = "type" if use.type != earlier.type else "token"
    report.error(
        use.place,
        f"receiver {shown(use.key)} has another {what} for layer {shown(earlier.layer)}; "
        "layers that share a receiver must define it alike",
    )


def _check_path(use: ReceiverUse, earlier: ReceiverUse, report: Report) -> None:
    """Flux hashes token, name and namespace without separators, and takes the first that fits.

    https://fluxcd.io/flux/components/notification/receivers/#webhook-path
    """
    if use.key != earlier.key:
        report.error(
            use.place,
            f"receivers {shown(earlier.key)} and {shown(use.key)} have one token, and names that "
            "give them the same webhook path; Flux would only ever reach one of them",
        )
