"""Bitbucket Cloud: webhooks of repositories and workspaces on bitbucket.org.

https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
https://support.atlassian.com/bitbucket-cloud/docs/troubleshoot-webhooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload
from router.core.lists import MAX_BRACES, decode, is_countable
from router.core.providers.interface import (
    JSON,
    OutgoingCommit,
    OutgoingPush,
    checked_push,
    event_name,
    first_header,
    json_body,
    json_payload,
    listless_update,
    other_event,
    repository_path,
    web_url,
)
from router.core.push import Commit, Ignored, Push, RefUpdate, is_zero
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Hub-Signature"
"""It holds a SHA-256 here; the SHA-1 that other senders put into it never verifies."""

EVENT_HEADER = "X-Event-Key"

DELIVERY_HEADER = "X-Request-UUID"
"""Whether a retry keeps it is not verified. With a new one a retry is planned a second time, which
repeats calls; with the same one it counts once. Nothing is lost either way: the id alone makes no
duplicate, the body has to be the same too."""

COMMITS_MAX = 5
"""Commits a payload lists of each ref, the newest; `truncated` tells that there were more."""

PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/", "annotated_tag": "refs/tags/"}
"""What the full name of a ref begins with, by the type that a payload gives it."""

DATA_CENTER_EVENTS = ("repo:refs_changed", "mirror:repo_synchronized", "diagnostics:ping")

NO_CHANGES = f"Bitbucket did not tell which refs the push moved, so any may have; {GIT_WOULD_KNOW}"

_NO_COMMIT: Commit = "0" * 40


class _Target(msgspec.Struct, frozen=True, gc=False):
    hash: str


class _Ref(msgspec.Struct, frozen=True, gc=False):
    type: str
    name: str
    target: _Target


class _Change(msgspec.Struct, frozen=True, gc=False):
    """A ref that moved; a side that is null is one on which it is not there."""

    old: _Ref | None
    new: _Ref | None
    forced: bool | None = None


class _Pushed(msgspec.Struct, frozen=True, gc=False):
    changes: list[_Change]


class _Link(msgspec.Struct, frozen=True, gc=False):
    href: str | None = None


class _Links(msgspec.Struct, frozen=True, gc=False):
    html: _Link | None = None


class _Repository(msgspec.Struct, frozen=True, gc=False):
    full_name: str | None = None
    links: _Links | None = None


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    push: _Pushed
    repository: _Repository


_DECODER = msgspec.json.Decoder(_Delivery)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC-SHA256 of the raw body. Raises InvalidSignature."""
    verify_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets, prefix="sha256=")


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a SHA-256 signature."""
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""), prefix="sha256=")


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    event = event_name(headers, EVENT_HEADER)
    delivery = first_header(headers, DELIVERY_HEADER.lower())
    if event == "repo:push":
        return _parse(payload, delivery)
    if event in DATA_CENTER_EVENTS:
        raise MalformedPayload(
            f"{event} is an event of Bitbucket Data Center: the provider of its hook has to be"
            " bitbucket-server"
        )
    return other_event(event, delivery_id=delivery)


def _parse(payload: Body, delivery: str | None) -> Push | Ignored:
    """Read a push. An empty list of changes tells that there was one, and no more."""
    if not is_countable(payload):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    read = decode(_DECODER, payload)
    changes = read.push.changes
    return checked_push(
        _urls(read.repository),
        [update for update in map(_update, changes) if update is not None],
        delivery_id=delivery,
        refs_not_told=None if changes else NO_CHANGES,
    )


def _urls(repository: _Repository) -> list[str | None]:
    """The page of the repository and, made of its full name, its address."""
    html = repository.links.html if repository.links else None
    urls = [html.href if html else None]
    if repository.full_name:
        urls.append(f"https://bitbucket.org/{repository.full_name}")
    return urls


def _update(change: _Change) -> RefUpdate | None:
    """What a change says; None for a ref that is on neither side, and so moved nothing."""
    old, new = change.old, change.new
    names = {_full_name(side) for side in (old, new) if side is not None}
    if not names:
        return None
    if len(names) > 1:
        raise MalformedPayload("old and new of a change are not the same ref")
    return listless_update(
        ref=names.pop(),
        before=old.target.hash if old else _NO_COMMIT,
        after=new.target.hash if new else _NO_COMMIT,
        forced=change.forced,
        host="Bitbucket",
    )


def _full_name(ref: _Ref) -> str:
    prefix = PREFIXES.get(ref.type)
    if prefix is None:
        raise MalformedPayload("the type of a ref is neither branch nor tag nor annotated_tag")
    return prefix + ref.name if ref.name else ""


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Bitbucket would send *push*.

    The newest 5 commits of a branch are listed, newest first and without files. Of a ref that is
    neither branch nor tag nothing is told.
    """
    full_name = repository_path(push.repository_url)
    payload = {
        "push": {"changes": _changes(push)},
        "repository": {
            "type": "repository",
            "scm": "git",
            "name": full_name.rpartition("/")[2],
            "full_name": full_name,
            "links": {"html": {"href": web_url(push.repository_url)}},
        },
    }
    body = json_body(payload)
    headers = {
        "Content-Type": JSON,
        EVENT_HEADER: "repo:push",
        DELIVERY_HEADER: delivery_id,
        "X-Attempt-Number": "1",
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body


def _changes(push: OutgoingPush) -> list[dict[str, object]]:
    kinds = [kind for kind in ("branch", "tag") if push.ref.startswith(PREFIXES[kind])]
    return [_change(push, kind) for kind in kinds]


def _change(push: OutgoingPush, kind: str) -> dict[str, object]:
    change: dict[str, object] = {
        "old": _side(push.ref, push.before, kind),
        "new": _side(push.ref, push.after, kind),
        "created": is_zero(push.before),
        "closed": is_zero(push.after),
        "forced": push.forced,
        "truncated": False,
    }
    if kind == "branch" and not is_zero(push.after):
        newest = push.commits[::-1][:COMMITS_MAX]
        change["commits"] = [_commit(commit) for commit in newest]
        change["truncated"] = len(push.commits) > COMMITS_MAX
    return change


def _side(ref: str, commit: Commit, kind: str) -> dict[str, object] | None:
    if is_zero(commit):
        return None
    name = ref.removeprefix(PREFIXES[kind])
    return {"type": kind, "name": name, "target": {"type": "commit", "hash": commit}}


def _commit(commit: OutgoingCommit) -> dict[str, object]:
    return {
        "type": "commit",
        "hash": commit.id,
        "message": commit.message,
        "date": commit.timestamp,
        "author": {"raw": f"{commit.author_name} <{commit.author_email}>"},
    }
