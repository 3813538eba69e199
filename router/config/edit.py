"""Changes to the text of a routing file that leave every other byte of it alone.

Layers are changed where the parser says that they stand, rather than by writing the whole file
anew: what nobody asked to change, comments and order among it, cannot change then. What the new
text holds is compared with what it should hold; a layer whose form defies that is left to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from router.config.layer_edits import LayerEdits
from router.config.layer_text import block_layer, flow_layer
from router.config.nodes import (
    Plain,
    child,
    end_of,
    is_flow,
    plain,
    read_root,
    scalar_text,
    sequence,
)
from router.config.spans import Edits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from router.core.declared.derive import DerivedLayer

    Wanted = Mapping[str, Mapping[str, Plain]]
    """What the keys of layers hold after a change, where they change, by the layers' names."""


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
    try:
        file = _File(text, repository)
    except yaml.YAMLError:  # an anchor that is defined twice
        note = "the file is written in a form that cannot be changed here: change it by hand"
        return Edited(text=text, notes=(note,), is_in_step=False)
    notes = [
        f"`{each.name}` is a layer of another entry in this file"
        for each in derived
        if each.name in file.elsewhere and each.name not in file.layers
    ]
    notes += [
        f"no Kustomization of this repository is named as the layer `{name}`, which stays"
        for name in file.layers
        if name not in {each.name for each in derived}
    ]
    changed, by_hand = _edit_most(file, derived, derived)
    return Edited(text=changed.text, notes=(*by_hand, *notes), is_in_step=not by_hand)


def start_layers(text: str) -> str:
    """*text* with a layer in each entry of repositories that has none, so that it may load."""
    edits = Edits(text)
    try:
        root = read_root(text)
    except yaml.YAMLError:
        return text
    for number, entry in enumerate(sequence(child(root, "repositories"))):
        if not sequence(child(entry, "layers")):
            _begin(edits, entry, [f"- {{name: started-{number}, paths: [.]}}"])
    return edits.result()


class _File:
    """A routing file's text, and where the layers of one entry are in it."""

    def __init__(self, text: str, repository: str) -> None:
        self.text = text
        self.repository = repository
        self.root = read_root(text)
        self.entry: yaml.Node | None = None
        self.elsewhere: set[str] = set()
        for entry in _entries(self.root):
            if scalar_text(child(entry, "name")) == repository:
                self.entry = entry
            else:
                self.elsewhere |= set(_by_name(entry))
        self.layers = _by_name(self.entry)


def _edit(
    file: _File, derived: Sequence[DerivedLayer], chosen: Collection[DerivedLayer]
) -> tuple[str | None, Sequence[str]]:
    """The text with the *chosen* ones of the derived layers, and what is to be changed by hand;
    None for a text that would not hold what it should."""
    edits, names = Edits(file.text), frozenset(each.name for each in derived)
    wanted: dict[str, Mapping[str, Plain]] = {}
    for layer in chosen:
        if layer.name in file.layers:
            one = LayerEdits(edits, file.layers[layer.name], layer, names)
            one.run()
            wanted[layer.name] = one.wanted
    new = [each for each in chosen if each.name not in {*file.layers, *file.elsewhere}]
    block = child(file.entry, "layers")
    if new and block is not None and sequence(block):
        _append(edits, block, new)
    elif new:
        _begin(edits, file.entry, (block_layer(each, "") for each in new))
    text = edits.result()
    is_sound = _has(text, file, wanted, [each.name for each in new])
    return text if is_sound else None, edits.by_hand


def _edit_most(
    file: _File, derived: Sequence[DerivedLayer], chosen: Sequence[DerivedLayer]
) -> tuple[_File, Sequence[str]]:
    """With as many of the *chosen* layers as can be changed: those of a half of them that cannot be
    changed together are tried by halves."""
    changed, by_hand = _edit(file, derived, chosen)
    if changed == file.text:
        return file, by_hand
    if changed is not None:
        return _File(changed, file.repository), by_hand
    if len(chosen) == 1:
        told = f"layer `{chosen[0].name}` cannot be changed in the form it has: change it by hand"
        return file, [told]
    half = len(chosen) // 2
    file, first = _edit_most(file, derived, chosen[:half])
    file, second = _edit_most(file, derived, chosen[half:])
    return file, [*first, *second]


def _has(text: str, file: _File, wanted: Wanted, new: Sequence[str]) -> bool:
    """Whether *text* holds what *file* does, but for what is *wanted* of some layers, and for *new*
    ones behind the others."""
    try:
        root = read_root(text)
    except yaml.YAMLError:
        return False
    before, after = plain(file.root), plain(root)
    layers, changed = _take_layers(before, file.repository), _take_layers(after, file.repository)
    expected = [{**each, **wanted.get(_name(each), {})} for each in layers]
    added = [_name(each) for each in changed[len(expected) :]]
    return before == after and changed[: len(expected)] == expected and added == [*new]


def _take_layers(root: Plain, entry: str) -> list[dict[str, Plain]]:
    """The layers of an entry, which has none afterwards."""
    entries = root.get("repositories", []) if isinstance(root, dict) else []
    for each in entries:
        if isinstance(each, dict) and _name(each) == entry:
            layers = each.pop("layers", [])
            found = layers if isinstance(layers, list) else []
            return [layer for layer in found if isinstance(layer, dict)]
    return []


def _name(value: Mapping[str, Plain]) -> str:
    name = value.get("name")
    return name[1] if isinstance(name, tuple) else ""


def _entries(root: yaml.Node | None) -> list[yaml.Node]:
    return [*sequence(child(root, "repositories")), *sequence(child(root, "artifacts"))]


def _by_name(entry: yaml.Node | None) -> dict[str, yaml.Node]:
    return {scalar_text(child(each, "name")): each for each in sequence(child(entry, "layers"))}


def _begin(edits: Edits, entry: yaml.Node | None, new: Iterable[str]) -> None:
    """Give an entry its first layers, items of a block list; one in braces stays as it is."""
    if not isinstance(entry, yaml.MappingNode) or is_flow(entry):
        return
    indent = " " * entry.start_mark.column
    text = "".join(f"{indent}  {line}\n" for each in new for line in each.splitlines())
    keys = {name.value: name for name, _ in entry.value}
    if "layers" in keys:
        colon = edits.text.index(":", keys["layers"].end_mark.index) + 1
        node = child(entry, "layers")
        if node is not None and node.end_mark.index > colon:
            edits.replace(colon, node.end_mark.index, "")
        end = edits.line_end(max(colon, node.end_mark.index if node is not None else 0))
    else:
        end = edits.line_end(end_of(entry.value[-1][1], edits.text))
        text = f"{indent}layers:\n{text}"
    edits.replace(end, end, "\n" + text.removesuffix("\n"))


def _append(edits: Edits, block: yaml.Node, new: Sequence[DerivedLayer]) -> None:
    last = max(end_of(each, edits.text) for each in sequence(block))
    if is_flow(block):
        edits.replace(last, last, "".join(f", {flow_layer(layer)}" for layer in new))
        return
    end = edits.line_end(last)
    indent = " " * block.start_mark.column
    text = "".join(block_layer(layer, indent) for layer in new)
    edits.replace(end, end, "\n" + text.removesuffix("\n"))
