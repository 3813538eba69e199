"""flux-router version."""

from __future__ import annotations

import click

from router import __version__


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"flux-router {__version__}")
