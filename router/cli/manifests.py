"""flux-router manifests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
import yaml

from router.cli.entries import CONFIG_OPTION
from router.cli.tables import print_json, printable
from router.config.load import check_file
from router.core.errors import ConfigInvalid
from router.core.flux_objects import RECEIVER, SECRET_KEY, Naming, imply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.config.load import Checked
    from router.core.flux_objects import ImpliedObjects, ImpliedReceiver

NAME_PATTERN = r"[a-z0-9{]([a-z0-9.{}-]*[a-z0-9}])?"
"""Names of Kubernetes objects, with a placeholder."""

CLUSTER_OPTION = click.option(
    "--cluster", metavar="NAME", help="The cluster.  [default: the only one of the file]"
)

SECRET_NAME_OPTION = click.option(
    "--secret-name",
    metavar="TEMPLATE",
    default=Naming().secret_name,
    show_default=True,
    callback=lambda _context, _option, value: _check_name(value),
    help=f"How the Receivers' Secrets are called; {RECEIVER} becomes the Receiver's name.",
)


def _check_name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise click.BadParameter("must be the name of an object, with or without a placeholder")
    return value


def _parse_source(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, str]:
    kind, slash, name = value.partition("/")
    if not slash or not re.fullmatch(r"[A-Z][A-Za-z]+", kind):
        raise click.BadParameter("must be KIND/NAME, such as GitRepository/{layer}")
    return kind, _check_name(name)


@click.command()
@CONFIG_OPTION
@CLUSTER_OPTION
@click.option(
    "--source",
    metavar="KIND/NAME",
    default="GitRepository/{layer}",
    show_default=True,
    callback=_parse_source,
    help="What a layer's Receiver triggers; {layer} becomes the layer's name. Layers under "
    "`artifacts` have an OCIRepository of that name.",
)
@SECRET_NAME_OPTION
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Manifests with comments, or all of it as data.",
)
def manifests(
    config_file: Path,
    cluster: str | None,
    source: tuple[str, str],
    secret_name: str,
    output: str,
) -> None:
    """Print the Receivers that a routing file implies, and what they need beside them.

    These are the Secrets that must exist, by name and key alone, and the Kustomizations that are
    taken to apply the layers. Sources and Secrets are in the namespace of their Receiver; no
    routing file knows their names, so that --source and --secret-name tell them.
    """
    checked = check_file(config_file, secrets="optional")
    if checked.routing is None:
        raise ConfigInvalid(checked.problems)
    naming = Naming(source_kind=source[0], source_name=source[1], secret_name=secret_name)
    implied = imply_objects(checked, cluster, naming)
    if output == "json":
        print_json(_view(implied))
    else:
        click.echo("\n".join(_lines(implied, config_file)))


def imply_objects(checked: Checked, cluster: str | None, naming: Naming) -> ImpliedObjects:
    """What a routing file without problems implies on one of its clusters."""
    clusters = () if checked.routing is None else tuple(checked.routing.clusters)
    if cluster is None and len(clusters) == 1:
        (cluster,) = clusters
    if cluster is None:
        raise click.UsageError(f"tell with --cluster which one: {', '.join(clusters)}")
    if cluster not in clusters:
        raise click.BadParameter(
            f"no cluster {cluster!r}; there are: {', '.join(clusters)}", param_hint="--cluster"
        )
    return imply(cluster, checked.uses, naming)


def _lines(implied: ImpliedObjects, file: Path) -> Iterator[str]:
    yield f"# What {printable(file.name)} implies on cluster {implied.cluster}."
    secrets = implied.secrets()
    if secrets:
        yield "#"
        yield f"# Secrets, each with a key `{SECRET_KEY}` of the same bytes as the router's:"
    for (namespace, name), receivers in secrets.items():
        tokens = dict.fromkeys(receiver.first.token or "nothing" for receiver in receivers)
        yield f"#   {namespace}/{name}: {printable(', '.join(tokens))}"
    yield "#"
    yield "# Kustomizations, each with the source that its layer's Receiver triggers:"
    for each in implied.kustomizations:
        after = ", ".join(f"{namespace}/{name}" for namespace, name in each.depends_on)
        yield f"#   {each.key}" + (f", dependsOn {after}" if after else "")
    for receiver in implied.receivers:
        yield "---"
        yield from _receiver_lines(receiver)


def _receiver_lines(receiver: ImpliedReceiver) -> Iterator[str]:
    if receiver.layers != (receiver.name,):
        yield f"# of {', '.join(receiver.layers)}"
    yield yaml.safe_dump(receiver.manifest(), sort_keys=False).rstrip()


def _view(implied: ImpliedObjects) -> dict[str, Any]:
    return {
        "cluster": implied.cluster,
        "receivers": [
            {"layers": list(receiver.layers), "manifest": receiver.manifest()}
            for receiver in implied.receivers
        ],
        "secrets": [
            {
                "namespace": namespace,
                "name": name,
                "key": SECRET_KEY,
                "receivers": [receiver.name for receiver in receivers],
            }
            for (namespace, name), receivers in implied.secrets().items()
        ],
        "kustomizations": [
            {
                "layer": each.layer,
                "namespace": each.namespace,
                "name": each.name,
                "dependsOn": [
                    {"namespace": namespace, "name": name} for namespace, name in each.depends_on
                ],
            }
            for each in implied.kustomizations
        ],
    }
