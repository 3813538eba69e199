"""What the models find wrong, as sentences for the operator at the place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from router.config.file import (
    BY_CLUSTER_TAG,
    FOLDER_TAG,
    FOLDERS_TAG,
    SINGLE_TAG,
    RoutingFile,
)
from router.config.form import FileRef
from router.config.outline import form_at, keys_of
from router.config.report import did_you_mean
from router.config.tree import Entry, ListNode, MappingNode, Node, ScalarNode, plain, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.config.form import Form
    from router.config.report import Report

_KEY_ITSELF: Final = "[key]"
_TAGS: Final = frozenset({SINGLE_TAG, BY_CLUSTER_TAG, FOLDER_TAG, FOLDERS_TAG})
_BY_REFERENCE = "give a secret by {file: path} or {env: NAME}; never write it into this file"
_BY_FILE = "must be {file: path}"
_KIND_WORDS: Final = {"boolean": "a boolean", "number": "a number", "date": "a date"}


def validate(root: Node, report: Report) -> RoutingFile | None:
    """The file as a model; None when it is not of the form, and *report* says where and why."""
    try:
        return RoutingFile.model_validate(plain(root))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            location = tuple(part for part in detail["loc"] if part not in _TAGS)
            if not _is_echo(root, location, detail["type"]):
                report.error(*_explain(root, location, detail["type"], detail.get("ctx", {})))
        return None


def _explain(
    root: Node, location: tuple[int | str, ...], kind: str, context: dict[str, Any]
) -> tuple[Node, str]:
    """Where one finding of the models belongs, and how an operator would put it."""
    if kind == "missing":
        return _value_at(root, location[:-1]), f"{_subject(location)} is missing"
    if kind == "extra_forbidden":
        return _key_at(root, location), _unknown_key(location)
    if location and location[-1] == _KEY_ITSELF:
        return _key_at(root, location[:-1]), f"the cluster name {_cause(context)}"
    node = _value_at(root, location)
    if isinstance(node, ScalarNode) and node.kind == "null":
        return _key_at(root, location), f"{_subject(location)} has no value"
    reason = _reason(kind, context, node, form_at(location))
    return node, f"{_subject(location)} {reason}" if location else f"the file {reason}"


def _is_echo(root: Node, location: tuple[int | str, ...], kind: str) -> bool:
    """Whether a finding only follows from another one, which says more.

    A list is called short when its items are wrong, and a reference lacks its file when it has an
    unknown key instead.
    """
    if kind == "missing":
        parent, form = _value_at(root, location[:-1]), form_at(location[:-1])
        is_wrong_reference = form is not None and form.is_reference
        return is_wrong_reference and isinstance(parent, MappingNode) and bool(parent.entries)
    node = _value_at(root, location)
    return kind == "too_short" and isinstance(node, ListNode) and bool(node.items)


def _reason(kind: str, context: dict[str, Any], node: Node, form: type[Form] | None) -> str:
    if kind == "value_error":
        return _cause(context)
    if kind == "literal_error":
        return f"must be {context['expected']}".replace("'", "")
    if kind == "too_short":
        return "must not be empty"
    if kind == "bool_type":
        return "must be true or false"
    if kind == "string_type":
        return _not_text(node)
    is_reference = form is not None and form.is_reference
    wanted = "a list" if kind == "tuple_type" else "a mapping"
    if is_reference and wanted == "a list":
        return f"must be a list of references: {_BY_REFERENCE}"
    if is_reference:
        return _BY_FILE if form is FileRef else f"is not a reference: {_BY_REFERENCE}"
    return f"must be {wanted}, not {_found(node)}"


def _not_text(node: Node) -> str:
    if isinstance(node, MappingNode) and list(node.entries) == ["layer"]:
        return 'must be text: put the braces in quotes, "{layer}"'
    if isinstance(node, ScalarNode):
        return f"must be text, but YAML reads it as {_KIND_WORDS[node.kind]}; put it in quotes"
    return f"must be text, not {_found(node)}"


def _found(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    return _KIND_WORDS.get(node.kind, "text")


def _cause(context: dict[str, Any]) -> str:
    return str(context.get("error", "is not valid"))


def _unknown_key(location: Sequence[int | str]) -> str:
    form = form_at(location[:-1])
    if form is None:
        return "unknown key"
    if form.is_reference:
        return "unknown key: " + (_BY_FILE if form is FileRef else _BY_REFERENCE)
    key = str(location[-1])
    known = keys_of(form)
    hint = did_you_mean(key, known) or f"; known here are {', '.join(known)}"
    return f"unknown key {shown(key)}{hint}"


def _subject(location: Sequence[int | str]) -> str:
    keys = [part for part in location if isinstance(part, str)]
    name = shown(keys[-1]) if keys else "the file"
    last = location[-1] if location else None
    return f"item {last + 1} of {name}" if isinstance(last, int) else name


def _value_at(root: Node, location: Sequence[int | str]) -> Node:
    node = root
    for part in location:
        below = _below(node, part)
        if below is None:
            return node
        node = below.value if isinstance(below, Entry) else below
    return node


def _key_at(root: Node, location: Sequence[int | str]) -> Node:
    parent = _value_at(root, location[:-1])
    found = _below(parent, location[-1]) if location else root
    return found.key if isinstance(found, Entry) else found or parent


def _below(node: Node, part: int | str) -> Entry | Node | None:
    if isinstance(node, MappingNode) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
