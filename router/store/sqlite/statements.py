"""Statements over many rows at once.

With every step of a statement the interpreter's lock is let go of, and has to be won back from the
event loop. So what a batch writes into one table is one statement, not one for each row.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection, Row

MAX_ROWS = 64
"""Rows in one statement; more save nothing any more."""

_VALUES = re.compile(r"VALUES (\([^()]*\))")


def execute_rows(
    connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]
) -> Sequence[Row]:
    """Run *sql*, which has the VALUES of one row, for all *rows*; gives what it returns.

    The numbers of rows in one statement are powers of two, so that few are ever prepared.
    """
    found: list[Row] = []
    start = 0
    while start < len(rows):
        count = 1 << (min(len(rows) - start, MAX_ROWS).bit_length() - 1)
        values = tuple(chain.from_iterable(rows[start : start + count]))
        found += connection.execute(_for_rows(sql, count), values).fetchall()
        start += count
    return found


@cache
def _for_rows(sql: str, count: int) -> str:
    return _VALUES.sub(lambda found: "VALUES " + ", ".join([found[1]] * count), sql, count=1)
