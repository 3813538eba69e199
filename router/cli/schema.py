"""flux-router schema."""

from __future__ import annotations

import json

import click

from router.config.schema import routing_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of the routing file."""
    click.echo(json.dumps(routing_schema(), indent=2))
