"""Output: tables for people, JSON for programs, and workflow commands for GitHub Actions."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OUTPUT_OPTION = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print rows under bold headings; as wide as they need when nobody looks at a terminal."""
    width = None if sys.stdout.isatty() else 200
    Console(width=width, soft_wrap=False).print(build_table(columns, rows, title=title))


def build_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", caption: str = ""
) -> Table:
    """Rows under bold headings; cells are shown as they are, but on one line and escaped."""
    heading = Text(printable(title)) if title else None
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=heading, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if caption:
        table.caption = Text(printable(caption))
        table.caption_justify = "left"
    return table


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; what has no value is left out."""
    told = [(name, value) for name, value in facts if value]
    width = max(len(name) for name, _ in told)
    for name, value in told:
        click.echo(f"{name:<{width}}  {printable(value)}")


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
