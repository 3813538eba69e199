"""Lists that are kept up to date: in place on a terminal, else row by row as they come."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live

from router.cli.fitting import GAP
from router.cli.tables import build_table, print_json, print_table, printable, terminal_columns
from router.remote.admin import SEARCHED_DELIVERIES, AdminUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from router.cli.fitting import Column

WATCH_INTERVAL_SECONDS = 1.0
"""Between two looks at the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a list, and what it is about."""

    key: str
    cells: tuple[str, ...]
    value: dict[str, Any]
    """The same as the API tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list that can be read again and again."""

    columns: tuple[Column, ...]
    read: Callable[[int], Sequence[Row]]
    """The newest so many rows; all of them where a list has no end."""
    limit: int
    is_newest_first: bool

    def show(self, *, is_json: bool) -> int:
        """Print it once, as JSON only the values; returns how many rows there are."""
        rows = self.read(self.limit)
        if is_json:
            values = {row.key: row.value for row in rows}
            print_json(list(values.values()))
        else:
            print_table(self.columns, [row.cells for row in rows])
        return len(rows)

    def watch(self, *, is_json: bool) -> None:
        """Show it until Ctrl-C. While the service is away, what was there stays.

        Raises AdminRefused at any time, and AdminUnavailable only if the first look fails.
        """
        try:
            if is_json or not sys.stdout.isatty():
                self._follow(is_json)
            else:
                self._refresh()
        except KeyboardInterrupt:
            return

    def _refresh(self) -> None:
        rows, trouble = self.read(self.limit), ""
        with Live(console=Console(), auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                cells = [row.cells for row in rows]
                table = build_table(self.columns, cells, room=terminal_columns(), caption=trouble)
                live.update(table, refresh=True)
                time.sleep(WATCH_INTERVAL_SECONDS)
                try:
                    rows, trouble = self.read(self.limit), ""
                except AdminUnavailable as error:
                    trouble = f"{error}; trying again"

    def _follow(self, is_json: bool) -> None:
        rows = self.read(self.limit)
        seen: dict[str, dict[str, Any]] = {}
        printer = _LinePrinter(self.columns, is_json=is_json)
        is_away = False
        while True:
            news = [row for row in rows if seen.get(row.key) != row.value]
            printer.print(news[::-1] if self.is_newest_first else news)
            seen = {row.key: row.value for row in rows}
            time.sleep(WATCH_INTERVAL_SECONDS)
            try:
                rows, is_away = self.read_since(seen), False
            except AdminUnavailable as error:
                if not is_away:
                    click.echo(f"flux-router: {printable(str(error))}; trying again", err=True)
                is_away = True

    def read_since(self, seen: Container[str]) -> Sequence[Row]:
        """So many rows that none was missed since the last look, within reason."""
        rows, limit = self.read(self.limit), self.limit
        while self.is_newest_first and limit <= len(rows) < SEARCHED_DELIVERIES:
            if any(row.key in seen for row in rows):
                break
            limit *= 2
            rows = self.read(limit)
        return rows


class _LinePrinter:
    """Prints rows as they come; columns grow with what they hold."""

    def __init__(self, columns: Sequence[Column], *, is_json: bool) -> None:
        self._headings = [column.heading for column in columns]
        self._widths = [max(len(column.heading), column.usual) for column in columns]
        self._is_json = is_json
        self._has_heading = is_json

    def print(self, rows: Sequence[Row]) -> None:
        if self._is_json:
            for row in rows:
                click.echo(json.dumps(row.value, separators=(",", ":")))
            return
        lines = [[printable(cell) for cell in row.cells] for row in rows]
        for number, width in enumerate(self._widths):
            self._widths[number] = max([width, *(cell_len(cells[number]) for cells in lines)])
        if lines and not self._has_heading:
            self._line(self._headings)
            self._has_heading = True
        for cells in lines:
            self._line(cells)

    def _line(self, cells: Sequence[str]) -> None:
        padded = [
            set_cell_size(cell, width) for cell, width in zip(cells, self._widths, strict=True)
        ]
        click.echo((" " * GAP).join(padded).rstrip())
