"""flux-router explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from router.cli.admin import admin_options, complete_delivery, open_admin
from router.cli.entries import CONFIG_OPTION, REPOSITORY_OPTION, load_routing, pick_entries
from router.cli.fitting import Column
from router.cli.tables import OUTPUT_OPTION, counted, print_json, print_table, printable
from router.cli.verdicts import print_verdicts
from router.core.kustomize.changed import unknown_builds
from router.core.match import Matcher
from router.remote.git.checkout import read_changed_paths, resolve_commit
from router.remote.git.snapshots import read_builds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.kustomize.changed import Builds
    from router.core.match import Matched
    from router.core.push import Commit
    from router.core.routing import Repository, Routing

ONLY_COMMITS_TELL = "that takes --repo with the commits BEFORE and AFTER"

MATCH_COLUMNS = (
    Column("layer"),
    Column("called"),
    Column("why", wraps=True),
    Column("path", wraps=True),
    Column("pattern", wraps=True),
)


@click.command()
@CONFIG_OPTION
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A checkout, or a bare repository, that has BEFORE and AFTER.",
)
@click.option("--path", "paths", multiple=True, help="A changed path, without --repo; repeat it.")
@click.option(
    "--delivery",
    metavar="ID",
    shell_complete=complete_delivery,
    help="A delivery of a running service, instead of a routing file here.",
)
@REPOSITORY_OPTION
@OUTPUT_OPTION
@admin_options
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.pass_context
def explain(
    context: click.Context,
    config_file: Path,
    repo: Path | None,
    paths: tuple[str, ...],
    delivery: str | None,
    repository: str | None,
    output: str,
    admin_url: str,
    token_file: Path | None,
    before: str | None,
    after: str | None,
) -> None:
    """Tell which layers a change affects, and for each layer why or why not.

    With --repo, the change is what differs between the commits BEFORE and AFTER (ids, branches,
    tags, HEAD~1 …), as git mode compares them. With --path, the changed paths are given; what the
    build of a layer reads is not known then, and the layer counts as affected.

    With --delivery, a running service tells what that delivery's changed paths affect under the
    routing file in force there now, and where that differs from what was decided then.
    """
    _check_usage(context)
    if delivery is not None:
        with open_admin(admin_url, token_file) as client:
            print_verdicts(client.explain(client.find_id(delivery)), is_json=output == "json")
        return
    routing = load_routing(config_file)
    entries = pick_entries(routing, file=config_file, name=repository, repo=repo)
    commits = _commits(repo, before, after)
    changed = _changed(repo, commits, paths)
    verdicts = [
        (entry, _match(entry, changed, _read(repo, entry, commits, changed))) for entry in entries
    ]
    if output == "json":
        about = {**dict(zip(("before", "after"), commits, strict=False)), "pathCount": len(changed)}
        print_json([_view(routing, entry, matcher, about) for entry, matcher in verdicts])
    else:
        _print_all(verdicts, len(changed), is_given=repo is None)


def _check_usage(context: click.Context) -> None:
    given = context.params
    repo, before, after = given["repo"], given["before"], given["after"]
    if [repo is not None, bool(given["paths"]), given["delivery"] is not None].count(True) != 1:
        raise click.UsageError("give one of --repo with BEFORE and AFTER, --path, and --delivery")
    if (repo is not None) != (after is not None) or (before is not None) != (after is not None):
        raise click.UsageError("BEFORE and AFTER go with --repo, and both are needed")
    is_file_named = context.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    if given["delivery"] is not None and (is_file_named or given["repository"] is not None):
        raise click.UsageError("--delivery goes without --config and --repository")


def from_root(path: str) -> str:
    """A path as Git names it: from the repository's root. Refuses what leads elsewhere."""
    named = path.removeprefix("./").strip("/")
    if not named or ".." in named.split("/"):
        raise click.BadParameter(f"{path!r} is no path from the repository's root")
    return named


def describe_paths(count: int, matched: Matched, *, are_builds_known: bool = True) -> str:
    """One sentence on how many paths changed, and which of them no layer owns."""
    text = counted(count, "changed path")
    if not matched.unmapped_count:
        return text
    more = matched.unmapped_count - len(matched.unmapped)
    told = ", ".join(printable(path) for path in matched.unmapped)
    owner = "no layer" if are_builds_known else "no layer's `paths`"
    return f"{text}, {matched.unmapped_count} of {owner}: {told}" + (
        f" and {more} more" if more else ""
    )


def _commits(repo: Path | None, *names: str | None) -> tuple[Commit, ...]:
    if repo is None:
        return ()
    return tuple(resolve_commit(repo, name) for name in names if name is not None)


def _changed(repo: Path | None, commits: Sequence[Commit], paths: Sequence[str]) -> tuple[str, ...]:
    if repo is None:
        return tuple(dict.fromkeys(from_root(path) for path in paths))
    before, after = commits
    return read_changed_paths(repo, before, after)


def _read(
    repo: Path | None, entry: Repository, commits: Sequence[Commit], changed: Sequence[str]
) -> Builds:
    if repo is None:
        return unknown_builds(entry.builds, ONLY_COMMITS_TELL)
    return read_builds(repo, entry, commits, changed)


def _match(entry: Repository, changed: Sequence[str], builds: Builds) -> Matcher:
    matcher = Matcher(entry.index, unmapped=entry.unmapped, builds=builds)
    matcher.feed(changed)
    return matcher


def _print_all(
    verdicts: Sequence[tuple[Repository, Matcher]], path_count: int, *, is_given: bool
) -> None:
    for number, (entry, matcher) in enumerate(verdicts):
        if number:
            click.echo()
        _print(entry, matcher, path_count, are_builds_known=not is_given or not entry.builds)


def _print(entry: Repository, matcher: Matcher, path_count: int, *, are_builds_known: bool) -> None:
    rows = [
        (
            match.layer,
            "yes" if match.is_affected else "no",
            match.reason,
            match.path or "",
            match.pattern or "",
        )
        for match in matcher.explain()
    ]
    print_table(MATCH_COLUMNS, rows, title=f"{entry.name} {entry.ref}")
    click.echo()
    click.echo(describe_paths(path_count, matcher.result(), are_builds_known=are_builds_known))


def _view(
    routing: Routing, entry: Repository, matcher: Matcher, about: dict[str, Any]
) -> dict[str, Any]:
    matched = matcher.result()
    return {
        "repository": entry.name,
        "ref": entry.ref,
        **about,
        "unmappedCount": matched.unmapped_count,
        "unmapped": list(matched.unmapped),
        "layers": [
            {
                "name": match.layer,
                "affected": match.is_affected,
                "reason": match.reason,
                "path": match.path,
                "pattern": match.pattern,
                "receivers": list(routing.layers[match.layer].receivers),
            }
            for match in matcher.explain()
        ],
    }
