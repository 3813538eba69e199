"""Which entries of a routing file a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.config.load import check_file
from router.core.declared.ownership import Ours
from router.core.errors import ConfigInvalid
from router.core.naming import normalize_url
from router.remote.git.checkout import read_remote_urls

if TYPE_CHECKING:
    from router.config.load import Checked
    from router.core.routing import Repository, Routing

CONFIG_OPTION = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=Path("router.yaml"),
    show_default=True,
    envvar="ROUTER_CONFIG",
    help="The routing file.",
)

REPOSITORY_OPTION = click.option(
    "--repository",
    metavar="NAME",
    help="Only this entry of the routing file.  [default: with a checkout, those of its remotes]",
)


def load_routing(file: Path) -> Routing:
    """The routing file without its secrets. Raises ConfigInvalid."""
    checked = check_file(file, secrets="optional")
    if checked.routing is None:
        raise ConfigInvalid(checked.problems)
    return checked.routing


def pick_entries(
    routing: Routing, *, file: Path, name: str | None, repo: Path | None
) -> tuple[Repository, ...]:
    """The entry of that name, else all that can be about the repository at *repo*.

    Those are the ones whose URL is one of its remotes', or its own path; if none is, as in the
    checkout of a fork, all of a *file* that knows one repository only, and that is told. Refuses to
    guess further.
    """
    if name is not None:
        entry = routing.entry(name)
        if entry is None:
            raise click.BadParameter(f"no repository {name!r} in {file}")
        return (entry,)
    entries = routing.repositories
    if not entries:
        raise click.UsageError(f"{file} has no repositories")
    if repo is None:
        return entries
    own = own_urls(repo)
    found = tuple(entry for entry in entries if _urls(entry) & own)
    if found:
        return found
    is_one = len({normalize_url(entry.url) for entry in entries}) == 1
    told = f"the remotes of {repo} are none of the repositories in {file}"
    if not is_one:
        raise click.UsageError(f"{told}; tell with --repository which one it is")
    if len(own) > 1:
        click.echo(f"{told}; taken to be a fork of {entries[0].name}", err=True)
    return entries


def own_urls(repo: Path) -> frozenset[str]:
    """What the repository at *repo* is called, by its remotes and its path: normalized, and in
    lower case, as most hosts tell no others apart."""
    own = (*read_remote_urls(repo), str(repo.resolve()))
    return frozenset(normalize_url(url).lower() for url in own)


def ours_of(repo: Path, entry: Repository, checked: Checked) -> Ours:
    """What a routing file without problems tells of the repository at *repo*, for one entry."""
    own, told = own_urls(repo), _urls(entry)
    return Ours(
        urls=own | told,
        may_be_fork=own.isdisjoint(told),
        entry=entry,
        layers=() if checked.routing is None else checked.routing.layers,
        kustomizations=checked.kustomizations,
    )


def _urls(entry: Repository) -> set[str]:
    urls = {entry.url} if entry.git is None else {entry.url, entry.git.url}
    return {normalize_url(url).lower() for url in urls}
