"""Gitea and Forgejo, which send the same payload; Forgejo adds headers of its own name.

https://docs.gitea.com/usage/webhooks
https://forgejo.org/docs/latest/user/webhooks/
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
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
    repository_path,
    verify_payload_sha256,
    web_url,
)
from router.core.push import Ignored, Push, is_zero
from router.core.verify import is_sha256, sign_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADERS = (
    ("X-Forgejo-Signature", ""),
    ("X-Gitea-Signature", ""),
    ("X-Hub-Signature-256", "sha256="),
)
"""Headers that hold the same HMAC-SHA256, with what stands before it; the first one counts.

Without a secret they are sent all the same, with nothing after the prefix.
"""

COMMITS_MAX = 5
"""Commits a push payload lists by default, the newest: FEED_MAX_COMMIT_NUM.

https://docs.gitea.com/administration/config-cheat-sheet#ui-ui
"""

_BRANCH = "refs/heads/"


class _Repository(msgspec.Struct, frozen=True, gc=False):
    clone_url: str | None = None
    ssh_url: str | None = None
    html_url: str | None = None
    url: str | None = None

    @property
    def urls(self) -> tuple[str | None, ...]:
        return self.clone_url, self.ssh_url, self.html_url, self.url


class _Push(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    repository: _Repository
    commits: msgspec.Raw = ABSENT
    total_commits: int | None = None


class _Created(msgspec.Struct, frozen=True, gc=False):
    ref: str
    ref_type: str
    repository: _Repository
    sha: str = ""


_DECODER = msgspec.json.Decoder(_Push)
_CREATED_DECODER = msgspec.json.Decoder(_Created)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC of the JSON text, which in a form is the decoded field, not the body.

    https://codeberg.org/forgejo/forgejo/src/branch/forgejo/services/webhook/shared/payloader.go
    (AddDefaultHeaders signs the payload's content). Raises InvalidSignature.
    """
    header, prefix = _signature(headers) or ("X-Gitea-Signature", "")
    verify_payload_sha256(headers, body, header=header, secrets=secrets, prefix=prefix)


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether the signature header that counts holds what could be a signature."""
    header, prefix = _signature(headers) or ("", "")
    return is_sha256(headers.get(header.lower(), ""), prefix=prefix)


def _signature(headers: Mapping[str, str]) -> tuple[str, str] | None:
    for header, prefix in SIGNATURE_HEADERS:
        if headers.get(header.lower(), "").removeprefix(prefix):
            return header, prefix
    return None


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_or_form_payload(headers, body)
    event = headers.get("x-forgejo-event") or event_name(headers, "X-Gitea-Event")
    delivery = first_header(headers, "x-forgejo-delivery", "x-gitea-delivery")
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
    files = read_commits(push.commits, payload=payload)
    update = checked_update(
        ref=push.ref,
        before=push.before,
        after=push.after,
        forced=None,
        files=files,
        incomplete=_why_incomplete(push, files),
    )
    return checked_push(push.repository.urls, [update], delivery_id=delivery)


def _parse_created(payload: Body, delivery: str | None) -> Push | Ignored:
    """A branch that was given its name by renaming another one has no push event, only this one.

    https://github.com/go-gitea/gitea/blob/main/services/repository/branch.go (RenameBranch).
    A branch that is new has both, this one first (services/repository/push.go, pushUpdates).
    """
    created = decode(_CREATED_DECODER, payload)
    if created.ref_type != "branch":
        reason = "the create event of a tag is not needed: the push event tells the same"
        return Ignored(reason=reason, delivery_id=delivery)
    if not created.ref or not created.sha:
        raise MalformedPayload("the event names no branch, or no commit of it")
    update = checked_update(
        ref=_BRANCH + created.ref.removeprefix(_BRANCH),
        before="0" * len(created.sha),
        after=created.sha,
        forced=None,
        files=FileLists(),
        incomplete=f"a create event lists no commits; {GIT_WOULD_KNOW}",
    )
    update = replace(update, is_foretold=True)
    return checked_push(created.repository.urls, [update], delivery_id=delivery)


def _why_incomplete(push: _Push, files: FileLists) -> str | None:
    if not files.commit_count:
        return files.trouble or f"no commits were listed for a ref that moved; {GIT_WOULD_KNOW}"
    if push.total_commits is None:
        return (
            "the payload does not say how many commits were pushed (Gitea does since 1.18); "
            + GIT_WOULD_KNOW
        )
    if push.total_commits != files.commit_count:
        return (
            f"{files.commit_count} of {push.total_commits} commits were listed; a higher"
            f" FEED_MAX_COMMIT_NUM in app.ini would list more, and {GIT_WOULD_KNOW}"
        )
    if not files.has_all:
        return f"the files of a commit were left out; {GIT_WOULD_KNOW}"
    return None


def encode_push(
    push: OutgoingPush,
    *,
    secret: bytes,
    delivery_id: str,
    now_seconds: float,
    names: tuple[str, ...] = ("Gitea", "Gogs"),
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Gitea would send *push*.

    The newest 5 commits are listed, newest first. The headers come in every one of *names* and in
    GitHub's manner; the SHA-1 signature among those is left out.
    """
    url = web_url(push.repository_url)
    pushed = () if is_zero(push.after) else push.commits[::-1]
    commits = [_commit(commit, url) for commit in pushed]
    payload = {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "compare_url": f"{url}/compare/{push.before}...{push.after}",
        "commits": commits[:COMMITS_MAX],
        "total_commits": len(commits),
        "head_commit": commits[0] if commits else None,
        "repository": _repository(push.repository_url),
    }
    body = json_body(payload)
    signature = sign_sha256(body, secret=secret)
    headers = {"Content-Type": JSON, "X-Hub-Signature-256": f"sha256={signature}"}
    for name in (*names, "GitHub"):
        headers[f"X-{name}-Event"] = headers[f"X-{name}-Event-Type"] = "push"
        headers[f"X-{name}-Delivery"] = delivery_id
    headers |= {f"X-{name}-Signature": signature for name in names}
    return headers, body


encode_forgejo_push = partial(encode_push, names=("Forgejo", "Gitea", "Gogs"))
"""The same with the headers that Forgejo adds."""


def _repository(repository_url: str) -> dict[str, object]:
    full_name = repository_path(repository_url)
    return {
        "name": full_name.rpartition("/")[2],
        "full_name": full_name,
        "html_url": web_url(repository_url),
        "clone_url": repository_url,
    }


def _commit(commit: OutgoingCommit, url: str) -> dict[str, object]:
    """A rename is its old name removed and its new one added."""
    author = {"name": commit.author_name, "email": commit.author_email}
    return {
        "id": commit.id,
        "message": commit.message,
        "timestamp": commit.timestamp,
        "url": f"{url}/commit/{commit.id}",
        "author": author,
        "committer": author,
        "added": [*commit.added, *(new for _, new in commit.renamed)],
        "removed": [*commit.removed, *(old for old, _ in commit.renamed)],
        "modified": commit.modified,
    }
