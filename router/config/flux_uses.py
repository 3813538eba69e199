"""What a routing file says of each layer on each cluster, for the Flux objects it implies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.fields import LAYER_PLACEHOLDER
from router.config.form import DEFAULT_NAMESPACE
from router.config.names import layers_of
from router.config.receivers import ReceiverUse, receiver_uses
from router.config.tree import Node, child, items, text
from router.core.flux_objects import LayerOnCluster

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.receivers import Reference


def find_uses(root: Node) -> tuple[LayerOnCluster, ...]:
    """Every layer on each of its clusters, in the tree of a routing file without problems."""
    clusters = {text(node, "name") or "": node for node in items(root, "clusters")}
    layers = {text(node, "name") or "": node for node in layers_of(root)}
    artifacts = {
        text(layer, "name") or ""
        for entry in items(root, "artifacts")
        for layer in items(entry, "layers")
    }
    return tuple(
        _use(use, layers[use.layer], clusters, is_artifact=use.layer in artifacts)
        for use in receiver_uses(root)
    )


def find_templates(root: Node) -> frozenset[str]:
    """How the clusters of such a file call the Kustomizations of layers, with the placeholder."""
    return frozenset(_template(node) for node in items(root, "clusters"))


def _template(cluster: Node) -> str:
    return text(cluster, "kustomization", "name") or LAYER_PLACEHOLDER


def _use(
    use: ReceiverUse, layer: Node, clusters: Mapping[str, Node], *, is_artifact: bool
) -> LayerOnCluster:
    named = child(clusters[use.cluster], "kustomization")
    template = _template(clusters[use.cluster])
    return LayerOnCluster(
        layer=use.layer,
        cluster=use.cluster,
        receiver_namespace=use.namespace,
        receiver_name=use.name,
        receiver_type=use.type,
        token=_told(use.token),
        kustomization_namespace=text(named, "namespace") or DEFAULT_NAMESPACE,
        kustomization_name=template.replace(LAYER_PLACEHOLDER, use.layer),
        is_artifact=is_artifact,
        depends_on=tuple(text(each) or "" for each in items(layer, "dependsOn")),
        line=use.place.line,
        column=use.place.column,
    )


def _told(token: Reference | None) -> str | None:
    kinds = {"file": "file", "env": "environment variable"}
    return None if token is None else f"{kinds[token.kind]} {token.name}"
