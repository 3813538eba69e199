"""Every key of the routing file's form as a path, such as `hooks[].auth.basic.username`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from router.config.fields import DURATION_PATTERN
from router.config.schema import routing_schema

REFERENCES = {"SecretRef": "secret", "TokenRef": "token", "FileRef": "file"}
"""Forms that are documented once, by the word their keys have in the type column."""

NO_DEFAULT = "\N{EN DASH}"

Row: TypeAlias = tuple[str, str, str, str]
"""Path, type, default and description; the default is "required" where there is none."""


def rows() -> Iterator[Row]:
    """Every key with what the form says of it, in the order of the form."""
    schema = routing_schema()
    yield from _keys("", schema, schema["$defs"])


def _keys(prefix: str, form: dict[str, Any], forms: dict[str, Any]) -> Iterator[Row]:
    for key, value in form["properties"].items():
        path, kind, below = f"{prefix}{key}", *_type(value)
        if kind.startswith("list of"):
            path += "[]"
        default = _default(value, is_required=key in form.get("required", ()))
        yield path, kind, default, value["description"]
        if below is not None:
            yield from _keys(f"{path}.", forms[below], forms)


def _type(value: dict[str, Any]) -> tuple[str, str | None]:
    """The word for a key's type, and the form below it where that is told key by key."""
    if "anyOf" in value:
        return _type(value["anyOf"][0])
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return REFERENCES.get(name, "mapping"), None if name in REFERENCES else name
    if "items" in value:
        kind, below = _type(value["items"])
        return f"list of {kind}s", below
    if "const" in value or "enum" in value:
        return "choice", None
    if value.get("pattern") == DURATION_PATTERN:
        return "duration", None
    return {"boolean": "boolean"}.get(value["type"], "text"), None


def _default(value: dict[str, Any], *, is_required: bool) -> str:
    if is_required:
        return "required"
    if value.get("default") in (None, []):
        return NO_DEFAULT
    return f"`{str(value['default']).lower()}`"
