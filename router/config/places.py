"""Where things stand in a routing file that loaded, for findings that come after the checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.config.tree import child, items, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.report import Place
    from router.config.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Lines and columns, by the names that the file gives."""

    entries: Mapping[str, Place]
    """Of `repositories`."""
    layers: Mapping[str, Place]
    patterns: Mapping[str, tuple[Place, ...]]
    """Those of a layer's `paths`, in order."""
    builds: Mapping[str, Place]
    """Of a layer's `build`; its name's where it has none. So for `dependsOn`."""
    dependencies: Mapping[str, Place]


def find_places(root: Node) -> Places:
    """The places in the tree of a routing file without problems."""
    entries = items(root, "repositories")
    layers = [layer for entry in entries for layer in items(entry, "layers")]
    named = [(text(layer, "name") or "", layer) for layer in layers]
    names = {name: child(layer, "name") or layer for name, layer in named}
    return Places(
        entries={text(entry, "name") or "": child(entry, "name") or entry for entry in entries},
        layers=names,
        patterns={name: items(layer, "paths") for name, layer in named},
        builds={name: child(layer, "build") or names[name] for name, layer in named},
        dependencies={name: child(layer, "dependsOn") or names[name] for name, layer in named},
    )
