"""YAML text to a tree of nodes, with every limit that keeps a hostile file harmless.

The parser's events are put together here, without recursion: neither a hundred thousand brackets
nor aliases of aliases cost more than the limits below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml
from yaml.resolver import Resolver

from router.config.tree import Entry, ListNode, MappingNode, Node, ScalarKind, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.report import Place, Report

MAX_FILE_BYTES = 4 * 1024 * 1024
"""About a hundred times a large platform's routing file."""

MAX_DEPTH = 40
"""Collections inside each other; the form needs eight."""

MAX_ALIAS_NODES = 200_000
"""Values that all aliases of a file may add together, so that no alias bomb goes off."""

_TAG = "tag:yaml.org,2002:"
_KINDS: Final[dict[str, ScalarKind]] = {
    f"{_TAG}bool": "boolean",
    f"{_TAG}null": "null",
    f"{_TAG}int": "number",
    f"{_TAG}float": "number",
    f"{_TAG}timestamp": "date",
}
_PLAIN_TAGS: Final = frozenset({None, "!", f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"})
_READS_AS: Final = {
    "boolean": "a boolean",
    "number": "a number",
    "date": "a date",
    "null": "nothing",
}

# The characters YAML allows (https://yaml.org/spec/1.1/#c-printable), turned round.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file; both numbers start at 1."""

    line: int
    column: int


START = Mark(1, 1)


class _Stop(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(slots=True)
class _Collection:
    """A list or mapping whose end has not come yet."""

    mark: Mark
    is_mapping: bool
    anchor: str | None
    children: list[Node] = field(default_factory=list)
    node_count: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    node_count: int
    height: int


def compose(text: str, report: Report) -> Node | None:
    """The tree of *text*; None when there is none, and *report* says why."""
    trees = _compose(text, report, is_one=True)
    return trees[0] if trees else None


def compose_all(text: str, report: Report) -> tuple[Node, ...] | None:
    """The trees of all documents of *text*, however many; None when it cannot be read.

    *report* says why, and also what is left out of the trees, such as merge keys.
    """
    return _compose(text, report, is_one=False)


def _compose(text: str, report: Report, *, is_one: bool) -> tuple[Node, ...] | None:
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        code = f"U+{ord(forbidden[0]):04X}"
        report.error(_mark_at(text, forbidden.start()), f"the character {code} is not allowed here")
        return None
    if len(text.encode()) > MAX_FILE_BYTES:
        report.error(START, f"the file is larger than {MAX_FILE_BYTES // 1024**2} MiB")
        return None
    try:
        return _Composer(report, is_one=is_one).compose(text.removeprefix("\ufeff"))
    except _Stop as stop:
        report.error(stop.place, str(stop))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it cannot be read"
        if mark is not None and text.removeprefix("\ufeff").startswith("\t", mark.index):
            reason = "a tab stands here, and only spaces indent"
        report.error(_mark_of(mark), f"this is not YAML: {reason}")
    return None


class _Composer:
    """Puts the events of documents together."""

    def __init__(self, report: Report, *, is_one: bool) -> None:
        self._report = report
        self._is_one = is_one
        self._resolve: Callable[..., str] = Resolver().resolve
        self._open: list[_Collection] = []
        self._anchors: dict[str, _Anchored] = {}
        self._alias_node_count = 0
        self._roots: list[Node] = []
        self._document_count = 0

    def compose(self, text: str) -> tuple[Node, ...]:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            self._take(event)
        if self._is_one and not self._roots:
            raise _Stop(START, "the file is empty")
        return tuple(self._roots)

    def _take(self, event: yaml.Event) -> None:
        mark = _mark_of(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self._document_count += 1
            self._anchors = {}
            if self._is_one and self._document_count > 1:
                raise _Stop(mark, "a second document starts here; the file must hold one")
        elif isinstance(event, yaml.AliasEvent):
            self._add_alias(event.anchor or "", mark)
        elif isinstance(event, yaml.ScalarEvent):
            self._check_tag(event.tag, mark)
            self._add(self._scalar(event, mark), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event.tag, mark)
            self._begin(event, mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def _check_tag(self, tag: str | None, mark: Mark) -> None:
        if tag not in _PLAIN_TAGS:
            self._report.error(mark, "YAML tags such as `!name` are not supported")

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> ScalarNode:
        kind: ScalarKind = "string"
        if event.tag is None and event.implicit[0]:
            tag = self._resolve(yaml.ScalarNode, event.value, (True, False))
            kind = _KINDS.get(tag, "string")
        return ScalarNode(line=mark.line, column=mark.column, kind=kind, text=event.value)

    def _begin(self, event: yaml.CollectionStartEvent, mark: Mark) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _Stop(mark, f"more than {MAX_DEPTH} lists and mappings inside each other")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Collection(mark, is_mapping, event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        node: Node
        if done.is_mapping:
            node = MappingNode(
                line=done.mark.line, column=done.mark.column, entries=self._entries(done.children)
            )
        else:
            node = ListNode(
                line=done.mark.line, column=done.mark.column, items=tuple(done.children)
            )
        self._add(node, done.anchor, node_count=done.node_count, height=done.height)

    def _add(self, node: Node, anchor: str | None, *, node_count: int = 1, height: int = 0) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, node_count, height)
        if not self._open:
            self._roots.append(node)
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.node_count += node_count
        parent.height = max(parent.height, height + 1)

    def _add_alias(self, name: str, mark: Mark) -> None:
        if any(collection.anchor == name for collection in self._open):
            raise _Stop(mark, "this alias stands inside the value it stands for")
        anchored = self._anchors.get(name)
        if anchored is None:
            raise _Stop(mark, f"this alias has no anchor; write `&{name[:40]}` at a value above it")
        self._alias_node_count += anchored.node_count
        if self._alias_node_count > MAX_ALIAS_NODES:
            raise _Stop(mark, f"aliases add more than {MAX_ALIAS_NODES} values to the file")
        if len(self._open) + anchored.height > MAX_DEPTH:
            raise _Stop(mark, f"more than {MAX_DEPTH} lists and mappings inside each other")
        self._add(anchored.node, None, node_count=anchored.node_count, height=anchored.height)

    def _entries(self, children: list[Node]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            problem = _key_problem(key, entries)
            if problem:
                self._report.error(key, problem)
            elif isinstance(key, ScalarNode):
                entries[key.text] = Entry(key=key, value=value)
        return entries


def _key_problem(key: Node, entries: dict[str, Entry]) -> str | None:
    """What is wrong with *key*; it is not repeated, as it may be a secret in a wrong place."""
    if not isinstance(key, ScalarNode):
        return "a key must be text"
    if key.kind != "string":
        return f"YAML reads this key as {_READS_AS[key.kind]}; put it in quotes"
    if key.text == "<<":
        return "merge keys (`<<`) are not supported; write the keys out"
    if key.text in entries:
        return f"this key is given twice; the first is at line {entries[key.text].key.line}"
    return None


def _mark_of(mark: Place | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else START


def _mark_at(text: str, offset: int) -> Mark:
    """Line and column of *offset*, with the line breaks that editors count."""
    lines = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Mark(len(lines), len(lines[-1]) + 1)
