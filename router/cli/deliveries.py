"""flux-router deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from router.cli.admin import asks_service, complete_delivery
from router.cli.cells import (
    COMMIT_DIGITS,
    count_names,
    first_of,
    id_length,
    short_instant,
    shorten_commit,
    shorten_ref,
)
from router.cli.fitting import Column
from router.cli.story import print_story
from router.cli.tables import OUTPUT_OPTION, print_json
from router.cli.watch import Listing, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.remote.admin import AdminClient

COLUMNS = (
    Column("received (UTC)"),
    Column("id"),
    Column("from", usual=len("adoption")),
    Column("ref", wraps=True),
    Column("commit", spare=1, usual=COMMIT_DIGITS),
    Column("known", usual=len("requested")),
    Column("layers", wraps=True, usual=20),
    Column("status"),
)


@click.command()
@click.argument("delivery", metavar="[ID]", required=False, shell_complete=complete_delivery)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many to list, newest first.",
)
@click.option("--watch", is_flag=True, help="Go on, until Ctrl-C, with those that come.")
@OUTPUT_OPTION
@asks_service
def deliveries(
    client: AdminClient, delivery: str | None, limit: int, watch: bool, output: str
) -> None:
    """List what a running service was told, and what became of it.

    With the ID of a delivery, or the beginning of one, its whole story: what moved, for each layer
    why it is or is not affected, the calls, and where the receivers stand now.
    """
    is_json = output == "json"
    if delivery is not None:
        if watch:
            raise click.UsageError("--watch goes without an ID")
        story = client.delivery(client.find_id(delivery))
        print_json(story) if is_json else print_story(story)
        return
    listing = Listing(
        columns=COLUMNS,
        read=lambda count: delivery_rows(client.deliveries(count)),
        limit=limit,
        is_newest_first=True,
    )
    if watch:
        listing.watch(is_json=is_json)
    elif not listing.show(is_json=is_json):
        click.echo(
            "no delivery yet: the webhook, and its hook's URL, are the place to look", err=True
        )


def delivery_rows(found: Sequence[dict[str, Any]]) -> Sequence[Row]:
    """One row for each delivery; ids as short as tells them apart."""
    length = id_length([each["id"] for each in found])
    return [Row(key=each["id"], cells=_cells(each, length), value=each) for each in found]


def _cells(delivery: dict[str, Any], length: int) -> tuple[str, ...]:
    plans = delivery["plans"]
    moves = [(plan["ref"], plan["commit"]) for plan in plans]
    moves = moves or [(each["ref"], each["after"]) for each in delivery.get("updates", ())]
    return (
        short_instant(delivery["receivedAt"]),
        delivery["id"][:length],
        delivery["hook"] or delivery["origin"],
        first_of([shorten_ref(ref) for ref, _ in moves]),
        first_of([shorten_commit(commit) for _, commit in moves]),
        first_of([plan["knowledge"] for plan in plans]),
        count_names([name for plan in plans for name in plan["layers"]]),
        delivery["status"],
    )
