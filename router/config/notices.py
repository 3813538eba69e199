"""Warnings: what a routing file asks for that this version does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.names import layers_of
from router.config.tree import ListNode, MappingNode, Node, child, items, key_node, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.config.report import Report

_NOT_SERVED = {
    "events": "events are not served by this version: no layer is confirmed",
    "dependsOn": "`dependsOn` does not order calls yet",
}


def add_notices(root: Node, report: Report) -> None:
    """Warn of what the file asks for in vain, once for each kind of thing."""
    for cluster in items(root, "clusters"):
        _notice_tls(cluster, report)
    layers = tuple(layers_of(root))
    _notice_first("events", items(root, "clusters"), report)
    _notice_first("dependsOn", layers, report)


def _notice_tls(cluster: Node, report: Report) -> None:
    url = text(cluster, "url")
    if url is not None and url.startswith("http://") and child(cluster, "tls") is not None:
        report.warn(key_node(cluster, "tls"), "the cluster's url is not https: `tls` is not used")


def _notice_first(key: str, entries: Iterable[Node], report: Report) -> None:
    for entry in entries:
        if isinstance(entry, MappingNode) and key in entry.entries and not _is_empty(entry, key):
            report.warn(key_node(entry, key), _NOT_SERVED[key])
            return


def _is_empty(entry: Node, key: str) -> bool:
    """Whether *key* is an empty list, which asks for nothing."""
    found = child(entry, key)
    return isinstance(found, ListNode) and not found.items
