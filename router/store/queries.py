"""The SQL statements, by name, from the files beside this module."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATEMENT = re.compile(
    r"^-- name: (?P<name>\w+)\n-- (?P<purpose>.+)\n(?P<sql>[^;]+);", re.MULTILINE
)


def read_sql(name: str) -> str:
    """The text of one packaged SQL file, e.g. `sqlite/queries.sql`."""
    return files("router.store").joinpath("sql", name).read_text(encoding="utf-8")


def parse_queries(text: str) -> Mapping[str, str]:
    """Statement name → SQL; a name line, one line of purpose, then the statement up to its `;`."""
    return {found["name"]: found["sql"].strip() for found in _STATEMENT.finditer(text)}


SQLITE = parse_queries(read_sql("sqlite/queries.sql"))
