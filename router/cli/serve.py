"""flux-router serve."""

from __future__ import annotations

import asyncio
import os
import sys

import click
import uvloop

from router.bootstrap import serve as run_service
from router.config.settings import load_settings
from router.telemetry.logs import configure_logs


@click.command()
def serve() -> None:
    """Run the service. Everything is set by ROUTER_… variables and the routing file."""
    settings = load_settings(os.environ)
    log_format = settings.log_format
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    configure_logs(log_format=log_format, level=settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_service(settings))
