"""Changes to the text of a routing file that leave every other byte of it alone.

Layers are changed where the parser says that they stand, rather than by writing the whole file
anew: what nobody asked to change, comments and order among it, cannot change then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from router.config.layer_text import (
    block_layer,
    flow_layer,
    flow_list,
    layer_keys,
    literal_pattern,
    scalar,
)
from router.config.spans import Edits
from router.core.changes import ExactPaths
from router.core.kustomize.names import folder_of
from router.core.match import LayerIndex, match_layers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from router.core.declared.derive import DerivedLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A routing file's new text, and what was left as it is."""

    text: str
    notes: tuple[str, ...]
    is_in_step: bool
    """Nothing is left that somebody has to change by hand."""


def edit_layers(text: str, repository: str, derived: Sequence[DerivedLayer]) -> Edited:
    """*text* with *derived* among the layers of that entry; only what differs is changed.

    *text* is that of a routing file that loads, or would with layers in each entry. Layers that are
    not derived stay, and are noted.
    """
    edits = Edits(text)
    entry, elsewhere = _find_entry(text, repository)
    block = _child(entry, "layers")
    by_name = {_text(_child(each, "name")): each for each in _sequence(block)}
    names = frozenset(each.name for each in derived)
    new = []
    for layer in derived:
        if layer.name in by_name:
            _LayerEdits(edits, by_name[layer.name], layer, names).run()
        elif layer.name in elsewhere:
            edits.notes.append(f"`{layer.name}` is a layer of another entry in this file")
        else:
            new.append(layer)
    if new and block is not None and _sequence(block):
        _append(edits, block, new)
    elif new:
        _begin(edits, entry, (block_layer(each, "") for each in new))
    edits.notes += [
        f"no Kustomization of this repository is named as the layer `{name}`, which stays"
        for name in by_name
        if name not in names
    ]
    return Edited(
        text=edits.result(), notes=(*edits.by_hand, *edits.notes), is_in_step=not edits.by_hand
    )


def start_layers(text: str) -> str:
    """*text* with a layer in each entry of repositories that has none, so that it may load."""
    edits = Edits(text)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return text
    for number, entry in enumerate(_sequence(_child(root, "repositories"))):
        if not _sequence(_child(entry, "layers")):
            _begin(edits, entry, [f"- {{name: started-{number}, paths: [.]}}"])
    return edits.result()


def _find_entry(text: str, repository: str) -> tuple[yaml.Node | None, Collection[str]]:
    """An entry, and the names of the layers of all others."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    found, names = None, set()
    entries = [*_sequence(_child(root, "repositories")), *_sequence(_child(root, "artifacts"))]
    for entry in entries:
        if _text(_child(entry, "name")) == repository:
            found = entry
        else:
            layers = _sequence(_child(entry, "layers"))
            names |= {_text(_child(each, "name")) for each in layers}
    return found, names


@dataclass(slots=True)
class _LayerEdits:
    """Brings one layer in step with its Kustomization."""

    edits: Edits
    node: yaml.Node
    layer: DerivedLayer
    derived: Collection[str]
    added: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> None:
        keys = dict(layer_keys(self.layer))
        self._build(keys)
        self._sync("components", self.layer.components)
        self._paths()
        self._sync("dependsOn", self._dependencies())
        self._insert()

    def _build(self, keys: dict[str, str]) -> None:
        node = _child(self.node, "build")
        if node is None:
            self.added.append(("build", keys["build"]))
            return
        folders = [node] if isinstance(node, yaml.ScalarNode) else _sequence(node)
        if folder_of(self.layer.build) in {folder_of(_text(each)) for each in folders}:
            return
        if isinstance(node, yaml.ScalarNode) and self._is_own("build", node):
            start, end = node.start_mark.index, node.end_mark.index
            self.edits.replace(start, end, scalar(self.layer.build))
        else:
            self._change("build", remove=(), add=[self.layer.build])

    def _dependencies(self) -> tuple[str, ...]:
        """Flux's, and those that the file adds on layers that Flux knows nothing of."""
        texts = map(_text, _sequence(_child(self.node, "dependsOn")))
        own = [text for text in texts if text not in self.derived]
        return (*self.layer.depends_on, *own)

    def _paths(self) -> None:
        patterns = [_text(each) for each in _sequence(_child(self.node, "paths"))]
        missing = [path for path in self.layer.paths if not _matches(patterns, path)]
        self._change("paths", remove=(), add=[literal_pattern(path) for path in missing])

    def _sync(self, key: str, wanted: Sequence[str]) -> None:
        there = [_text(each) for each in _sequence(_child(self.node, key))]
        remove = [text for text in there if text not in wanted]
        self._change(key, remove=remove, add=[text for text in wanted if text not in there])

    def _change(self, key: str, *, remove: Collection[str], add: Sequence[str]) -> None:
        node = _child(self.node, key)
        if not remove and not add:
            return
        if node is None:
            self.added.append((key, flow_list(add)))
        elif isinstance(node, yaml.SequenceNode) and self._is_own(key, node):
            kept = [each for each in node.value if _text(each) not in remove]
            if not _is_flow(node):
                _change_block(self.edits, node, kept, add, colon=self._colon(key))
            elif kept:
                _change_flow(self.edits, node, kept, add)
            else:
                start, end = node.start_mark.index, node.end_mark.index
                self.edits.replace(start, end, flow_list(add))

    def _colon(self, key: str) -> int:
        """The place behind the colon of a key."""
        (mark,) = (name.end_mark for name, _ in self.node.value if name.value == key)
        return self.edits.text.index(":", mark.index) + 1

    def _is_own(self, key: str, node: yaml.Node) -> bool:
        """Not so for an alias, whose text stands elsewhere and means other layers, too."""
        inside = self.node.start_mark.index <= node.start_mark.index < self.node.end_mark.index
        if inside and not self.edits.text.startswith("&", node.start_mark.index):
            return True
        self.edits.by_hand.append(
            f"`{key}` of layer `{self.layer.name}` is shared with others by an alias: change it"
            " by hand"
        )
        return False

    def _insert(self) -> None:
        """Put keys that the layer lacks below its name."""
        name = _child(self.node, "name")
        if not self.added or name is None:
            return
        if _is_flow(self.node):
            end = name.end_mark.index
            self.edits.replace(end, end, "".join(f", {key}: {text}" for key, text in self.added))
            return
        end = self.edits.line_end(name.end_mark.index)
        indent = " " * self.node.start_mark.column
        lines = [f"\n{indent}{key}: {text}" for key, text in self.added]
        self.edits.replace(end, end, "".join(lines))


