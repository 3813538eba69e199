"""What every provider offers, and the steps all of them share.

A provider's module has four functions, `verify`, `is_signed`, `parse_push` and `encode_push`, and
knows no other provider. In every *headers* the names are in lower case, and a header that was sent
more than once is joined by ", ". A provider that cannot sign has `cannot_sign` and `never_signed`
for the first two: its hooks ask for credentials (`auth:` in the routing file).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import InvalidSignature, MalformedPayload, UnsupportedMedia
from router.core.forms import form_payload, form_pieces
from router.core.lists import FileLists
from router.core.naming import normalize_url
from router.core.push import Commit, Ignored, Push, RefUpdate
from router.core.verify import verify_sha256, verify_sha256_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from router.core.forms import Body

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

MAX_UPDATES = 1000
"""Refs of one delivery that are told apart; hosts send one each, or a handful. Of more any may have
moved."""

TOO_MANY_REFS = f"too many refs moved to be told one by one, so any may have; {GIT_WOULD_KNOW}"

MAX_REF_CHARACTERS = 4096
"""The longest name of a ref: Git keeps refs as files, and Linux has no longer path (PATH_MAX)."""

MAX_DELIVERY_ID_CHARACTERS = 256
"""The longest id of a delivery; UUIDs have 36, two commit ids and more fit."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/[^\0\r\n]+")
_EVENT = re.compile(r"[A-Za-z0-9 ._:-]{1,64}")
_SURROGATES = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
"""What a JSON encoder writes for bytes of a file name that are not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCommit:
    """One commit of a push that we send, with its files compared to its first parent."""

    id: Commit
    message: str
    timestamp: str
    """ISO 8601 with offset."""
    author_name: str
    author_email: str
    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """(old, new); in none of the lists above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingPush:
    """A push that we send in a provider's name: one ref that moved."""

    repository_url: str
    ref: str
    before: Commit
    after: Commit
    forced: bool
    commits: tuple[OutgoingCommit, ...]
    """Oldest first."""


class Verify(Protocol):
    def __call__(
        self,
        headers: Mapping[str, str],
        body: Body,
        *,
        secrets: Sequence[bytes],
        now_seconds: float,
    ) -> None:
        """Return if one of *secrets* proves the body authentic. Raises InvalidSignature."""


class IsSigned(Protocol):
    def __call__(self, headers: Mapping[str, str]) -> bool:
        """Whether the header that `verify` would check holds what could be a proof by its form."""


class ParsePush(Protocol):
    def __call__(self, headers: Mapping[str, str], body: Body) -> Push | Ignored:
        """Read a delivery; a *body* that is a bytearray may be cleared.

        Raises MalformedPayload or UnsupportedMedia, whatever the bytes are.
        """


class EncodePush(Protocol):
    def __call__(
        self, push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
    ) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body by which the provider would send *push*, signed."""


def never_troubled(secret: bytes) -> None:
    """`secret_trouble` of a provider whose secrets may be any text."""


def no_url_forms(_path: str, /) -> Sequence[str]:
    """`url_forms` of a provider whose URLs have a repository's name as it is."""
    return ()


class UrlForms(Protocol):
    def __call__(self, path: str, /) -> Sequence[str]:
        """What URLs over HTTP have in place of *path*, a repository's name on its host.

        Only for providers whose payloads may name a repository without a URL.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A kind of host that sends deliveries, and how these are verified."""

    name: str
    verify: Verify
    is_signed: IsSigned
    secret_trouble: Callable[[bytes], str | None] = never_troubled
    """Why a secret can verify nothing (a sentence without it), or None."""

    @property
    def can_sign(self) -> bool:
        """Whether it can prove a body; if not, its hooks need `auth`."""
        return self.verify is not cannot_sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Sender):
    """A kind of Git host: how its deliveries are verified, read and written."""

    parse_push: ParsePush
    encode_push: EncodePush
    ignores_case: bool = False
    """Whether owners and repositories whose names differ in case only are the same there."""
    url_forms: UrlForms = no_url_forms


