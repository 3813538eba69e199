"""flux-router explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.tables import OUTPUT_OPTION, print_json, print_table
from router.config.load import check_file
from router.core.changes import ExactPaths
from router.core.errors import ConfigInvalid
from router.core.match import explain_layers

if TYPE_CHECKING:
    from router.core.model import Match
    from router.core.routing import Repository, Routing


@click.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=Path("router.yaml"),
    show_default=True,
    envvar="ROUTER_CONFIG",
    help="The routing file.",
)
@click.option("--path", "paths", multiple=True, required=True, help="A changed path; repeat it.")
@click.option("--repository", help="Only this entry of the routing file.")
@OUTPUT_OPTION
def explain(config_file: Path, paths: tuple[str, ...], repository: str | None, output: str) -> None:
    """Tell which layers changed paths affect, and for each layer why or why not."""
    routing = load_routing(config_file)
    entries = [
        entry for entry in routing.repositories if repository is None or entry.name == repository
    ]
    if not entries:
        raise click.BadParameter(f"no repository {repository!r} in {config_file}")
    changes = ExactPaths(tuple(dict.fromkeys(from_root(path) for path in paths)))
    verdicts = [
        (entry, explain_layers(entry.index, changes, unmapped=entry.unmapped)) for entry in entries
    ]
    if output == "json":
        print_json([_view(routing, entry, matches) for entry, matches in verdicts])
        return
    for entry, matches in verdicts:
        _print(entry, matches)


def from_root(path: str) -> str:
    """A path as Git names it: from the repository's root. Refuses what leads elsewhere."""
    named = path.removeprefix("./").strip("/")
    if not named or ".." in named.split("/"):
        raise click.BadParameter(f"{path!r} is no path from the repository's root")
    return named


def load_routing(file: Path) -> Routing:
    """The routing file without its secrets. Raises ConfigInvalid."""
    checked = check_file(file, secrets="optional")
    if checked.routing is None:
        raise ConfigInvalid(checked.problems)
    return checked.routing


def _print(entry: Repository, matches: tuple[Match, ...]) -> None:
    rows = [
        (
            match.layer,
            "yes" if match.is_affected else "no",
            match.reason,
            match.path or "",
            match.pattern or "",
        )
        for match in matches
    ]
    print_table(
        ("layer", "called", "why", "path", "pattern"), rows, title=f"{entry.name} {entry.ref}"
    )


def _view(routing: Routing, entry: Repository, matches: tuple[Match, ...]) -> dict[str, Any]:
    return {
        "repository": entry.name,
        "ref": entry.ref,
        "layers": [
            {
                "name": match.layer,
                "affected": match.is_affected,
                "reason": match.reason,
                "path": match.path,
                "pattern": match.pattern,
                "receivers": list(routing.layers[match.layer].receivers),
            }
            for match in matches
        ],
    }
