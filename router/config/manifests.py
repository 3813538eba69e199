"""Reads Flux objects from manifests: a YAML file, or every YAML file below a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.config.compose import MAX_FILE_BYTES, START, Mark, compose_all
from router.config.report import Report
from router.config.secret_files import read_limited
from router.config.tree import BOOLEANS, MappingNode, Node, ScalarNode, child, items, text
from router.core.flux_found import (
    ANY_NAME,
    FoundAt,
    FoundGenerator,
    FoundKustomization,
    FoundObjects,
    FoundReceiver,
    FoundSecret,
)
from router.core.flux_objects import Resource
from router.core.model import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(slots=True)
class _Read:
    """What was found so far."""

    namespace: str
    receivers: list[FoundReceiver] = field(default_factory=list)
    kustomizations: list[FoundKustomization] = field(default_factory=list)
    secrets: list[FoundSecret] = field(default_factory=list)
    generators: list[FoundGenerator] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_manifests(path: Path, *, namespace: str) -> tuple[FoundObjects, tuple[Problem, ...]]:
    """The Flux objects of *path*, and warnings of files that could not be read as YAML.

    Nothing is built: patches and generators of a kustomization.yaml have no effect. Lists (kind
    `List`, as kubectl prints them) are objects one by one. An object that names no namespace is
    taken to be in *namespace*.
    """
    read = _Read(namespace=namespace)
    for file in _files(path):
        _read_file(file, read)
    found = FoundObjects(
        receivers=tuple(read.receivers),
        kustomizations=tuple(read.kustomizations),
        secrets=tuple(read.secrets),
        generators=tuple(read.generators),
    )
    return found, tuple(read.problems)


def _files(path: Path) -> Iterator[Path]:
    """In the order of their names; hidden folders such as .git hold no manifests."""
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.iterdir()):
        if each.is_dir():
            if not each.name.startswith(".") and not each.is_symlink():
                yield from _files(each)
        elif each.suffix in SUFFIXES:
            yield each


def _read_file(file: Path, read: _Read) -> None:
    report = Report(str(file))
    try:
        content = read_limited(file, MAX_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        read.problems.append(_problem(file, START, f"not read: {error.strerror}"))
        return
    except ValueError:
        told = f"not read: it is not UTF-8, or larger than {MAX_FILE_BYTES // 1024**2} MiB"
        read.problems.append(_problem(file, START, told))
        return
    trees = compose_all(content, report)
    if trees is None:
        first = report.problems[0]
        mark = Mark(first.line, first.column)
        read.problems.append(_problem(file, mark, f"not read: {first.message}"))
    for tree in trees or ():
        for node in _objects(tree):
            _take(str(file), node, read)


def _objects(tree: Node) -> Iterator[Node]:
    if text(tree, "kind") == "List":
        yield from items(tree, "items")
    else:
        yield tree


def _take(file: str, node: Node, read: _Read) -> None:
    group = (text(node, "apiVersion") or "").partition("/")[0]
    take = _READERS.get((group, text(node, "kind") or ""))
    name = child(node, "metadata", "name")
    if take is not None and isinstance(name, ScalarNode):
        take(FoundAt(file=file, line=name.line, column=name.column), name.text, node, read)


def _take_receiver(at: FoundAt, name: str, node: Node, read: _Read) -> None:
    namespace = text(node, "metadata", "namespace")
    suspend = child(node, "spec", "suspend")
    listed = [
        (_resource(each, namespace or read.namespace), child(each, "matchLabels"))
        for each in items(node, "spec", "resources")
    ]
    found = FoundReceiver(
        at=at,
        namespace=namespace,
        name=name,
        type=text(node, "spec", "type") or "",
        secret=text(node, "spec", "secretRef", "name"),
        resources=tuple(resource for resource, _ in listed),
        events=tuple(
            each.text for each in items(node, "spec", "events") if isinstance(each, ScalarNode)
        ),
        is_suspended=isinstance(suspend, ScalarNode) and BOOLEANS.get(suspend.text, False),
        unlabelled=tuple(
            resource
            for resource, labels in listed
            if resource.name == ANY_NAME and not isinstance(labels, MappingNode)
        ),
    )
    read.receivers.append(found)


def _take_kustomization(at: FoundAt, name: str, node: Node, read: _Read) -> None:
    namespace = text(node, "metadata", "namespace") or read.namespace
    reference = child(node, "spec", "sourceRef")
    depends_on = tuple(
        (text(each, "namespace") or namespace, text(each, "name") or "")
        for each in items(node, "spec", "dependsOn")
    )
    found = FoundKustomization(
        at=at,
        namespace=namespace,
        name=name,
        source=_resource(reference, namespace),
        depends_on=depends_on,
    )
    read.kustomizations.append(found)


def _take_secret(at: FoundAt, name: str, node: Node, read: _Read) -> None:
    keys: set[str] = set()
    for part in ("data", "stringData"):
        values = child(node, part)
        if isinstance(values, MappingNode):
            keys |= values.entries.keys()
    namespace = text(node, "metadata", "namespace") or read.namespace
    read.secrets.append(FoundSecret(at=at, namespace=namespace, name=name, keys=frozenset(keys)))


def _take_generator(_at: FoundAt, _name: str, node: Node, read: _Read) -> None:
    namespace = text(node, "metadata", "namespace") or read.namespace
    artifacts = (text(each, "name") for each in items(node, "spec", "artifacts"))
    found = FoundGenerator(
        namespace=namespace,
        artifacts=tuple(name for name in artifacts if name is not None),
        sources=tuple(_resource(each, namespace) for each in items(node, "spec", "sources")),
    )
    read.generators.append(found)


_READERS: Mapping[tuple[str, str], Callable[[FoundAt, str, Node, _Read], None]] = {
    ("notification.toolkit.fluxcd.io", "Receiver"): _take_receiver,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _take_kustomization,
    ("source.extensions.fluxcd.io", "ArtifactGenerator"): _take_generator,
    ("v1", "Secret"): _take_secret,
}


def _resource(node: Node | None, namespace: str) -> Resource:
    return Resource(
        kind=text(node, "kind") or "",
        namespace=text(node, "namespace") or namespace,
        name=text(node, "name") or "",
    )


def _problem(file: Path, place: Mark, message: str) -> Problem:
    return Problem(
        file=str(file), line=place.line, column=place.column, message=message, is_warning=True
    )
