"""flux-router demo."""

from __future__ import annotations

import asyncio
import sys

import click

from router.demo.story import run_story


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo's folder and print where it is.")
def demo(keep: bool) -> None:
    """Run the whole story on this machine: a Git repository, Flux stand-ins, real pushes."""
    if not asyncio.run(run_story(keep=keep)):
        sys.exit(1)
