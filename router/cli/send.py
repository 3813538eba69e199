"""flux-router send."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from router.core.errors import OperatorError, SettingsInvalid
from router.core.providers.table import PROVIDERS
from router.remote.git.pushes import read_push
from router.remote.sender import send_delivery
from router.remote.system import SystemClock

IGNORED_STATUS = 200
"""A hook's answer to what does not concern it: most often a repository it does not know."""


@click.command()
@click.option("--hook-url", required=True, help="Where to send, e.g. http://host:8080/hooks/NAME.")
@click.option(
    "--secret-file",
    required=True,
    type=click.Path(path_type=Path),
    help="The hook's secret; one final newline is not part of it.",
)
@click.option("--provider", required=True, type=click.Choice(sorted(PROVIDERS)))
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The Git repository the commits are in.  [default: this folder]",
)
@click.option("--repository-url", help="How the push names its repository.  [default: the folder]")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.argument("ref", required=False)
def send(
    hook_url: str,
    secret_file: Path,
    provider: str,
    repo: Path,
    repository_url: str | None,
    before: str | None,
    after: str | None,
    ref: str | None,
) -> None:
    """Send a signed push, as the provider would.

    With BEFORE, AFTER (commit ids) and REF, that one. Without them, pushes are read from standard
    input as Git hands them to a post-receive hook, so that this command can be one.
    """
    if (before is None) != (ref is None):
        raise click.UsageError("give BEFORE, AFTER and REF, or none of them")
    secret = _read_secret(secret_file)
    url = repository_url or repo.resolve().as_uri()
    moves = [(before, after, ref)] if before and after and ref else _read_moves()
    answers = [
        _send(provider, hook_url, secret, repo, url, move_before, move_after, move_ref)
        for move_before, move_after, move_ref in moves
    ]
    if not all(answers):
        sys.exit(1)


def _read_moves() -> list[tuple[str, str, str]]:
    moves = []
    for line in sys.stdin:
        words = line.split()
        if len(words) != 3:
            raise SettingsInvalid("standard input: each line must be BEFORE AFTER REF")
        moves.append((words[0], words[1], words[2]))
    return moves


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}") from None
    if not secret:
        raise SettingsInvalid(f"the secret file is empty: {path}")
    return secret


def _send(
    provider: str,
    hook_url: str,
    secret: bytes,
    repo: Path,
    repository_url: str,
    before: str,
    after: str,
    ref: str,
) -> bool:
    clock = SystemClock()
    try:
        push = read_push(repo, before=before, after=after, ref=ref, repository_url=repository_url)
    except OperatorError as error:  # of several refs, the others are still to be sent
        click.echo(f"{ref}: {error}", err=True)
        return False
    headers, body = PROVIDERS[provider].encode_push(
        push, secret=secret, delivery_id=clock.new_id(), now_seconds=clock.now().timestamp()
    )
    answer = send_delivery(hook_url, headers, body)
    click.echo(f"{ref} {after[:12]}: {answer}", err=not answer.is_accepted)
    if answer.status == IGNORED_STATUS:
        click.echo(f"the push named its repository {repository_url} (--repository-url)", err=True)
    return answer.is_accepted