def _begin(edits: Edits, entry: yaml.Node | None, new: Iterable[str]) -> None:
    """Give an entry its first layers, items of a block list; one in braces stays as it is."""
    if not isinstance(entry, yaml.MappingNode) or _is_flow(entry):
        return
    indent = " " * entry.start_mark.column
    text = "".join(f"{indent}  {line}\n" for each in new for line in each.splitlines())
    keys = {name.value: name for name, _ in entry.value}
    if "layers" in keys:
        colon = edits.text.index(":", keys["layers"].end_mark.index) + 1
        node = _child(entry, "layers")
        if isinstance(node, yaml.SequenceNode):
            edits.replace(colon, node.end_mark.index, "")
        end = edits.line_end(colon)
    else:
        end = edits.line_end(_end(entry.value[-1][1]))
        text = f"{indent}layers:\n{text}"
    edits.replace(end, end, "\n" + text.removesuffix("\n"))


def _append(edits: Edits, block: yaml.Node, new: Sequence[DerivedLayer]) -> None:
    last = max(map(_end, _sequence(block)))
    if _is_flow(block):
        edits.replace(last, last, "".join(f", {flow_layer(layer)}" for layer in new))
        return
    end = edits.line_end(last)
    indent = " " * block.start_mark.column
    text = "".join(block_layer(layer, indent) for layer in new)
    edits.replace(end, end, "\n" + text.removesuffix("\n"))


def _change_block(
    edits: Edits,
    node: yaml.SequenceNode,
    kept: Sequence[yaml.Node],
    add: Sequence[str],
    *,
    colon: int,
) -> None:
    """Items go and come with their lines; where none is kept, the list moves up to its key."""
    for each in node.value:
        if each not in kept:
            start = edits.line_start(each.start_mark.index)
            edits.replace(start, edits.next_line(each.end_mark.index), "")
    if not kept:
        edits.replace(colon, colon, f" {flow_list(add)}")
        return
    end = edits.line_end(kept[-1].end_mark.index)
    indent = " " * node.start_mark.column
    edits.replace(end, end, "".join(f"\n{indent}- {scalar(text)}" for text in add))


def _change_flow(
    edits: Edits, node: yaml.SequenceNode, kept: Sequence[yaml.Node], add: Sequence[str]
) -> None:
    """Each item that goes takes the comma on its left with it; those that lead, the one on their
    right."""
    first = node.value.index(kept[0])
    for number, each in enumerate(node.value):
        if number < first:
            after = node.value[number + 1].start_mark.index
            edits.replace(each.start_mark.index, after, "")
        elif each not in kept:
            edits.replace(node.value[number - 1].end_mark.index, each.end_mark.index, "")
    end = kept[-1].end_mark.index
    edits.replace(end, end, "".join(f", {scalar(text)}" for text in add))


def _matches(patterns: Sequence[str], path: str) -> bool:
    """Whether they cover a file; or a chart's folder, as far as one file deep in it tells."""
    if not patterns:
        return False
    file = f"{path}templates/tests/-" if path.endswith("/") else path
    matched = match_layers(LayerIndex([("layer", patterns)]), ExactPaths((file,)))
    return any(match.is_affected for match in matched.matches)


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends; the parser counts what follows a block list to it."""
    if isinstance(node, yaml.ScalarNode) or _is_flow(node):
        return int(node.end_mark.index)
    ends = [_end(each) for each in _inner(node) if each.start_mark.index >= node.start_mark.index]
    return max(ends, default=int(node.start_mark.index))


def _is_flow(node: yaml.Node) -> bool:
    """Whether a collection is written in brackets or braces."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    for each in node.value:
        yield from each if isinstance(each, tuple) else (each,)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _sequence(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
