"""The parser's nodes of a YAML text: what they hold, and where their own text ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Plain: TypeAlias = "tuple[str, str] | list[Plain] | dict[str, Plain]"
"""A scalar's tag and text, and collections of such."""

TEXT = "tag:yaml.org,2002:str"


def read_root(text: str) -> yaml.Node | None:
    """The root of the only document. Raises yaml.YAMLError."""
    return yaml.compose(text, Loader=yaml.CSafeLoader)


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value under *key*; None where there is no such."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def sequence(node: yaml.Node | None) -> list[yaml.Node]:
    """The items of a list; none where there is no list."""
    return node.value if isinstance(node, yaml.SequenceNode) else []


def scalar_text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def is_flow(node: yaml.Node) -> bool:
    """Whether a collection is written in brackets or braces."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def end_of(node: yaml.Node, text: str) -> int:
    """Where a node's own part of *text* ends; the parser counts what follows a block to it."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return len(text[: node.end_mark.index].rstrip())
    if isinstance(node, yaml.ScalarNode) or is_flow(node):
        return int(node.end_mark.index)
    inner = (each for each in _inner(node) if each.start_mark.index >= node.start_mark.index)
    return max((end_of(each, text) for each in inner), default=int(node.start_mark.index))


def plain(node: yaml.Node | None) -> Plain:
    """What a node holds, without places, comments and order of keys."""
    if isinstance(node, yaml.MappingNode):
        return {str(name.value): plain(value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(each) for each in node.value]
    return (node.tag, str(node.value)) if node is not None else ("", "")


def plain_texts(texts: list[str]) -> Plain:
    """The same of texts that are put into a list."""
    return [(TEXT, text) for text in texts]


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    for each in node.value:
        yield from each if isinstance(each, tuple) else (each,)
