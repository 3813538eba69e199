"""The numbered migrations of each database, from the files beside this module."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from router.store.queries import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIGRATION = re.compile(r"^(?P<version>\d{4})_\w+\.sql$")


def migrations(database: str) -> Sequence[tuple[int, str]]:
    """Every migration's number and SQL, in order; *database* is a folder's name."""
    folder = files("router.store").joinpath("sql", database)
    names = sorted(entry.name for entry in folder.iterdir() if _MIGRATION.match(entry.name))
    return [(int(name[:4]), read_sql(f"{database}/{name}")) for name in names]
