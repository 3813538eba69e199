"""What POST /api/v1/explain is asked: about a delivery, or about paths that are given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from router.core.errors import MalformedPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class PathsQuestion:
    """What would these changed paths affect?"""

    repository: str
    """The name of an entry of the routing file."""
    paths: tuple[str, ...]


def parse_question(body: bytes) -> str | PathsQuestion:
    """The id of a delivery, or an entry's name with changed paths. Raises MalformedPayload.

    Bytes of a path that are no UTF-8 may stand as surrogates, as the command line prints them.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedPayload("the body is not JSON") from None
    keys = set(asked) if isinstance(asked, dict) else set()
    if keys == {"delivery"} and isinstance(asked["delivery"], str) and asked["delivery"].isascii():
        return str(asked["delivery"])
    if keys == {"repository", "paths"} and isinstance(asked["repository"], str):
        return PathsQuestion(repository=asked["repository"], paths=_parse_paths(asked["paths"]))
    raise MalformedPayload(
        'the body must be {"delivery": id} or {"repository": name, "paths": [path, …]}'
    )


def _parse_paths(paths: Any) -> tuple[str, ...]:
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise MalformedPayload("paths must be a list of texts")
    named = tuple(path.removeprefix("./").strip("/") for path in paths)
    if not named or not all(named) or any(".." in path.split("/") for path in named):
        raise MalformedPayload("each path must lead from the repository's root to a file")
    return named
