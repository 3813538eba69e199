"""Which form belongs at which place of the file, for messages and rules that follow the tree."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, get_args

from router.config.file import RoutingFile
from router.config.form import RECEIVER_KEYS, Form, ReceiverOverride
from router.config.tree import ListNode, MappingNode, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@cache
def keys_of(form: type[Form]) -> dict[str, type[Form] | None]:
    """The keys of *form* as the file writes them, each with the form of its value, if any."""
    return {
        field.alias or name: _form_in(field.annotation) for name, field in form.model_fields.items()
    }


def form_at(location: Sequence[int | str]) -> type[Form] | None:
    """The form of the mapping at *location*, or of the items of the list there.

    Parts that are no keys (positions, cluster names) are passed over.
    """
    form: type[Form] | None = RoutingFile
    for part in location:
        if form is not None and isinstance(part, str):
            form = keys_of(form).get(part, form if form is ReceiverOverride else None)
    return form


def walk(node: Node, form: type[Form] = RoutingFile) -> Iterator[tuple[MappingNode, type[Form]]]:
    """Every mapping of the tree that has a form, with that form."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from walk(item, form)
    elif isinstance(node, MappingNode):
        if form is ReceiverOverride and is_by_cluster(node):
            for entry in node.entries.values():
                yield from walk(entry.value, form)
            return
        yield node, form
        keys = keys_of(form)
        for key, entry in node.entries.items():
            below = keys.get(key)
            if below is not None:
                yield from walk(entry.value, below)


def is_by_cluster(node: Node) -> bool:
    """Whether a layer's `receiver` is a map from cluster name to what differs there."""
    return (
        isinstance(node, MappingNode)
        and bool(node.entries)
        and not RECEIVER_KEYS & node.entries.keys()
        and all(isinstance(entry.value, MappingNode) for entry in node.entries.values())
    )


def _form_in(annotation: object) -> type[Form] | None:
    if isinstance(annotation, type) and issubclass(annotation, Form):
        return annotation
    found = (_form_in(argument) for argument in get_args(annotation))
    return next((form for form in found if form is not None), None)
