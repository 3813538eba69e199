"""Bitbucket Data Center, and Bitbucket Server before it: webhooks of repositories and projects.

https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload
from router.core.lists import decode, is_countable
from router.core.naming import MAX_URL_CHARACTERS
from router.core.providers.interface import (
    JSON,
    TOO_MANY_REFS,
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
)
from router.core.push import Ignored, Push, RefUpdate, is_zero
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Hub-Signature"
"""It holds a SHA-256 here; the SHA-1 that other senders put into it never verifies."""

EVENT_HEADER = "X-Event-Key"

DELIVERY_HEADER = "X-Request-Id"
"""One for each request; nothing is sent twice. A proxy may put its own id there, which does no
harm: only a request with the same body and the same id is a duplicate."""

COMMITS_MAX = 5
"""Commits that a payload lists by default, the newest; older versions list none."""

MAX_LINKS = 20
"""Links of each kind that are read; Bitbucket sends one for HTTP, one for SSH, and one page."""

MIRRORED = "mirror:repo_synchronized"

NO_CHANGES = f"Bitbucket did not tell which refs the push moved, so any may have; {GIT_WOULD_KNOW}"
"""As for a pull request that was merged elsewhere.

https://docs.atlassian.com/bitbucket-server/javadoc/5.7.0/api/reference/com/atlassian/bitbucket/event/repository/RepositoryRefsChangedEvent.html
"""


class _Ref(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Change(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A ref that moved; zeros stand for a side on which it is not there."""

    ref: _Ref
    from_hash: str
    to_hash: str


class _Link(msgspec.Struct, frozen=True, gc=False):
    href: str | None = None


class _Links(msgspec.Struct, frozen=True, gc=False):
    clone: list[_Link] | None = None
    pages: list[_Link] | None = msgspec.field(default=None, name="self")


class _Project(msgspec.Struct, frozen=True, gc=False):
    key: str | None = None


class _Repository(msgspec.Struct, frozen=True, gc=False):
    slug: str | None = None
    project: _Project | None = None
    links: _Links | None = None


class _Delivery(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    repository: _Repository
    changes: msgspec.Raw
    ref_limit_exceeded: bool | None = None
    """Of a mirror's event: whether the changes were left out because they were too many."""


_DECODER = msgspec.json.Decoder(_Delivery)
_CHANGES_DECODER = msgspec.json.Decoder(list[_Change])


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC-SHA256 of the raw body. Raises InvalidSignature."""
    verify_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets, prefix="sha256=")


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a SHA-256 signature.

    The ping of *Test connection* is no exception, though it may come unsigned: if it passed here,
    anybody could have bodies read and deliveries kept.
    """
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""), prefix="sha256=")


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    event = event_name(headers, EVENT_HEADER)
    delivery = first_header(headers, DELIVERY_HEADER.lower())
    match event:
        case "repo:refs_changed" | "mirror:repo_synchronized":
            return _parse(event, payload, delivery)
        case "diagnostics:ping":
            return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery)
        case "repo:push":
            raise MalformedPayload(
                "repo:push is an event of Bitbucket Cloud, whose hook has the provider bitbucket,"
                " or of a plugin; Data Center's own webhooks send repo:refs_changed"
            )
    return other_event(event, delivery_id=delivery)


def _parse(event: str, payload: Body, delivery: str | None) -> Push | Ignored:
    read = decode(_DECODER, payload)
    is_cut = bool(read.ref_limit_exceeded) or not is_countable(payload)
    changes = [] if is_cut else decode(_CHANGES_DECODER, read.changes, "changes")
    if event == MIRRORED and not is_cut and not changes and read.ref_limit_exceeded is False:
        return Ignored(reason="the mirror found no ref that moved", delivery_id=delivery)
    urls = _urls(read.repository)
    return checked_push(
        urls,
        [] if is_cut else [_update(change) for change in changes],
        delivery_id=delivery,
        path=None if urls else _path(read.repository),
        refs_not_told=TOO_MANY_REFS if is_cut else None if changes else NO_CHANGES,
    )


def _update(change: _Change) -> RefUpdate:
    return listless_update(
        ref=change.ref.id,
        before=change.from_hash,
        after=change.to_hash,
        forced=None,
        host="Bitbucket",
    )


