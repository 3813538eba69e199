"""flux-router check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.tables import print_json
from router.config.load import check_file

if TYPE_CHECKING:
    from collections.abc import Sized

    from router.config.load import Checked
    from router.core.model import Problem


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="One line for each finding, or JSON.",
)
def check(files: tuple[Path, ...], output: str) -> None:
    """Validate routing files. Every error is told, as file:line:column: message.

    Secrets that are not on this machine are warnings here; `serve` needs them.
    """
    results = [(file, check_file(file, secrets="optional")) for file in files]
    if output == "json":
        print_json([_view(file, checked) for file, checked in results])
    else:
        for file, checked in results:
            _print(file, checked)
    if any(checked.problems for _, checked in results):
        sys.exit(1)


def _print(file: Path, checked: Checked) -> None:
    for problem in checked.problems:
        click.echo(f"{problem}")
    for warning in checked.warnings:
        click.echo(f"{warning.file}:{warning.line}:{warning.column}: warning: {warning.message}")
    if checked.routing is None:
        click.echo(f"{file}: {count(checked.problems, 'error')}", err=True)
        return
    routing = checked.routing
    click.echo(
        f"{file}: ok: {count(routing.hooks, 'hook')},"
        f" {count(routing.repositories, 'repository', 'repositories')},"
        f" {count(routing.layers, 'layer')}, {count(routing.receivers, 'receiver')}",
        err=True,
    )


def count(things: Sized, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"


def _view(file: Path, checked: Checked) -> dict[str, Any]:
    return {
        "file": str(file),
        "errors": [_view_problem(problem) for problem in checked.problems],
        "warnings": [_view_problem(warning) for warning in checked.warnings],
    }


def _view_problem(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "column": problem.column, "message": problem.message}
