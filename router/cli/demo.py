"""flux-router demo."""

from __future__ import annotations

import asyncio
import signal
import sys

import click

from router.demo.story import run_story


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo's folder and print where it is.")
def demo(keep: bool) -> None:
    """Run the whole story on this machine: a Git repository, Flux stand-ins, real pushes."""
    if not asyncio.run(_run_until_told(keep)):
        sys.exit(1)


async def _run_until_told(keep: bool) -> bool:
    """The story; SIGTERM ends it as Ctrl-C does, with its service and its folder."""
    story = asyncio.ensure_future(run_story(keep=keep))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, story.cancel)
    try:
        return await story
    except asyncio.CancelledError:
        return False
