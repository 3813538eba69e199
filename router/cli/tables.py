"""Output: tables for people, JSON for programs, and workflow commands for GitHub Actions."""

from __future__ import annotations

import json
import sys
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.cli.fitting import GAP, Column, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNLIMITED_COLUMNS = 100_000
"""For output that goes into a file or another program."""

OUTPUT_OPTION = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)


def print_table(
    columns: Sequence[Column | str], rows: Iterable[Sequence[str]], *, title: str = ""
) -> None:
    """Print rows under bold headings; as wide as they need when nobody looks at a terminal.

    Columns in which no row has anything are left out.
    """
    if title:
        click.secho(printable(title), bold=True)
    told = [tuple(row) for row in rows]
    kept = [number for number in range(len(columns)) if any(row[number] for row in told)]
    if told:
        columns = [columns[number] for number in kept]
        told = [tuple(row[number] for number in kept) for row in told]
    if sys.stdout.isatty():
        Console().print(build_table(columns, told, room=terminal_columns()))
        return
    console = Console(width=UNLIMITED_COLUMNS)
    with console.capture() as capture:
        console.print(build_table(columns, told, room=UNLIMITED_COLUMNS))
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def build_table(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[str]],
    *,
    room: int,
    caption: str = "",
) -> Table:
    """Rows under bold headings, in *room* columns of a terminal; cells are escaped."""
    named = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [[printable(cell) for cell in row] for row in rows]
    texts = [
        (column.heading, *(row[number] for row in cells)) for number, column in enumerate(named)
    ]
    needs = [max(map(cell_len, each)) for each in texts]
    words = [max(cell_len(word) for text in each for word in text.split()) for each in texts]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    widths = fit(named, needs, words, room)
    for number, width in widths.items():
        table.add_column(named[number].heading, overflow="fold", width=width)
    for row in cells:
        table.add_row(*(Text(row[number]) for number in widths))
    if caption:
        table.caption = Text(printable(caption))
        table.caption_justify = "left"
    return table


def terminal_columns() -> int:
    """How many columns the terminal has."""
    return get_terminal_size().columns


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; what has no value is left out.

    On a terminal, long values go on below their beginning.
    """
    told = [(name, printable(value)) for name, value in facts if value]
    indent = max(len(name) for name, _ in told) + GAP
    for name, value in told:
        for line in _lines(value, indent):
            click.echo(f"{name:<{indent}}{line}")
            name = ""


def _lines(value: str, indent: int) -> Sequence[str]:
    if not sys.stdout.isatty():
        return [value]
    room = max(terminal_columns() - indent, 1)
    return wrap(value, room, break_on_hyphens=False)


def print_json(value: Any) -> None:
    """Print indented ASCII JSON; bytes of a name that are no text stand there as surrogates."""
    click.echo(json.dumps(value, indent=2))


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """*text* on one line and without control characters, whatever bytes a name in it has."""
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that was no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def workflow_command(
    kind: Literal["error", "warning", "notice"], message: str, **properties: str | int
) -> str:
    """One line that GitHub Actions shows at a place of a file.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    placed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{kind} {placed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
