"""A YAML document as values that know the place they were written at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

ScalarKind: TypeAlias = Literal["string", "boolean", "null", "number", "date"]

BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
"""The spellings that YAML 1.1 and 1.2 agree on; `yes`, `on` and the like are not among them."""

SHOWN_CHARACTERS = 80
"""How much of a value a message repeats, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScalarNode:
    """One value that is not a collection; *kind* is what YAML 1.1 reads it as."""

    line: int
    column: int
    kind: ScalarKind
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListNode:
    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One key of a mapping with its value."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MappingNode:
    line: int
    column: int
    entries: dict[str, Entry]


Node: TypeAlias = ScalarNode | ListNode | MappingNode


class NotText:
    """Stands for a value that YAML reads as a number, a date or an odd boolean."""


NOT_TEXT: Final = NotText()


def plain(node: Node) -> object:
    """The tree as strings, booleans, None, tuples and dicts, for validation."""
    if isinstance(node, MappingNode):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return tuple(plain(item) for item in node.items)
    if node.kind == "string":
        return node.text
    if node.kind == "boolean":
        return BOOLEANS.get(node.text, NOT_TEXT)
    return None if node.kind == "null" else NOT_TEXT


def child(node: Node | None, *keys: str) -> Node | None:
    """The value below *keys*, or None where the tree has another shape."""
    for key in keys:
        if not isinstance(node, MappingNode) or key not in node.entries:
            return None
        node = node.entries[key].value
    return node


def items(node: Node | None, *keys: str) -> tuple[Node, ...]:
    """The items of the list below *keys*; none where there is no list."""
    found = child(node, *keys)
    return found.items if isinstance(found, ListNode) else ()


def text(node: Node | None, *keys: str) -> str | None:
    """The string below *keys*, or None where there is no string."""
    found = child(node, *keys)
    return found.text if isinstance(found, ScalarNode) and found.kind == "string" else None


def key_node(node: Node, key: str) -> Node:
    """Where *key* is written in *node*; the mapping itself where it is not."""
    if isinstance(node, MappingNode) and key in node.entries:
        return node.entries[key].key
    return node


def shown(value: str) -> str:
    """*value* as a message repeats it: on one line, in backquotes, not endless."""
    cut = value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…"
    clean = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
    return f"`{clean}`"
