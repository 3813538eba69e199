"""The command group: one line for each command, and what errors exit with."""

from __future__ import annotations

import sys

import click

from router import __version__
from router.cli.affected import affected
from router.cli.check import check
from router.cli.deliveries import deliveries
from router.cli.demo import demo
from router.cli.derive import derive
from router.cli.explain import explain
from router.cli.layers import layers
from router.cli.manifests import manifests
from router.cli.migrate import migrate
from router.cli.notify import notify
from router.cli.replay import replay
from router.cli.schema import schema
from router.cli.send import send
from router.cli.serve import serve
from router.cli.tables import printable
from router.cli.version import version
from router.core.errors import RouterError

EXIT_FINDINGS = 1
"""Errors found, or something was refused; 2 is for wrong usage."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Call only the Flux Receivers of the layers that a Git push changes."""


for command in (
    serve,
    check,
    explain,
    affected,
    manifests,
    derive,
    send,
    deliveries,
    layers,
    replay,
    notify,
    demo,
    schema,
    migrate,
    version,
):
    cli.add_command(command)


def main() -> None:
    """Run a command; an error of ours is one message on standard error and exit code 1."""
    try:
        cli(prog_name="flux-router")
    except RouterError as error:
        told = "\n".join(printable(line) for line in str(error).split("\n"))
        click.echo(f"flux-router: {told}", err=True)
        sys.exit(EXIT_FINDINGS)