def _path(repository: _Repository) -> str | None:
    """The end that all URLs of the repository have; None also for what is too long for one."""
    key = repository.project.key if repository.project else None
    path = f"{key}/{repository.slug}" if key and repository.slug else None
    return None if path is None or len(path) > MAX_URL_CHARACTERS else path


def _urls(repository: _Repository) -> list[str]:
    """The links to the repository, and others that lead there."""
    links, path = repository.links or _Links(), _path(repository)
    pages = [page.removesuffix("/browse") for page in _hrefs(links.pages)]
    urls = [*_hrefs(links.clone), *pages]
    if path is not None:
        urls += [form for url in urls for form in _other_forms(url, path)]
    return list(dict.fromkeys(urls))


def _hrefs(links: Sequence[_Link] | None) -> list[str]:
    if links and len(links) > MAX_LINKS:
        raise MalformedPayload(f"the repository has more than {MAX_LINKS} links of a kind")
    hrefs = (link.href for link in links or ())
    return [href for href in hrefs if href and len(href) <= MAX_URL_CHARACTERS]


def _other_forms(url: str, path: str) -> Iterator[str]:
    """What else a routing file may hold for *url*, a link to the repository *path*.

    Keys of projects are told in upper case and stand in clone URLs in lower case, but work in
    either. The page may be there in place of a clone URL, and SSH is on the same host if no link
    tells another one.
    """
    key, _, slug = path.partition("/")
    base = _base(url)
    for name in (key.lower(), key):
        if base is not None:
            host = base.partition("://")[2].partition("/")[0]
            yield f"{base}/scm/{name}/{slug}.git"
            yield f"{base}/projects/{name}/repos/{slug}"
            yield f"ssh://{host}/{name}/{slug}.git"
        elif url.endswith(f"/{key.lower()}/{slug}.git"):
            yield url.removesuffix(f"{key.lower()}/{slug}.git") + f"{name}/{slug}.git"


def _base(url: str) -> str | None:
    """The address of the instance, with its context path, that a link over HTTP begins with."""
    for part in ("/scm/", "/projects/", "/users/"):
        base, found, _ = url.partition(part)
        if found:
            return base
    return None


def url_forms(path: str) -> Sequence[str]:
    """Where a repository is cloned from over HTTP, and its page; a person's project has two."""
    key, _, slug = path.partition("/")
    forms = [f"scm/{path}", f"projects/{key}/repos/{slug}"]
    if key.startswith("~"):
        forms.append(f"users/{key.removeprefix('~')}/repos/{slug}")
    return forms


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Bitbucket would send *push*.

    The newest 5 commits are listed, newest first and without files; whether the push was forced is
    not told.
    """
    newest = () if is_zero(push.after) else push.commits[::-1][:COMMITS_MAX]
    payload = {
        "eventKey": "repo:refs_changed",
        "repository": _repository(push.repository_url),
        "changes": [_change(push)],
        "commits": [_commit(commit) for commit in newest],
    }
    body = json_body(payload)
    headers = {
        "Content-Type": f"{JSON}; charset=utf-8",
        EVENT_HEADER: "repo:refs_changed",
        DELIVERY_HEADER: delivery_id,
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body


def _change(push: OutgoingPush) -> dict[str, object]:
    kind = "TAG" if push.ref.startswith("refs/tags/") else "BRANCH"
    short = push.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    moved = "DELETE" if is_zero(push.after) else "ADD" if is_zero(push.before) else "UPDATE"
    return {
        "ref": {"id": push.ref, "displayId": short, "type": kind},
        "refId": push.ref,
        "fromHash": push.before,
        "toHash": push.after,
        "type": moved,
    }


def _repository(repository_url: str) -> dict[str, object]:
    owner, _, slug = repository_path(repository_url).rpartition("/")
    key = owner.rpartition("/")[2].upper()
    is_http = repository_url.startswith(("http://", "https://"))
    return {
        "slug": slug,
        "name": slug,
        "scmId": "git",
        "project": {"key": key},
        "links": {"clone": [{"href": repository_url, "name": "http" if is_http else "ssh"}]},
    }


def _commit(commit: OutgoingCommit) -> dict[str, object]:
    return {
        "id": commit.id,
        "displayId": commit.id[:11],
        "message": commit.message,
        "author": {"name": commit.author_name, "emailAddress": commit.author_email},
    }
