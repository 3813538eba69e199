"""What the commands that ask a running service share: where it is, its token, its names."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import click

from router.cli.tables import printable
from router.config.settings import Settings, load_settings, read_admin_token, variable
from router.core.errors import RouterError, SettingsInvalid
from router.remote.admin import ANSWER_DEADLINE_SECONDS, AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

P = ParamSpec("P")

COMPLETION_DEADLINE_SECONDS = 2.0
"""How long a shell may wait for names; then it completes nothing."""

COMPLETED_DELIVERIES = 50
"""How many of the newest deliveries a shell is offered."""

_URL_OPTION: Final = click.option(
    "--admin-url",
    metavar="URL",
    default=Settings.model_fields["admin_url"].default,
    show_default=True,
    envvar=variable("admin_url"),
    show_envvar=True,
    help="The admin listener of the service.",
)

_TOKEN_OPTION: Final = click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    envvar=variable("admin_token_file"),
    show_envvar=True,
    help="The file with its bearer token.",
)


def admin_options(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options that tell where a service is and what its token is."""
    return _URL_OPTION(_TOKEN_OPTION(command))


def asks_service(command: Callable[..., None]) -> Callable[..., None]:
    """Hand a command a client of the service that its options name."""

    @wraps(command)
    def ask(*, admin_url: str, token_file: Path | None, **options: Any) -> None:
        with open_admin(admin_url, token_file) as client:
            command(client, **options)

    return admin_options(ask)


@contextmanager
def open_admin(
    admin_url: str, token_file: Path | None, *, deadline_seconds: float = ANSWER_DEADLINE_SECONDS
) -> Iterator[AdminClient]:
    """A client for one command. Raises SettingsInvalid for a token that cannot be read."""
    given = {
        variable("admin_url"): admin_url,
        variable("admin_token_file"): str(token_file or ""),
    }
    try:
        settings = load_settings(given)
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from None
    token = read_admin_token(settings)
    client = AdminClient(settings.admin_url, token=token, deadline_seconds=deadline_seconds)
    try:
        yield client
    finally:
        client.close()


def tell_held(client: AdminClient, delivery_id: str) -> None:
    """Say which receivers of a delivery wait for a suspension to end, if any."""
    wants = [want for plan in client.delivery(delivery_id)["plans"] for want in plan["wants"]]
    held = [str(want["receiver"]) for want in wants if want["held"]]
    if held:
        told = printable(", ".join(held))
        click.echo(f"held until the suspension of layer or cluster ends: {told}", err=True)


def complete_layer(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> Sequence[str]:
    """The layers of the service whose names begin so; none while it cannot be asked."""
    return _complete(context, begun, lambda client: [row["name"] for row in client.layers()])


def complete_delivery(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> Sequence[str]:
    """The newest deliveries whose ids begin so; none while the service cannot be asked."""
    return _complete(
        context,
        begun,
        lambda client: [row["id"] for row in client.deliveries(COMPLETED_DELIVERIES)],
    )


def _complete(
    context: click.Context, begun: str, names: Callable[[AdminClient], Sequence[Any]]
) -> Sequence[str]:
    url, token_file = context.params["admin_url"], context.params["token_file"]
    try:
        with open_admin(url, token_file, deadline_seconds=COMPLETION_DEADLINE_SECONDS) as client:
            return [name for name in map(str, names(client)) if name.startswith(begun)]
    except (RouterError, click.ClickException, KeyError):
        return []
