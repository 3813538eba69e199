"""What a delivery's changed paths affect now, as a running service tells it, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from router.cli.cells import NOTHING, moved, reason_beside
from router.cli.fitting import Column
from router.cli.tables import print_json, print_table, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = (
    Column("layer"),
    Column("now"),
    Column("then"),
    Column("why now", wraps=True),
    Column("path", wraps=True),
    Column("pattern", wraps=True),
)


def print_verdicts(answer: dict[str, Any], *, is_json: bool) -> None:
    """Print each layer's verdict beside what was decided then."""
    if is_json:
        print_json(answer)
        return
    click.echo(
        f"delivery {printable(answer['delivery'])} under generation {answer['generation']}"
        " of the routing file, in force now"
    )
    for explanation in answer["explanations"]:
        click.echo()
        _print_explanation(explanation)
    if not answer["explanations"]:
        click.echo("it told of no ref that moved")


def _print_explanation(explanation: dict[str, Any]) -> None:
    heading = [explanation["repository"], explanation["ref"]]
    if explanation["before"] or explanation["after"]:
        heading.append(moved(explanation["before"], explanation["after"]))
    rows = [
        (
            layer["layer"],
            _word(layer),
            _word(layer["then"]) if layer["then"] else NOTHING,
            reason_beside(layer["reason"], told=explanation["reason"], where="below"),
            layer["path"] or "",
            layer["pattern"] or "",
        )
        for layer in explanation["layers"]
    ]
    title = " ".join(filter(None, heading))
    if rows:
        print_table(COLUMNS, rows, title=title)
        click.echo()
    else:
        click.echo(printable(title))
    click.echo(printable(explanation["reason"]))
    for line in _differences(explanation):
        click.echo(printable(line))


def _word(match: dict[str, Any]) -> str:
    return "yes" if match["affected"] else "no"


def _differences(explanation: dict[str, Any]) -> Iterator[str]:
    layers = explanation["layers"]
    for layer in layers:
        if layer["differs"]:
            if layer["affected"]:
                told = f"would be called now, and was not: {layer['then']['reason']}"
            else:
                told = f"was called, and would not be now: {layer['reason']}"
            yield f"differs: {layer['layer']} {told}"
    if explanation["gone"]:
        yield f"differs: called then, and gone: {', '.join(explanation['gone'])}"
    if not explanation["differs"] and any(layer["then"] for layer in layers):
        yield "the same as was decided then"
