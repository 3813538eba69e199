"""Gogs: webhooks of repositories and organisations, of type Gogs.

https://gogs.io/advancing/webhooks
https://github.com/gogs/gogs/blob/main/internal/database/webhook.go
https://github.com/gogs/gogs/blob/main/internal/database/actions.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, FileLists, decode, read_commits
from router.core.providers.interface import (
    JSON,
    OutgoingCommit,
    OutgoingPush,
    checked_push,
    checked_update,
    event_name,
    first_header,
    json_body,
    json_or_form_payload,
    other_event,
    refuse_imitations,
    repository_path,
    verify_payload_sha256,
    web_url,
)
from router.core.push import Ignored, Push, is_zero
from router.core.verify import is_sha256, sign_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Gogs-Signature"
"""Sent without a secret, too, and empty then."""

COMMITS_MAX = 5
"""Commits a push payload lists by default, the newest: FEED_MAX_COMMIT_NUM.

https://github.com/gogs/gogs/blob/main/conf/app.ini
"""

NEVER_COMPLETE = (
    "Gogs lists neither renamed files nor what a merge brought, cuts names at spaces, and does not"
    f" say how many commits there were; {GIT_WOULD_KNOW}"
)
MIRROR = (
    "a mirror of Gogs tells the short name of a ref only, which a branch and a tag may share;"
    f" {GIT_WOULD_KNOW}"
)
NO_SHA = f"Gogs did not tell the commit of a tag; {GIT_WOULD_KNOW}"


class _Repository(msgspec.Struct, frozen=True, gc=False):
    clone_url: str | None = None
    ssh_url: str | None = None
    html_url: str | None = None
    mirror: bool | None = None

    @property
    def urls(self) -> tuple[str | None, ...]:
        return self.clone_url, self.ssh_url, self.html_url


class _Push(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    repository: _Repository
    commits: msgspec.Raw = ABSENT


class _Created(msgspec.Struct, frozen=True, gc=False):
    """A branch that is new, or a tag that is new or was moved."""

    ref: str
    ref_type: str
    repository: _Repository
    sha: str | None = None


_DECODER = msgspec.json.Decoder(_Push)
_CREATED_DECODER = msgspec.json.Decoder(_Created)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC of the JSON text, which in a form is the decoded field, not the body.

    Raises InvalidSignature.
    """
    verify_payload_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets)


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a signature."""
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""))


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    refuse_imitations(headers, imitators=("Forgejo", "Gitea"))
    payload = json_or_form_payload(headers, body)
    event = event_name(headers, "X-Gogs-Event")
    delivery = first_header(headers, "x-gogs-delivery")
    match event:
        case "push":
            return _parse(payload, delivery)
        case "create":
            return _parse_created(payload, delivery)
        case "delete":
            return Ignored(reason="a deleted ref notifies nothing", delivery_id=delivery)
    return other_event(event, delivery_id=delivery)


def _parse(payload: Body, delivery: str | None) -> Push | Ignored:
    push = decode(_DECODER, payload)
    if push.repository.mirror and not push.ref.startswith("refs/"):
        return _any_ref(push.repository, MIRROR, delivery)
    files = read_commits(push.commits, payload=payload)
    update = checked_update(
        ref=push.ref,
        before=push.before,
        after=push.after,
        forced=None,
        files=files,
        incomplete=files.trouble or NEVER_COMPLETE,
    )
    return checked_push(push.repository.urls, [update], delivery_id=delivery)


def _parse_created(payload: Body, delivery: str | None) -> Push | Ignored:
    """A tag has no push event; where it was before, if it was moved, is not told."""
    created = decode(_CREATED_DECODER, payload)
    if created.ref_type != "tag":
        reason = "the create event of a branch is not needed: the push event tells the same"
        return Ignored(reason=reason, delivery_id=delivery)
    if not created.ref:
        raise MalformedPayload("the event names no tag")
    if not created.sha:
        return _any_ref(created.repository, NO_SHA, delivery)
    update = checked_update(
        ref=f"refs/tags/{created.ref}",
        before="0" * len(created.sha),
        after=created.sha,
        forced=None,
        files=FileLists(),
        incomplete=NEVER_COMPLETE,
    )
    return checked_push(created.repository.urls, [update], delivery_id=delivery)


def _any_ref(repository: _Repository, why: str, delivery: str | None) -> Push:
    urls = tuple(dict.fromkeys(url for url in repository.urls if url))
    if not urls:
        raise MalformedPayload("the payload names no URL of the repository")
    return Push(repository_urls=urls, updates=(), delivery_id=delivery, refs_not_told=why)


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Gogs would send *push*.

    A deleted ref and a tag have events of their own. The newest 5 commits are listed, newest first,
    without renamed files and with names cut at spaces.
    """
    is_tag = push.ref.startswith("refs/tags/")
    if is_zero(push.after):
        event, payload = "delete", _deleted(push)
    elif is_tag:
        event, payload = "create", _short(push) | {"sha": push.after}
    else:
        event, payload = "push", _pushed(push)
    body = json_body(payload | {"repository": _repository(push.repository_url)})
    headers = {
        "Content-Type": JSON,
        "X-Github-Delivery": delivery_id,
        "X-Github-Event": event,
        "X-Gogs-Delivery": delivery_id,
        SIGNATURE_HEADER: sign_sha256(body, secret=secret),
        "X-Gogs-Event": event,
    }
    return headers, body


def _short(push: OutgoingPush) -> dict[str, object]:
    kind = "tag" if push.ref.startswith("refs/tags/") else "branch"
    name = push.ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    return {"ref": name, "ref_type": kind}


def _deleted(push: OutgoingPush) -> dict[str, object]:
    return _short(push) | {"pusher_type": "user"}


def _pushed(push: OutgoingPush) -> dict[str, object]:
    url = web_url(push.repository_url)
    is_new = is_zero(push.before)
    return {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "compare_url": "" if is_new else f"{url}/compare/{push.before}...{push.after}",
        "commits": [_commit(commit, url) for commit in push.commits[::-1][:COMMITS_MAX]],
    }


def _repository(repository_url: str) -> dict[str, object]:
    full_name = repository_path(repository_url)
    return {
        "name": full_name.rpartition("/")[2],
        "full_name": full_name,
        "mirror": False,
        "html_url": web_url(repository_url),
        "clone_url": repository_url,
    }


def _commit(commit: OutgoingCommit, url: str) -> dict[str, object]:
    author = {"name": commit.author_name, "email": commit.author_email}
    return {
        "id": commit.id,
        "message": commit.message,
        "url": f"{url}/commit/{commit.id}",
        "author": author,
        "committer": author,
        "added": _cut(commit.added),
        "removed": _cut(commit.removed),
        "modified": _cut(commit.modified),
        "timestamp": commit.timestamp,
    }


def _cut(names: Iterable[str]) -> list[str]:
    return [name.split(maxsplit=1)[0] for name in names if name.split()]
