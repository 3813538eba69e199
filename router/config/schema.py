"""The routing file's JSON Schema, made from the models, for editors and CI jobs."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from router.config.file import RoutingFile

Schema: TypeAlias = dict[str, Any]

_NULL: Final = {"type": "null"}
_NAMED: Final = ("$defs", "properties", "patternProperties")
_LISTED: Final = ("anyOf", "oneOf")


def routing_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). It knows single keys; `flux-router check` knows every rule."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flux-router routing file",
        **_tidy(RoutingFile.model_json_schema(by_alias=True)),
    }


def _tidy(schema: Schema) -> Schema:
    """Without generated titles, and without null, which the routing file does not take."""
    kept = {key: value for key, value in schema.items() if key != "title" and value is not None}
    kept = _without_null(kept)
    for key in _NAMED:
        if key in kept:
            kept[key] = {name: _tidy(below) for name, below in kept[key].items()}
    for key in _LISTED:
        if key in kept:
            kept[key] = [_tidy(below) for below in kept[key]]
    if "items" in kept:
        kept["items"] = _tidy(kept["items"])
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return kept


def _without_null(schema: Schema) -> Schema:
    """A choice between one thing and null as that thing; one of two forms as any of them."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch != _NULL]
    if len(branches) != 1:
        return schema
    only = dict(branches[0])
    if "oneOf" in only:
        only["anyOf"] = only.pop("oneOf")
    return {**only, **{key: value for key, value in schema.items() if key != "anyOf"}}
