"""Derived layers as the text of a routing file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml
from yaml.resolver import Resolver

from router.config.form import DEFAULT_NAMESPACE, DEFAULT_RECEIVER_TYPE
from router.config.nodes import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.core.declared.derive import DerivedLayer

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
_resolve: Callable[..., str] = Resolver().resolve


def scalar(text: str) -> str:
    """*text* so that YAML reads it as text; what cannot be printed is escaped."""
    is_text = _resolve(yaml.ScalarNode, text, (True, False)) == TEXT
    if is_text and _PLAIN.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08X}" for each in quoted)


def flow_list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(scalar, texts))}]"


def layer_keys(layer: DerivedLayer) -> list[tuple[str, str]]:
    """The keys of a layer after its name, with their values."""
    keys = [("build", scalar(layer.build))]
    lists = (
        ("components", layer.components),
        ("paths", tuple(map(literal_pattern, layer.paths))),
        ("dependsOn", layer.depends_on),
    )
    keys += [(key, flow_list(texts)) for key, texts in lists if texts]
    receiver = _receiver(layer)
    if receiver:
        keys.append(("receiver", receiver))
    return keys


def block_layer(layer: DerivedLayer, indent: str) -> str:
    """A layer as an item of a block list, with its last line's end."""
    keys = [("name", scalar(layer.name)), *layer_keys(layer)]
    lines = [f"{key}: {value}\n" for key, value in keys]
    return f"{indent}- " + f"{indent}  ".join(lines)


def flow_layer(layer: DerivedLayer) -> str:
    """A layer as an item of a list in brackets."""
    keys = [("name", scalar(layer.name)), *layer_keys(layer)]
    return "{" + ", ".join(f"{key}: {value}" for key, value in keys) + "}"


def literal_pattern(path: str) -> str:
    """The pattern that matches the file at *path*; `?` stands for what cannot be printed."""
    escaped = re.sub(r"(^!|[\\*?\[\]{}])", r"\\\1", path)
    return "".join(character if character.isprintable() else "?" for character in escaped)


def _receiver(layer: DerivedLayer) -> str:
    """What differs from a cluster's defaults: a Receiver named as the layer, in flux-system, that
    checks signatures."""
    receiver = layer.receiver
    if receiver is None:
        return ""
    told = [("name", receiver.name)] if receiver.name != layer.name else []
    if receiver.namespace != DEFAULT_NAMESPACE:
        told.append(("namespace", receiver.namespace))
    if receiver.type != DEFAULT_RECEIVER_TYPE:
        told.append(("type", receiver.type))
    inner = ", ".join(f"{key}: {scalar(value)}" for key, value in told)
    return f"{{{inner}}}" if inner else ""
