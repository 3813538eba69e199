"""flux-router check."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from router.cli.comparison import compare_manifests
from router.cli.discovery import check_folder, discover_all
from router.cli.entries import REPOSITORY_OPTION, pick_entries
from router.cli.manifests import CLUSTER_OPTION, SECRET_NAME_OPTION, imply_objects
from router.cli.survey import Checkout, Finding, survey_entry
from router.cli.tables import counted, print_json, printable, workflow_command
from router.config.load import check_file
from router.core.flux_objects import Naming
from router.remote.git.checkout import resolve_commit
from router.remote.git.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.cli.comparison import Comparison
    from router.cli.survey import Level, Survey
    from router.config.load import Checked
    from router.core.model import Problem

_KINDS: Final[dict[Level, Literal["error", "warning", "notice"]]] = {
    "error": "error",
    "warning": "warning",
    "note": "notice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What is to be told of one routing file."""

    file: Path
    checked: Checked
    surveys: tuple[Survey, ...] | None
    """None where no checkout was given."""
    comparison: Comparison | None = None
    """None where no manifests were given."""

    def findings(self) -> Iterator[Finding]:
        for problem in self.checked.problems:
            yield Finding(level="error", problem=problem)
        for warning in _one_a_place(self.checked.warnings):
            yield Finding(level="warning", problem=warning)
        for survey in self.surveys or ():
            yield from survey.findings()
        if self.comparison is not None:
            yield from self.comparison.findings()

    @property
    def has_errors(self) -> bool:
        return any(finding.level == "error" for finding in self.findings())


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A checkout, or a bare repository, to hold the layers against.",
)
@click.option("--at", metavar="REV", help="The commit whose files count.  [default: HEAD]")
@click.option(
    "--path",
    "folders",
    metavar="FOLDER",
    multiple=True,
    help="A folder that a cluster applies, such as clusters/prod; may be given several times."
    "  [default: every file]",
)
@REPOSITORY_OPTION
@click.option(
    "--manifests",
    type=click.Path(path_type=Path, exists=True),
    help="A folder of manifests, or a file such as `kubectl kustomize` prints, to hold the file's "
    "receivers against.",
)
@CLUSTER_OPTION
@SECRET_NAME_OPTION
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="One line for each finding, JSON, or annotations for GitHub Actions.",
)
def check(
    files: tuple[Path, ...],
    repo: Path | None,
    at: str | None,
    folders: tuple[str, ...],
    repository: str | None,
    manifests: Path | None,
    cluster: str | None,
    secret_name: str,
    output: str,
) -> None:
    """Validate routing files. Every error is told, as file:line:column: message.

    With --repo also: files that no layer owns, patterns that match no file, layers that share
    files, and where layers differ from the Flux Kustomizations in the repository and from what
    their builds read. These are no errors. Secrets that are not on this machine are warnings here;
    `serve` needs them.

    With --manifests also: in what the Receivers there differ from those that are called. Nothing
    is built: where patches change Receivers, give a file with the output of `kubectl kustomize`.
    """
    if manifests is not None and len(files) > 1:
        raise click.UsageError("--manifests goes with one routing file")
    if manifests is None and cluster is not None:
        raise click.UsageError("--cluster goes with --manifests")
    if repo is None and (at is not None or folders or repository is not None):
        raise click.UsageError("--at, --path and --repository go with --repo")
    checkout = None if repo is None else _read(repo, at or "HEAD", folders)
    results = [_check(file, checkout, repository) for file in files]
    if manifests is not None:
        naming = Naming(secret_name=secret_name)
        results = [_compare(result, manifests, cluster, naming) for result in results]
    if output == "json":
        print_json([_view(result) for result in results])
    else:
        for result in results:
            _print(result, is_github=output == "github")
    if any(result.has_errors for result in results):
        sys.exit(1)


def _read(repo: Path, revision: str, folders: tuple[str, ...]) -> Checkout:
    snapshot = Snapshot(repo, resolve_commit(repo, revision))
    for folder in folders:
        check_folder(snapshot, repo, folder, revision)
    everything = None if folders else discover_all(snapshot)
    return Checkout(repo=repo, snapshot=snapshot, folders=folders, everything=everything)


def _check(file: Path, checkout: Checkout | None, repository: str | None) -> _Result:
    checked = check_file(file, secrets="optional")
    routing = checked.routing
    if checkout is None or routing is None:
        return _Result(file=file, checked=checked, surveys=None)
    entries = pick_entries(routing, file=file, name=repository, repo=checkout.repo)
    surveys = tuple(survey_entry(str(file), entry, checked, checkout) for entry in entries)
    return _Result(file=file, checked=checked, surveys=surveys)


def _compare(result: _Result, manifests: Path, cluster: str | None, naming: Naming) -> _Result:
    if result.checked.routing is None:
        return result
    implied = imply_objects(result.checked, cluster, naming)
    return replace(result, comparison=compare_manifests(str(result.file), implied, manifests))


def _print(result: _Result, *, is_github: bool) -> None:
    for finding in result.findings():
        click.echo(_annotation(finding) if is_github else _line(finding))
    click.echo(f"{result.file}: {_summary(result.checked)}", err=True)
    for survey in result.surveys or ():
        click.echo(f"{result.file}: {survey.entry.name}: {survey.checkout.told}", err=True)
    if (compared := result.comparison) is not None:
        click.echo(f"{result.file}: {compared.summary()}", err=True)


def _one_a_place(warnings: Iterable[Problem]) -> Iterator[Problem]:
    """The first warning at each place: one key may name the secrets of a thousand receivers."""
    for _, group in groupby(warnings, key=lambda each: (each.file, each.line, each.column)):
        first, *others = group
        more = f", and {len(others)} more like it here" if others else ""
        yield replace(first, message=f"{first.message}{more}")


def _line(finding: Finding) -> str:
    problem = finding.problem
    if finding.level == "error":
        return printable(str(problem))
    place = f"{problem.file}:{problem.line}:{problem.column}"
    return printable(f"{place}: {finding.level}: {problem.message}")


def _annotation(finding: Finding) -> str:
    problem = finding.problem
    return workflow_command(
        _KINDS[finding.level],
        problem.message,
        file=problem.file,
        line=problem.line,
        col=problem.column,
    )


def _summary(checked: Checked) -> str:
    routing = checked.routing
    if routing is None:
        return counted(len(checked.problems), "error")
    followed = len({each.artifact for each in routing.artifacts})
    artifacts = f" {counted(followed, 'artifact')}," if followed else ""
    return (
        f"ok: {counted(len(routing.hooks), 'hook')},"
        f" {counted(len(routing.repositories), 'repository', 'repositories')},{artifacts}"
        f" {counted(len(routing.layers), 'layer')}, {counted(len(routing.receivers), 'receiver')}"
    )


def _view(result: _Result) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": str(result.file),
        "errors": [_view_problem(problem) for problem in result.checked.problems],
        "warnings": [_view_problem(warning) for warning in result.checked.warnings],
    }
    if result.surveys is not None:
        found["repositories"] = [survey.view() for survey in result.surveys]
    if result.comparison is not None:
        found["manifests"] = result.comparison.view()
    return found


def _view_problem(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "column": problem.column, "message": problem.message}
