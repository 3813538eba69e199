"""flux-router notify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.admin import asks_service, complete_layer, tell_held
from router.cli.tables import OUTPUT_OPTION, print_json, printable

if TYPE_CHECKING:
    from router.remote.admin import AdminClient


@click.command()
@click.argument("layer", shell_complete=complete_layer)
@OUTPUT_OPTION
@asks_service
def notify(client: AdminClient, layer: str, output: str) -> None:
    """Have the receivers of a layer called once more, whatever changed."""
    notified = client.notify(layer)
    if output == "json":
        print_json(notified)
        return
    receivers = ", ".join(notified["receivers"])
    click.echo(printable(f"delivery {notified['delivery']}: {receivers} once more"))
    tell_held(client, str(notified["delivery"]))
