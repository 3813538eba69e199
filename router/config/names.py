"""Rules about names: unique, known, and without circles in `dependsOn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.form import RECEIVER_KEYS
from router.config.outline import is_by_cluster
from router.config.tree import MappingNode, Node, child, items, shown, text
from router.core.ecr_hosts import ecr_registry
from router.core.naming import ARTIFACT_SCHEME, normalize_artifact
from router.core.providers.table import PROVIDERS, REGISTRIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from router.config.report import Report

SHOWN_CIRCLE_NAMES = 8
"""How many names of a circle a message tells."""


def layers_of(root: Node) -> Iterator[Node]:
    """Every layer of the file, also those that are published as artifacts."""
    for section in ("repositories", "artifacts"):
        for entry in items(root, section):
            yield from items(entry, "layers")


def check_names(root: Node, report: Report) -> None:
    """Report names that are used twice, that nothing has, or that depend on themselves."""
    layers = tuple(layers_of(root))
    _check_unique("hook", items(root, "hooks"), report)
    _check_unique("cluster", items(root, "clusters"), report)
    _check_unique("repository", items(root, "repositories"), report)
    _check_unique("layer", layers, report)
    _check_hooks(root, report)
    _check_clusters(root, layers, report)
    _check_dependencies(layers, report)


def _check_unique(what: str, entries: Iterable[Node], report: Report) -> None:
    first: dict[str, Node] = {}
    for entry in entries:
        name = text(entry, "name")
        place = child(entry, "name")
        if name is None or place is None:
            continue
        if name in first:
            line = first[name].line
            report.error(
                place, f"{what} {shown(name)} is defined twice; the first is at line {line}"
            )
        first.setdefault(name, place)


def _names(entries: Collection[Node]) -> Collection[str] | None:
    """The names of *entries*; None when not all can be read, so that nothing may be missed."""
    names = [name for entry in entries if (name := text(entry, "name")) is not None]
    return names if names and len(names) == len(entries) else None


def _check_hooks(root: Node, report: Report) -> None:
    hooks = items(root, "hooks")
    known = _names(hooks)
    providers = {text(hook, "name"): text(hook, "provider") for hook in hooks}
    for section in ("repositories", "artifacts"):
        for entry in items(root, section):
            node = child(entry, "hook")
            _check_known("hook", node, known, report)
            provider = providers.get(text(node)) if node is not None else None
            if node is not None and provider is not None:
                _check_kind(section, provider, node, report)
            if provider == "ecr":
                _check_ecr_hosts(items(entry, "layers"), report)


def _check_kind(section: str, provider: str, node: Node, report: Report) -> None:
    """Repositories come through hooks of Git hosts, artifacts through those of registries."""
    if section == "repositories" and provider in REGISTRIES:
        report.error(node, f"this hook is of a registry ({provider}), which tells of no Git push")
    if section == "artifacts" and provider in PROVIDERS:
        report.error(node, f"this hook is of a Git host ({provider}), which tells of no artifact")


def _check_ecr_hosts(layers: Iterable[Node], report: Report) -> None:
    """An event of ECR tells account and region: other hosts than theirs are in none."""
    for layer in layers:
        node = child(layer, "artifact")
        name = text(node)
        if node is None or name is None or not name.startswith(ARTIFACT_SCHEME):
            continue
        if ecr_registry(normalize_artifact(name).partition("/")[0]) is None:
            report.error(
                node,
                "no event of ECR tells this host: it has to be that of a private registry,"
                " <account>.dkr.ecr.<region>.amazonaws.com",
            )


def _check_clusters(root: Node, layers: Iterable[Node], report: Report) -> None:
    known = _names(items(root, "clusters"))
    for layer in layers:
        named = items(layer, "clusters")
        _check_list("cluster", named, known, report)
        _check_receiver_clusters(layer, {text(node) for node in named}, known, report)


def _check_receiver_clusters(
    layer: Node, named: Collection[str | None], known: Collection[str] | None, report: Report
) -> None:
    """A layer's `receiver` by cluster may name only clusters that the layer is on."""
    receiver = child(layer, "receiver")
    if receiver is None or not isinstance(receiver, MappingNode) or not is_by_cluster(receiver):
        return
    for name, entry in receiver.entries.items():
        if known is not None and name not in known:
            hint = report.hint(name, [*known, *RECEIVER_KEYS])
            report.error(entry.key, f"there is no cluster {shown(name)}{hint}")
        elif named and name not in named:
            report.error(entry.key, f"the layer is not on cluster {shown(name)}")


def _check_list(
    what: str, nodes: Iterable[Node], known: Collection[str] | None, report: Report
) -> None:
    seen: set[str] = set()
    for node in nodes:
        name = text(node)
        if name is not None and name in seen:
            report.error(node, f"{what} {shown(name)} is named twice")
        elif name is not None:
            seen.add(name)
            _check_known(what, node, known, report)


def _check_known(
    what: str, node: Node | None, known: Collection[str] | None, report: Report
) -> None:
    name = text(node)
    if node is not None and name is not None and known is not None and name not in known:
        report.error(node, f"there is no {what} {shown(name)}{report.hint(name, known)}")


def _check_dependencies(layers: Collection[Node], report: Report) -> None:
    names = _names(layers)
    known = None if names is None else frozenset(names)
    graph: dict[str, dict[str, Node]] = {}
    for layer in layers:
        named = items(layer, "dependsOn")
        _check_list("layer", named, known, report)
        edges = {name: node for node in named if (name := text(node)) is not None}
        name = text(layer, "name")
        if name is not None:
            graph.setdefault(name, {}).update(edges)
    for circle, place in _circles(graph):
        report.error(place, f"`dependsOn` goes round in a circle: {circle}")


def _circles(graph: Mapping[str, Mapping[str, Node]]) -> Iterator[tuple[str, Node]]:
    """Each edge that closes a circle, with the circle's names; without recursion."""
    done: set[str] = set()
    for start in graph:
        trail: dict[str, Iterator[tuple[str, Node]]] = {}
        if start not in done:
            trail[start] = iter(graph[start].items())
        while trail:
            name, edges = next(reversed(trail.items()))
            target, place = next(edges, (None, None))
            if target is None or place is None:
                done.add(name)
                del trail[name]
            elif target in trail:
                yield _told(list(trail), target), place
            elif target in graph and target not in done:
                trail[target] = iter(graph[target].items())


def _told(trail: list[str], target: str) -> str:
    circle = [*trail[trail.index(target) :], target]
    if len(circle) > SHOWN_CIRCLE_NAMES:
        cut = circle[: SHOWN_CIRCLE_NAMES - 1]
        return f"{' → '.join(cut)} → … → {target} ({len(circle) - 1} layers)"
    return " → ".join(circle)
