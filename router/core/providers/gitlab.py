"""GitLab.com and self-managed GitLab: webhooks of projects and groups, and system hooks.

https://docs.gitlab.com/user/project/integrations/webhooks/
https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import InvalidSignature, SettingsInvalid
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
    json_payload,
    other_event,
    repository_path,
    web_url,
)
from router.core.push import Ignored, Push, is_zero
from router.core.verify import (
    SIGNING_TOKEN_PREFIX,
    is_standard,
    sign_standard,
    signing_key,
    verify_standard,
    verify_token,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body
    from router.core.lists import FileLists

TOKEN_HEADER = "X-Gitlab-Token"  # noqa: S105 - the name of a header
SIGNATURE_HEADER = "webhook-signature"

COMMITS_MAX = 20
"""Commits a push payload lists at most, the newest; total_commits_count tells of the others."""


class _Repository(msgspec.Struct, frozen=True, gc=False):
    """Both `project` and the older `repository`."""

    git_http_url: str | None = None
    git_ssh_url: str | None = None
    http_url: str | None = None
    ssh_url: str | None = None
    web_url: str | None = None
    homepage: str | None = None
    url: str | None = None

    @property
    def urls(self) -> tuple[str | None, ...]:
        return msgspec.structs.astuple(self)


class _Push(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    project: _Repository | None = None
    repository: _Repository | None = None
    commits: msgspec.Raw = ABSENT
    total_commits_count: int | None = None


class _Kind(msgspec.Struct, frozen=True, gc=False):
    """What a system hook is about; a project's webhook says it in a header."""

    object_kind: str | None = None
    event_name: str | None = None


_PUSH_DECODER = msgspec.json.Decoder(_Push)
_KIND_DECODER = msgspec.json.Decoder(_Kind)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the signature, or the secret token where there is no signature.

    A signature that is there has to fit: falling back to the token would let whoever has seen one
    forge any body. Secrets that begin with `whsec_` are signing tokens and never compared with
    the token header. Raises InvalidSignature.
    """
    tokens = [secret for secret in secrets if not secret.startswith(SIGNING_TOKEN_PREFIX)]
    keys = [secret for secret in secrets if secret.startswith(SIGNING_TOKEN_PREFIX)]
    if not headers.get(SIGNATURE_HEADER):
        verify_token(headers, header=TOKEN_HEADER, secrets=tokens)
    elif not keys:
        raise InvalidSignature("the delivery is signed, and this hook has no whsec_ signing token")
    else:
        verify_standard(headers, body, secrets=keys, now_seconds=now_seconds)


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a signature, or a secret token and no signature."""
    signature = headers.get(SIGNATURE_HEADER)
    return is_standard(signature) if signature else bool(headers.get(TOKEN_HEADER.lower()))


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    event = event_name(headers, "X-Gitlab-Event")
    # The first two are the same and stay the same over retries; older versions have the last.
    delivery = first_header(headers, "webhook-id", "idempotency-key", "x-gitlab-event-uuid")
    if event == "System Hook":
        kind = decode(_KIND_DECODER, payload)
        event = kind.object_kind or kind.event_name or event
    if event not in ("Push Hook", "Tag Push Hook", "push", "tag_push"):
        return other_event(event, delivery_id=delivery)
    return _parse(payload, delivery)


def _parse(payload: Body, delivery: str | None) -> Push | Ignored:
    push = decode(_PUSH_DECODER, payload)
    files = read_commits(push.commits, payload=payload)
    update = checked_update(
        ref=push.ref,
        before=push.before,
        after=push.after,
        forced=None,
        files=files,
        incomplete=_why_incomplete(push, files),
    )
    names = [names for names in (push.project, push.repository) if names is not None]
    urls = [url for name in names for url in name.urls]
    return checked_push(urls, [update], delivery_id=delivery)


def _why_incomplete(push: _Push, files: FileLists) -> str | None:
    if not files.commit_count:
        return files.trouble or f"GitLab listed no commits for a ref that moved; {GIT_WOULD_KNOW}"
    if push.total_commits_count is None:
        return f"the payload does not say how many commits were pushed; {GIT_WOULD_KNOW}"
    if push.total_commits_count != files.commit_count:
        told = f"{files.commit_count} of {push.total_commits_count}"
        return f"GitLab listed {told} commits; {GIT_WOULD_KNOW}"
    if not files.has_all:
        return f"GitLab left out the files of a commit; {GIT_WOULD_KNOW}"
    if files.added_count:
        return (
            "a file was added, and GitLab does not list the old name of a file that was renamed; "
            + GIT_WOULD_KNOW
        )
    return None


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which GitLab would send *push*.

    Only the newest 20 commits are listed. A secret that begins with `whsec_` signs the body, any
    other is sent as the secret token. Raises SettingsInvalid for a signing token without a key.
    """
    is_tag = push.ref.startswith("refs/tags/")
    kind = "tag_push" if is_tag else "push"
    commits = () if is_zero(push.after) else push.commits
    url = web_url(push.repository_url)
    payload = {
        "object_kind": kind,
        "event_name": kind,
        "before": push.before,
        "after": push.after,
        "ref": push.ref,
        "checkout_sha": None if is_zero(push.after) else push.after,
        "project": _project(push.repository_url),
        "commits": [_commit(commit, url) for commit in commits[-COMMITS_MAX:]],
        "total_commits_count": len(commits),
    }
    body = json_body(payload)
    headers = {
        "Content-Type": JSON,
        "X-Gitlab-Event": "Tag Push Hook" if is_tag else "Push Hook",
        "X-Gitlab-Event-UUID": delivery_id,
        "Idempotency-Key": delivery_id,
    }
    headers |= _proof(body, secret=secret, delivery_id=delivery_id, now_seconds=now_seconds)
    return headers, body


def _proof(body: bytes, *, secret: bytes, delivery_id: str, now_seconds: float) -> dict[str, str]:
    if not secret.startswith(SIGNING_TOKEN_PREFIX):
        return {TOKEN_HEADER: secret.decode("latin-1")}
    key = signing_key(secret)
    if key is None:
        raise SettingsInvalid("the secret begins with whsec_, and what follows is not base64")
    timestamp = str(int(now_seconds))
    signature = sign_standard(body, key=key, message_id=delivery_id, timestamp=timestamp)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }


def _project(repository_url: str) -> dict[str, object]:
    path = repository_path(repository_url)
    return {
        "name": path.rpartition("/")[2],
        "path_with_namespace": path,
        "web_url": web_url(repository_url),
        "git_http_url": repository_url,
    }


def _commit(commit: OutgoingCommit, url: str) -> dict[str, object]:
    """List a renamed file under its new name only, as one that was added."""
    return {
        "id": commit.id,
        "message": commit.message,
        "timestamp": commit.timestamp,
        "url": f"{url}/-/commit/{commit.id}",
        "author": {"name": commit.author_name, "email": commit.author_email},
        "added": [*commit.added, *(new for _, new in commit.renamed)],
        "modified": commit.modified,
        "removed": commit.removed,
    }
