"""flux-router replay."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from router.cli.admin import asks_service, complete_delivery, tell_held
from router.cli.tables import OUTPUT_OPTION, print_json, printable

if TYPE_CHECKING:
    from router.remote.admin import AdminClient


@click.command()
@click.argument("delivery", metavar="ID", shell_complete=complete_delivery)
@OUTPUT_OPTION
@asks_service
def replay(client: AdminClient, delivery: str, output: str) -> None:
    """Have the receivers of every layer that a delivery affected called once more.

    ID may be the beginning of one. The layers are those of then, their receivers those of now; no
    cursor moves. With no layer left to call, the exit code is 1.
    """
    replayed = client.replay(client.find_id(delivery))
    if output == "json":
        print_json(replayed)
    elif replayed["layers"]:
        told = f"delivery {replayed['delivery']}: {', '.join(replayed['layers'])} once more"
        click.echo(printable(told))
        tell_held(client, str(replayed["delivery"]))
    if replayed["gone"]:
        told = printable(", ".join(replayed["gone"]))
        click.echo(f"not in the routing file any more: {told}", err=True)
    if not replayed["layers"]:
        click.echo("nothing to call: it affected no layer that is in the routing file", err=True)
        sys.exit(1)
