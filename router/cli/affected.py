"""flux-router affected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.entries import CONFIG_OPTION, REPOSITORY_OPTION, load_routing, pick_entries
from router.cli.explain import describe_paths
from router.core.changes import ExactPaths, UnknownPaths
from router.core.errors import SettingsInvalid
from router.core.kustomize.changed import NO_BUILDS
from router.core.match import match_layers
from router.core.push import is_zero
from router.remote.git.checkout import read_changed_paths, resolve_commit
from router.remote.git.snapshots import read_builds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.core.match import Matched
    from router.core.push import Commit
    from router.core.routing import Repository


@click.command()
@CONFIG_OPTION
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The checkout.  [default: this folder]",
)
@click.option("--base", required=True, help="The commit that was published before; zeros for none.")
@click.option("--head", default="HEAD", show_default=True, help="The commit to publish.")
@REPOSITORY_OPTION
@click.option(
    "-o",
    "--output",
    type=click.Choice(["names", "json", "matrix"]),
    default="names",
    show_default=True,
    help="One name a line, a JSON list, or a matrix for GitHub Actions.",
)
def affected(
    config_file: Path, repo: Path, base: str, head: str, repository: str | None, output: str
) -> None:
    """List the layers that differ between two commits, for a CI job that publishes them.

    The commits are compared as git mode does. With a base of zeros, as of a new branch, nothing
    can be compared, and every layer is listed. A base that the checkout lacks is an error.
    """
    routing = load_routing(config_file)
    entries = pick_entries(routing, file=config_file, name=repository, repo=repo)
    before, after = resolve_commit(repo, base), resolve_commit(repo, head)
    changes = _changes(repo, before, after)
    verdicts = [_match(repo, entry, (before, after), changes) for entry in entries]
    names = [match.layer for matched in verdicts for match in matched.matches if match.is_affected]
    for entry, matched in zip(entries, verdicts, strict=True):
        click.echo(_summary(entry, changes, matched), err=True)
    for line in _lines(names, output):
        click.echo(line)


def _match(
    repo: Path,
    entry: Repository,
    commits: Sequence[Commit],
    changes: ExactPaths | UnknownPaths,
) -> Matched:
    builds = NO_BUILDS
    if isinstance(changes, ExactPaths):
        builds = read_builds(repo, entry, commits, changes.paths)
    return match_layers(entry.index, changes, unmapped=entry.unmapped, builds=builds)


def _changes(repo: Path, before: Commit, after: Commit) -> ExactPaths | UnknownPaths:
    if is_zero(after):
        raise SettingsInvalid("--head is all zeros: the branch was deleted, nothing can be listed")
    if is_zero(before):
        return UnknownPaths("--base is all zeros, so that nothing can be compared: every layer")
    return ExactPaths(read_changed_paths(repo, before, after))


def _summary(entry: Repository, changes: ExactPaths | UnknownPaths, matched: Matched) -> str:
    if isinstance(changes, UnknownPaths):
        return f"{entry.name}: {changes.reason}"
    count = sum(match.is_affected for match in matched.matches)
    told = describe_paths(len(changes.paths), matched)
    return f"{entry.name}: {count} of {len(entry.layers)} layers affected by {told}"


def _lines(names: Sequence[str], output: str) -> Iterable[str]:
    if output == "json":
        return [json.dumps(list(names))]
    if output == "matrix":
        include = [{"layer": name} for name in names]
        return [json.dumps({"include": include}, separators=(",", ":"))]
    return names