def cannot_sign(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """`verify` of a provider that has no signature: nothing proves a body. Raises always."""
    raise InvalidSignature("this provider signs nothing: its hook needs `auth`")


def never_signed(headers: Mapping[str, str]) -> bool:
    """`is_signed` of a provider that has no signature."""
    return False


def media_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def json_payload(headers: Mapping[str, str], body: Body) -> Body:
    """Return *body*, which has to be JSON by its content type. Raises UnsupportedMedia."""
    if media_type(headers) != JSON:
        raise UnsupportedMedia(f"the content type has to be {JSON}")
    return body


def json_or_form_payload(headers: Mapping[str, str], body: Body) -> Body:
    """Return the JSON text of a body that is JSON or a form with a `payload` field.

    A form that is a bytearray is cleared.
    Raises UnsupportedMedia, or MalformedPayload for a form that does not hold it.
    """
    kind = media_type(headers)
    if kind == FORM:
        return form_payload(body)
    if kind != JSON:
        raise UnsupportedMedia(f"the content type has to be {JSON} or {FORM}")
    return body


def verify_payload_sha256(
    headers: Mapping[str, str],
    body: Body,
    *,
    header: str,
    secrets: Sequence[bytes],
    prefix: str = "",
) -> None:
    """Check the HMAC of the JSON text, which in a form is the decoded field, not the body.

    Raises InvalidSignature.
    """
    if media_type(headers) != FORM:
        verify_sha256(headers, body, header=header, secrets=secrets, prefix=prefix)
        return
    try:
        pieces = form_pieces(body)
    except MalformedPayload as error:
        raise InvalidSignature(f"there is nothing to verify: {error}") from error
    verify_sha256_pieces(headers, pieces, header=header, secrets=secrets, prefix=prefix)


def event_name(headers: Mapping[str, str], header: str) -> str:
    """The event a delivery tells of; *header* is written as the provider writes it.

    Raises MalformedPayload when it is missing.
    """
    event = headers.get(header.lower(), "")
    if not event:
        raise MalformedPayload(f"no {header} header")
    return event


def refuse_imitations(
    headers: Mapping[str, str], *, imitators: Sequence[str] = ("Forgejo", "Gitea", "Gogs")
) -> None:
    """Refuse a delivery of a host that sends the headers of another beside its own.

    All three send GitHub's, and Gitea and Forgejo those of Gogs, too; but each lists and tells
    other things than the host whose headers it has:
    https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go (addDefaultHeaders),
    https://github.com/gogs/gogs/blob/main/internal/database/webhook.go (deliver).
    Raises MalformedPayload.
    """
    for name in imitators:
        if f"x-{name.lower()}-event" in headers:
            raise MalformedPayload(
                f"the webhook is one of {name}: its hook needs the provider {name.lower()}"
            )


def other_event(event: str, *, delivery_id: str | None) -> Ignored:
    """The answer to an event that is no push; only a name that looks like one is repeated."""
    name = f"{event} event" if _EVENT.fullmatch(event) else "event"
    return Ignored(reason=f"the {name} is not a push", delivery_id=delivery_id)


def first_header(headers: Mapping[str, str], *names: str) -> str | None:
    """The first of the named headers that is not empty; *names* are in lower case."""
    for name in names:
        if headers.get(name):
            return headers[name]
    return None


def check_delivery_id(delivery_id: str | None) -> None:
    """Refuse an id that is too long to be kept and told. Raises MalformedPayload."""
    if delivery_id is not None and len(delivery_id) > MAX_DELIVERY_ID_CHARACTERS:
        told = f"the delivery's id is longer than {MAX_DELIVERY_ID_CHARACTERS} characters"
        raise MalformedPayload(told)


def checked_update(
    *,
    ref: str,
    before: str,
    after: str,
    forced: bool | None,
    files: FileLists,
    incomplete: str | None,
) -> RefUpdate:
    """Make a ref update of what a payload says.

    Raises MalformedPayload for what cannot be a ref or a commit id. Lists that have trouble are
    incomplete, whatever the provider's rules say.
    """
    if len(ref) > MAX_REF_CHARACTERS:
        raise MalformedPayload(f"ref is longer than {MAX_REF_CHARACTERS} characters")
    if not _REF.fullmatch(ref):
        raise MalformedPayload("ref is not the full name of a ref, such as refs/heads/main")
    return RefUpdate(
        ref=ref,
        before=_checked_commit("before", before),
        after=_checked_commit("after", after),
        forced=forced,
        paths=tuple(files.paths),
        incomplete=incomplete or files.trouble,
    )


def listless_update(
    *, ref: str, before: str, after: str, forced: bool | None, host: str
) -> RefUpdate:
    """Make a ref update of a payload whose provider, *host*, lists no files at all.

    Raises MalformedPayload for what cannot be a ref or a commit id.
    """
    return checked_update(
        ref=ref,
        before=before,
        after=after,
        forced=forced,
        files=FileLists(),
        incomplete=f"{host} does not tell which files changed; {GIT_WOULD_KNOW}",
    )


def checked_push(
    urls: Iterable[str | None],
    updates: Sequence[RefUpdate],
    *,
    delivery_id: str | None,
    path: str | None = None,
    refs_not_told: str | None = None,
) -> Push | Ignored:
    """Make a push of its updates, without those that move nothing.

    *path* is the repository's name on its host, for a payload that may have no URL. Where
    *refs_not_told* says why the payload does not tell which refs moved, there are no updates, nor
    are there where there are too many. Raises MalformedPayload when nothing names the repository.
    """
    if len(updates) > MAX_UPDATES:
        updates, refs_not_told = (), TOO_MANY_REFS
    repository_urls = tuple(dict.fromkeys(url for url in urls if url))
    if not repository_urls and not path:
        raise MalformedPayload("the payload names no URL of the repository")
    moved = tuple(update for update in updates if update.before != update.after)
    if not moved and refs_not_told is None:
        reason = "nothing moved: before and after are the same commit, as in a test delivery"
        return Ignored(reason=reason, delivery_id=delivery_id)
    return Push(
        repository_urls=repository_urls,
        updates=moved,
        delivery_id=delivery_id,
        repository_path=path or None,
        refs_not_told=refs_not_told,
    )


def json_body(payload: Mapping[str, object]) -> bytes:
    """Encode a payload that we send; what is not UTF-8 is replaced, as the providers do."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return _SURROGATES.sub(_REPLACEMENT, text).encode()


def web_url(repository_url: str) -> str:
    """The URL without `.git`, where the providers show a repository."""
    return repository_url.rstrip("/").removesuffix(".git")


def repository_path(repository_url: str) -> str:
    """The repository's full name on its host, e.g. acme/fleet."""
    return normalize_url(repository_url).partition("/")[2]


def _checked_commit(field: str, text: str) -> Commit:
    commit = text.lower()
    if not _COMMIT.fullmatch(commit):
        raise MalformedPayload(f"{field} is not a commit id of 40 or 64 hex digits")
    return commit
