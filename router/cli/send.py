"""flux-router send."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from router.core.errors import OperatorError, SettingsInvalid
from router.core.naming import ARTIFACT_SCHEME, normalize_artifact
from router.core.providers.registry import OutgoingArtifact, Registry
from router.core.providers.table import SERVED
from router.remote.git.pushes import read_artifact, read_push
from router.remote.sender import Credentials, send_delivery
from router.remote.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.core.providers.interface import Provider

IGNORED_STATUS = 200
"""A hook's answer to what does not concern it: most often a repository it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where deliveries go, and how they prove where they come from."""

    hook_url: str
    secret: bytes
    credentials: Credentials | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    """One delivery to send, without what proves it."""

    what: str
    headers: dict[str, str]
    body: bytes
    hint: str
    """What to look at when the hook says that it does not concern it."""


class _Stamp(TypedDict):
    """What makes a delivery one of its own."""

    secret: bytes
    delivery_id: str
    now_seconds: float


def _parse_auth(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> Credentials | None:
    if text is None:
        return None
    kind, colon, name = text.partition(":")
    is_named = kind in {"basic", "header"}
    if kind not in {"basic", "header", "path", "bearer"} or is_named != bool(colon and name):
        raise click.BadParameter("must be basic:USER, header:NAME, path or bearer")
    return Credentials(kind=kind, name=name)  # type: ignore[arg-type]  # one of the four


@click.command()
@click.option("--hook-url", required=True, help="Where to send, e.g. http://host:8080/hooks/NAME.")
@click.option(
    "--secret-file",
    required=True,
    type=click.Path(path_type=Path),
    help="The hook's secret; one final newline is not part of it.",
)
@click.option("--provider", required=True, type=click.Choice(sorted(SERVED)))
@click.option(
    "--auth",
    "credentials",
    metavar="KIND",
    callback=_parse_auth,
    help="Where the secret goes if the provider cannot sign, as the hook's `auth` has it: "
    "basic:USER, header:NAME, path or bearer.",
)
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The Git repository the commits are in.  [default: this folder]",
)
@click.option("--repository-url", help="How the push names its repository.  [default: the folder]")
@click.option("--artifact", metavar="URL", help="A registry's: what was pushed, oci://host/path.")
@click.option("--tag", help="A registry's: the tag.  [default: the last part of REF]")
@click.option("--digest", help="A registry's: the digest.  [default: one made of AFTER's files]")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.argument("ref", required=False)
def send(
    hook_url: str,
    secret_file: Path,
    provider: str,
    credentials: Credentials | None,
    repo: Path,
    repository_url: str | None,
    artifact: str | None,
    tag: str | None,
    digest: str | None,
    before: str | None,
    after: str | None,
    ref: str | None,
) -> None:
    """Send a push, as the provider would.

    With BEFORE, AFTER (commit ids) and REF, that one. Without them, pushes are read from standard
    input as Git hands them to a post-receive hook, so that this command can be one. In the name of
    a registry, the push of an artifact: of AFTER's files, or of those checked out.
    """
    if (before is None) != (ref is None):
        raise click.UsageError("give BEFORE, AFTER and REF, or none of them")
    served = SERVED[provider]
    if not served.can_sign and credentials is None:
        raise click.UsageError(f"{provider} cannot sign: say with --auth where the secret goes")
    target = _Target(hook_url=hook_url, secret=_read_secret(secret_file), credentials=credentials)
    move = (before, after, ref) if before and after and ref else None
    if isinstance(served, Registry):
        push = _read_artifact(repo, artifact, tag, digest, move)
        outgoing: Iterable[_Outgoing | None] = [_encode_artifact(served, push, target)]
    elif artifact or tag or digest:
        raise click.UsageError(f"{provider} is no registry: it tells of no artifacts")
    else:
        url = repository_url or repo.resolve().as_uri()
        moves = [move] if move else _read_moves()
        outgoing = (_encode_push(served, repo, url, each, target) for each in moves)
    # All are sent, also after one that could not be.
    if not all([_send(each, target) for each in outgoing]):
        sys.exit(1)


def _read_moves() -> Iterator[tuple[str, str, str]]:
    lines = [line.split() for line in sys.stdin]
    if any(len(words) != 3 for words in lines):
        raise SettingsInvalid("standard input: each line must be BEFORE AFTER REF")
    return ((before, after, ref) for before, after, ref in lines)


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}") from None
    if not secret:
        raise SettingsInvalid(f"the secret file is empty: {path}")
    return secret


def _read_artifact(
    repo: Path,
    artifact: str | None,
    tag: str | None,
    digest: str | None,
    move: tuple[str, str, str] | None,
) -> OutgoingArtifact:
    _, after, ref = move or ("", "HEAD", "")
    tag = tag or ref.rpartition("/")[2]
    if not artifact or not artifact.startswith(ARTIFACT_SCHEME) or not tag:
        raise click.UsageError("a registry needs --artifact oci://host/path, and --tag or REF")
    name = normalize_artifact(artifact)
    if digest:
        return OutgoingArtifact(artifact=name, tag=tag, digest=digest)
    return read_artifact(repo, revision=after, artifact=name, tag=tag)


def _encode_artifact(registry: Registry, push: OutgoingArtifact, target: _Target) -> _Outgoing:
    headers, body = registry.encode_artifact(push, **_stamp(target))
    return _Outgoing(
        what=f"{push.artifact}:{push.tag} {push.digest[:19]}",
        headers=headers,
        body=body,
        hint=f"the push named its artifact {ARTIFACT_SCHEME}{push.artifact} (--artifact)",
    )


def _encode_push(
    provider: Provider, repo: Path, url: str, move: tuple[str, str, str], target: _Target
) -> _Outgoing | None:
    """None for what cannot be read, which is told: of several refs, the others are to be sent."""
    before, after, ref = move
    try:
        push = read_push(repo, before=before, after=after, ref=ref, repository_url=url)
    except OperatorError as error:
        click.echo(f"{ref}: {error}", err=True)
        return None
    headers, body = provider.encode_push(push, **_stamp(target))
    return _Outgoing(
        what=f"{ref} {after[:12]}",
        headers=headers,
        body=body,
        hint=f"the push named its repository {url} (--repository-url)",
    )


def _stamp(target: _Target) -> _Stamp:
    clock = SystemClock()
    return {
        "secret": target.secret,
        "delivery_id": clock.new_id(),
        "now_seconds": clock.now().timestamp(),
    }


def _send(outgoing: _Outgoing | None, target: _Target) -> bool:
    if outgoing is None:
        return False
    url, headers = target.hook_url, outgoing.headers
    if target.credentials is not None:
        url, headers = target.credentials.add(url, headers, target.secret)
    answer = send_delivery(url, headers, outgoing.body)
    click.echo(f"{outgoing.what}: {answer}", err=not answer.is_accepted)
    if answer.status == IGNORED_STATUS:
        click.echo(outgoing.hint, err=True)
    return answer.is_accepted
