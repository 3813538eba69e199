"""flux-router layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from router.cli.admin import asks_service, complete_layer
from router.cli.cells import last_call, numbers, stands
from router.cli.deliveries import COLUMNS as DELIVERY_COLUMNS
from router.cli.deliveries import delivery_rows
from router.cli.fitting import Column
from router.cli.story import print_details, print_receivers
from router.cli.tables import OUTPUT_OPTION, print_facts, print_json, print_table
from router.cli.watch import Listing, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.remote.admin import AdminClient

COLUMNS = (
    Column("layer"),
    Column("repository", spare=2),
    Column("receiver"),
    Column("state"),
    Column("notified"),
    Column("last call (UTC)", spare=1),
    Column("outcome", wraps=True),
)


@click.command()
@click.argument("layer", metavar="[NAME]", required=False, shell_complete=complete_layer)
@click.option("--watch", is_flag=True, help="Go on, until Ctrl-C, with what changes.")
@OUTPUT_OPTION
@asks_service
def layers(client: AdminClient, layer: str | None, watch: bool, output: str) -> None:
    """List the layers of a running service, and where their receivers stand.

    With the NAME of a layer: its patterns, its receivers with their last calls, and the newest
    deliveries that affected it.
    """
    is_json = output == "json"
    if layer is not None:
        if watch:
            raise click.UsageError("--watch goes without a NAME")
        found = client.layer(layer)
        print_json(found) if is_json else _print_layer(found)
        return
    listing = Listing(
        columns=COLUMNS,
        read=lambda _count: [row for each in client.layers() for row in _rows(each)],
        limit=0,
        is_newest_first=False,
    )
    if watch:
        listing.watch(is_json=is_json)
    elif is_json:
        print_json(client.layers())
    else:
        listing.show(is_json=False)


def _rows(layer: dict[str, Any]) -> Sequence[Row]:
    """One row for each receiver of a layer."""
    return [
        Row(
            key=f"{layer['name']} {receiver['receiver']}",
            cells=(
                layer["name"],
                layer["repository"],
                receiver["receiver"],
                stands(receiver),
                numbers(receiver),
                *last_call(receiver),
            ),
            value={"layer": layer["name"], "repository": layer["repository"], **receiver},
        )
        for receiver in layer["receivers"]
    ]


def _print_layer(layer: dict[str, Any]) -> None:
    print_facts(
        (
            ("layer", layer["name"]),
            ("repository", layer["repository"]),
            ("paths", ", ".join(layer["paths"])),
            ("tag", layer["tag"] or ""),
            ("dependsOn", ", ".join(layer["dependsOn"])),
            ("suspended", "yes" if layer["suspended"] else ""),
        )
    )
    click.echo()
    print_receivers(layer["receivers"], title="receivers")
    print_details(each["lastAttempt"] for each in layer["receivers"] if each["lastAttempt"])
    click.echo()
    rows = [row.cells for row in delivery_rows(layer["deliveries"])]
    print_table(DELIVERY_COLUMNS, rows, title="the newest deliveries that affected it")
