"""GitHub.com and GitHub Enterprise Server.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.lists import ABSENT, decode, read_commits
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
    web_url,
)
from router.core.push import Ignored, Push, is_zero
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body
    from router.core.lists import FileLists

SIGNATURE_HEADER = "X-Hub-Signature-256"
"""The SHA-1 header beside it is never read: it would let a sender choose the weaker one."""

COMMITS_MAX = 2048
"""Commits a push payload lists at most; nothing in it says that there were more."""

COMMIT_FILES_MAX = 3000
"""Files a payload lists for one commit at most; nothing in it says that there were more."""


class _Repository(msgspec.Struct, frozen=True, gc=False):
    clone_url: str | None = None
    ssh_url: str | None = None
    html_url: str | None = None
    git_url: str | None = None
    url: str | None = None


class _Push(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    repository: _Repository
    created: bool | None = None
    deleted: bool | None = None
    forced: bool | None = None
    commits: msgspec.Raw = ABSENT


_DECODER = msgspec.json.Decoder(_Push)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC of the raw body, which for a form is the form. Raises InvalidSignature."""
    verify_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets, prefix="sha256=")


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a SHA-256 signature."""
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""), prefix="sha256=")


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    refuse_imitations(headers)
    payload = json_or_form_payload(headers, body)
    event = event_name(headers, "X-GitHub-Event")
    delivery = first_header(headers, "x-github-delivery")
    match event:
        case "push":
            return _parse(payload, delivery)
        case "ping":
            return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery)
        case "create" | "delete":
            reason = f"the {event} event is not needed: the push event tells the same"
            return Ignored(reason=reason, delivery_id=delivery)
    return other_event(event, delivery_id=delivery)


def _parse(payload: Body, delivery: str | None) -> Push | Ignored:
    push = decode(_DECODER, payload)
    files = read_commits(push.commits, payload=payload)
    repository = push.repository
    update = checked_update(
        ref=push.ref,
        before=push.before,
        after=push.after,
        forced=push.forced,
        files=files,
        incomplete=_why_incomplete(push, files),
    )
    urls = (
        repository.clone_url,
        repository.ssh_url,
        repository.html_url,
        repository.git_url,
        repository.url,
    )
    return checked_push(urls, [update], delivery_id=delivery)


def _why_incomplete(push: _Push, files: FileLists) -> str | None:
    if push.created not in (None, is_zero(push.before)) or push.deleted not in (
        None,
        is_zero(push.after),
    ):
        return f"what GitHub says of created and deleted contradicts itself; {GIT_WOULD_KNOW}"
    if None in (push.created, push.deleted, push.forced):
        return (
            "the payload does not say whether the ref was created, deleted or forced, as GitHub"
            f" does; {GIT_WOULD_KNOW}"
        )
    if not files.commit_count:
        return files.trouble or f"GitHub listed no commits for a ref that moved; {GIT_WOULD_KNOW}"
    if files.commit_count >= COMMITS_MAX:
        return f"GitHub cut the list of commits at {COMMITS_MAX}; {GIT_WOULD_KNOW}"
    if not files.has_all:
        return f"GitHub left out the files of a commit; {GIT_WOULD_KNOW}"
    if files.largest_commit >= COMMIT_FILES_MAX:
        return f"GitHub cut the files of a commit at {COMMIT_FILES_MAX}; {GIT_WOULD_KNOW}"
    return None


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which GitHub would send *push*.

    A tag and a deleted ref list no commits; of more than 2048 commits the newest are listed.
    """
    url = web_url(push.repository_url)
    is_listed = not is_zero(push.after) and not push.ref.startswith("refs/tags/")
    commits = [_commit(commit, url) for commit in push.commits]
    payload = {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "created": is_zero(push.before),
        "deleted": is_zero(push.after),
        "forced": push.forced,
        "base_ref": None,
        "compare": f"{url}/compare/{push.before[:12]}...{push.after[:12]}",
        "commits": commits[-COMMITS_MAX:] if is_listed else [],
        "head_commit": commits[-1] if commits and not is_zero(push.after) else None,
        "repository": _repository(push.repository_url),
    }
    body = json_body(payload)
    headers = {
        "Content-Type": JSON,
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery_id,
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body


def _repository(repository_url: str) -> dict[str, object]:
    full_name = repository_path(repository_url)
    return {
        "name": full_name.rpartition("/")[2],
        "full_name": full_name,
        "html_url": web_url(repository_url),
        "clone_url": repository_url,
    }


def _commit(commit: OutgoingCommit, url: str) -> dict[str, object]:
    """List at most 3000 files; a rename is its old name removed and its new one added."""
    author = {"name": commit.author_name, "email": commit.author_email}
    added = [*commit.added, *(new for _, new in commit.renamed)][:COMMIT_FILES_MAX]
    removed = [*commit.removed, *(old for old, _ in commit.renamed)]
    removed = removed[: COMMIT_FILES_MAX - len(added)]
    modified = commit.modified[: COMMIT_FILES_MAX - len(added) - len(removed)]
    return {
        "id": commit.id,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.timestamp,
        "url": f"{url}/commit/{commit.id}",
        "author": author,
        "committer": author,
        "added": added,
        "removed": removed,
        "modified": modified,
    }
