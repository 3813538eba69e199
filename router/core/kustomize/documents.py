"""YAML text as plain values, with limits that keep a hostile file harmless.

Numbers and booleans stay text: the files that are read here name other files, and nothing else of
them matters. Values are put together from the parser's events, without recursion, and aliases share
what they stand for, so that neither deep nesting nor aliases of aliases cost anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

MAX_DOCUMENT_BYTES = 1024 * 1024
"""Some thousand times an ordinary kustomization file."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE = "<<"


class Unreadable(Exception):
    """What files a text names cannot be told; the message says why."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    value: list[Value] | dict[str, Value]
    anchor: str | None
    key: str | None = None
    merged: list[Value] = field(default_factory=list)

    def add(self, value: Value) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            if not isinstance(value, str):
                raise Unreadable("a key of a mapping is no text")
            self.key = value
        elif self.key == _MERGE:
            self.merged += value if isinstance(value, list) else [value]
            self.key = None
        else:
            self.value[self.key] = value
            self.key = None

    def close(self) -> Value:
        """The value, with what `<<` merges under its own keys."""
        if isinstance(self.value, dict):
            for merged in self.merged:
                if not isinstance(merged, dict):
                    raise Unreadable("`<<` merges something that is no mapping")
                self.value = {**merged, **self.value}
        return self.value


def read_documents(content: bytes) -> list[Value]:
    """Every document of a YAML text. Raises Unreadable."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Unreadable(f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB")
    documents: list[Value] = []
    opened: list[_Open] = []
    anchors: dict[str, Value] = {}
    try:
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            _take(event, documents, opened, anchors)
    except (yaml.YAMLError, UnicodeError) as error:
        raise Unreadable("it is not YAML") from error
    return documents


def _take(
    event: yaml.Event, documents: list[Value], opened: list[_Open], anchors: dict[str, Value]
) -> None:
    if isinstance(event, yaml.SequenceStartEvent):
        opened.append(_Open([], event.anchor))
        return
    if isinstance(event, yaml.MappingStartEvent):
        opened.append(_Open({}, event.anchor))
        return
    value: Value
    if isinstance(event, yaml.ScalarEvent):
        is_null = event.implicit[0] and event.value in _NULLS
        value, anchor = (None if is_null else str(event.value)), event.anchor
    elif isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise Unreadable("an alias stands for something that is not there, or around it")
        value, anchor = anchors[event.anchor], None
    elif isinstance(event, yaml.CollectionEndEvent):
        ended = opened.pop()
        value, anchor = ended.close(), ended.anchor
    else:
        return
    if anchor is not None:
        anchors[anchor] = value
    if opened:
        opened[-1].add(value)
    else:
        documents.append(value)
