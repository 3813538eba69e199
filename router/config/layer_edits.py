"""What has to be changed in the text of one layer, so that it is what was derived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from router.config.layer_text import flow_list, layer_keys, literal_pattern, scalar
from router.config.nodes import (
    TEXT,
    Plain,
    child,
    end_of,
    is_flow,
    plain_texts,
    scalar_text,
    sequence,
)
from router.core.coverage import find_uncovered
from router.core.kustomize.names import folder_of
from router.core.match import LayerIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.config.spans import Edits
    from router.core.declared.derive import DerivedLayer


@dataclass(slots=True)
class LayerEdits:
    """Brings one layer in step with its Kustomization."""

    edits: Edits
    node: yaml.Node
    layer: DerivedLayer
    derived: Collection[str]
    """The names of all layers that were derived."""
    wanted: dict[str, Plain] = field(default_factory=dict)
    """What the layer's keys hold after the changes, where they change."""
    added: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> None:
        """Note every change in the edits."""
        self._build()
        self._sync("components", self.layer.components)
        self._paths()
        self._sync("dependsOn", self._dependencies())
        self._insert()

    def _build(self) -> None:
        node = child(self.node, "build")
        if node is None:
            self.added.append(("build", dict(layer_keys(self.layer))["build"]))
            self.wanted["build"] = (TEXT, self.layer.build)
            return
        folders = [node] if isinstance(node, yaml.ScalarNode) else sequence(node)
        if folder_of(self.layer.build) in {folder_of(scalar_text(each)) for each in folders}:
            return
        if not isinstance(node, yaml.ScalarNode):
            self._change("build", remove=(), add=[self.layer.build])
        elif self._check_own("build", node):
            end = end_of(node, self.edits.text)
            self.edits.replace(node.start_mark.index, end, scalar(self.layer.build))
            self.wanted["build"] = (TEXT, self.layer.build)

    def _dependencies(self) -> tuple[str, ...]:
        """Flux's, and those that the file adds on layers that Flux knows nothing of."""
        texts = map(scalar_text, sequence(child(self.node, "dependsOn")))
        own = [text for text in texts if text not in self.derived]
        return (*self.layer.depends_on, *own)

    def _paths(self) -> None:
        patterns = [scalar_text(each) for each in sequence(child(self.node, "paths"))]
        missing = [path for path in self.layer.paths if not _covers(patterns, path)]
        self._change("paths", remove=(), add=[literal_pattern(path) for path in missing])

    def _sync(self, key: str, wanted: Sequence[str]) -> None:
        there = [scalar_text(each) for each in sequence(child(self.node, key))]
        remove = [text for text in there if text not in wanted]
        self._change(key, remove=remove, add=[text for text in wanted if text not in there])

    def _change(self, key: str, *, remove: Collection[str], add: Sequence[str]) -> None:
        node = child(self.node, key)
        if not remove and not add:
            return
        if node is None:
            self.added.append((key, flow_list(add)))
            self.wanted[key] = plain_texts([*add])
        elif isinstance(node, yaml.SequenceNode) and self._check_own(key, node):
            kept = [each for each in node.value if scalar_text(each) not in remove]
            self.wanted[key] = plain_texts([*map(scalar_text, kept), *add])
            if not is_flow(node):
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

    def _check_own(self, key: str, node: yaml.Node) -> bool:
        """Whether the text of a value is this layer's alone. That of an alias is not, nor of a list
        with one among its items: it stands elsewhere, and may mean other layers, too."""
        inside = self.node.start_mark.index <= node.start_mark.index < self.node.end_mark.index
        is_shared = self.edits.text.startswith("&", node.start_mark.index)
        start, end = node.start_mark.index, node.end_mark.index
        items = all(start <= each.start_mark.index < end for each in sequence(node))
        if inside and not is_shared and items:
            return True
        self.edits.by_hand.append(
            f"`{key}` of layer `{self.layer.name}` is shared with others by an alias: change it"
            " by hand"
        )
        return False

    def _insert(self) -> None:
        """Put keys that the layer lacks below its name."""
        name = child(self.node, "name")
        if not self.added or name is None:
            return
        end = end_of(name, self.edits.text)
        if is_flow(self.node):
            self.edits.replace(end, end, "".join(f", {key}: {text}" for key, text in self.added))
            return
        end = self.edits.line_end(end)
        indent = " " * self.node.start_mark.column
        lines = [f"\n{indent}{key}: {text}" for key, text in self.added]
        self.edits.replace(end, end, "".join(lines))


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
            edits.replace(start, edits.next_line(end_of(each, edits.text)), "")
    if not kept:
        edits.replace(colon, colon, f" {flow_list(add)}")
        return
    end = edits.line_end(end_of(kept[-1], edits.text))
    indent = " " * node.start_mark.column
    edits.replace(end, end, "".join(f"\n{indent}- {scalar(text)}" for text in add))


def _change_flow(
    edits: Edits, node: yaml.SequenceNode, kept: Sequence[yaml.Node], add: Sequence[str]
) -> None:
    """Each item that goes takes the comma on its left with it; those that lead, the one on their
    right. Comments stay."""
    first = node.value.index(kept[0])
    for number, each in enumerate(node.value):
        if each not in kept and number < first:
            start, end = each.start_mark.index, node.value[number + 1].start_mark.index
            _remove(edits, start, end, each)
        elif each not in kept:
            start, end = node.value[number - 1].end_mark.index, each.end_mark.index
            _remove(edits, start, end, each)
    end = kept[-1].end_mark.index
    edits.replace(end, end, "".join(f", {scalar(text)}" for text in add))


def _remove(edits: Edits, start: int, end: int, item: yaml.Node) -> None:
    """Take the span with an item and a comma away; of one with comments, only these two."""
    own = item.start_mark.index, item.end_mark.index
    if "#" not in edits.text[start : own[0]] + edits.text[own[1] : end]:
        edits.replace(start, end, "")
        return
    comma = _comma(edits.text, start if start < own[0] else own[1])
    edits.replace(*own, "")
    edits.replace(comma, comma + 1, "")


def _comma(text: str, index: int) -> int:
    """The first comma from *index* on that stands in no comment."""
    while text[index] != ",":
        index = text.index("\n", index) if text[index] == "#" else index + 1
    return index


def _covers(patterns: Sequence[str], path: str) -> bool:
    """Whether they include a file, or a chart's folder, as far as two of its files tell. What they
    exclude again somebody decided to exclude."""
    if not patterns:
        return False
    inside = ("Chart.yaml", "templates/all.yaml") if path.endswith("/") else ("",)
    files = [f"{path}{name}" for name in inside]
    return not find_uncovered(LayerIndex([("layer", patterns)]), {"layer": files})
