"""YAML text as plain values, with limits that keep a hostile file harmless.

Numbers and booleans stay text: the files that are read here name other files, and nothing else of
them matters. Values are put together from the parser's events, without recursion, and aliases share
what they stand for, so that neither deep nesting nor aliases of aliases cost anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

MAX_DOCUMENT_BYTES = 1024 * 1024
"""Some thousand times an ordinary kustomization file."""

MAX_EVENTS = 100_000
"""Values, keys and brackets of one text: about a quarter of a second to read."""

MAX_NESTING = 100
"""Collections within collections; libyaml's time grows with their square."""

MAX_MERGED_KEYS = 100_000
"""Keys that all `<<` of one text put into mappings: a few bytes can name a large mapping again."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE = "<<"
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"})


class Unreadable(Exception):
    """What files a text names cannot be told; the message says why."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    value: list[Value] | dict[str, Value]
    anchor: str | None
    key: str | None = None
    merged: list[Value] = field(default_factory=list)
    keys_before: int = 0
    """Its own keys that stand before a `<<`."""

    def add(self, value: Value) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            if not isinstance(value, str):
                raise Unreadable("a key of a mapping is no text")
            self.key = value
        elif self.key == _MERGE:
            self.merged += value if isinstance(value, list) else [value]
            self.keys_before = len(self.value)
            if len(self.merged) > MAX_MERGED_KEYS:
                raise Unreadable(f"`<<` merges more than {MAX_MERGED_KEYS} mappings")
            self.key = None
        else:
            self.value[self.key] = value
            self.key = None

    def close(self, *, is_strict: bool) -> Value:
        """The value, with what `<<` merges under its own keys."""
        if isinstance(self.value, dict):
            before = frozenset(islice(self.value, self.keys_before if is_strict else 0))
            for merged in self.merged:
                for key, value in _mapping(merged).items():
                    if key in before:
                        raise Unreadable(f"`{key[:60]}` stands before a `<<` that has it, too")
                    self.value.setdefault(key, value)
        return self.value


@dataclass(slots=True)
class _Text:
    """A text as far as it was read."""

    is_strict: bool
    documents: list[Value] = field(default_factory=list)
    opened: list[_Open] = field(default_factory=list)
    anchors: dict[str, Value] = field(default_factory=dict)
    merged_keys: int = 0

    def take(self, event: yaml.Event) -> None:
        """One event of the parser."""
        if isinstance(event, yaml.SequenceStartEvent):
            self._open([], event.anchor)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, event.anchor)
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, is_strict=self.is_strict)
            if event.anchor is not None:
                self.anchors[event.anchor] = value
            self._put(value)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise Unreadable("an alias stands for something that is not there, or around it")
            self._put(self.anchors[event.anchor])
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(self.opened.pop())

    def _open(self, value: list[Value] | dict[str, Value], anchor: str | None) -> None:
        if anchor is not None:
            self.anchors.pop(anchor, None)  # from here on it stands for this one
        self.opened.append(_Open(value, anchor))

    def _end(self, ended: _Open) -> None:
        self.merged_keys += sum(len(_mapping(merged)) + 1 for merged in ended.merged)
        if self.merged_keys > MAX_MERGED_KEYS:
            raise Unreadable(f"`<<` merges more than {MAX_MERGED_KEYS} keys")
        value = ended.close(is_strict=self.is_strict)
        if ended.anchor is not None:
            self.anchors.setdefault(ended.anchor, value)  # unless defined again within it
        self._put(value)

    def _put(self, value: Value) -> None:
        if self.opened:
            self.opened[-1].add(value)
        else:
            self.documents.append(value)


def read_documents(content: bytes, *, is_strict: bool = False) -> list[Value]:
    """Every document of a YAML text. Raises Unreadable.

    With *is_strict* also where kustomize may read its own files otherwise: for a key before a `<<`
    that has it, too (there the merged one counts, elsewhere the other). What has a tag (`!!binary`)
    may then be any text, and is an empty list, which is no text.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Unreadable(f"it is larger than {MAX_DOCUMENT_BYTES // 1024} KiB")
    text = _Text(is_strict)
    try:
        for number, event in enumerate(yaml.parse(content, Loader=yaml.CSafeLoader)):
            if number >= MAX_EVENTS:
                raise Unreadable(f"it holds more than {MAX_EVENTS} values")
            text.take(event)
            if len(text.opened) > MAX_NESTING:
                raise Unreadable(f"it is nested more than {MAX_NESTING} times")
    except (yaml.YAMLError, UnicodeError) as error:
        raise Unreadable("it is not YAML") from error
    return text.documents


def _scalar(event: yaml.ScalarEvent, *, is_strict: bool) -> Value:
    if event.implicit[0] and event.value in _NULLS:
        return None
    return [] if is_strict and event.tag not in _TEXT_TAGS else str(event.value)


def _mapping(merged: Value) -> dict[str, Value]:
    if not isinstance(merged, dict):
        raise Unreadable("`<<` merges something that is no mapping")
    return merged
