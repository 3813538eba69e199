"""SourceHut: git.sr.ht and self-hosted instances, by their GraphQL webhooks.

The body is the answer to a query that is entered with the webhook; docs/providers.md has it.

https://man.sr.ht/graphql.md
https://git.sr.ht/~sircmpwn/git.sr.ht/tree/master/item/api/graph/schema.graphqls (GitEvent)
https://git.sr.ht/~sircmpwn/git.sr.ht/tree/master/item/api/webhooks/webhooks.go (DeliverGitEvent)
https://git.sr.ht/~sircmpwn/core-go/tree/master/item/crypto/crypto.go (SignWebhook)
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.ed25519 import is_ed25519, private_key, sign_ed25519
from router.core.errors import InvalidSignature, MalformedPayload, SettingsInvalid
from router.core.lists import MAX_BRACES, decode, is_countable
from router.core.providers.interface import (
    JSON,
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
from router.core.verify import verify_ed25519

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Payload-Signature"
NONCE_HEADER = "X-Payload-Nonce"
EVENT_HEADER = "X-Webhook-Event"
DELIVERY_HEADER = "X-Webhook-Delivery"

NO_ANSWER = f"SourceHut could not answer the query of the webhook in full; {GIT_WOULD_KNOW}"
NO_REPOSITORY = "the query of the webhook does not ask for the repository's name and its owner"
NO_UPDATES = "the query of the webhook does not ask for the updates with ref, old and new"
NO_REF = f"SourceHut does not name a ref that is new, so that it may be any; {GIT_WOULD_KNOW}"
LEGACY = (
    "the legacy webhooks of SourceHut do not name the repository; one made with GraphQL does, see"
    " docs/providers.md"
)

_NONCE = re.compile(r"[0-9a-f]{16,128}")
"""What the signature is over besides the body: 8 random bytes in hex."""


class _Owner(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    canonical_name: str


class _Repository(msgspec.Struct, frozen=True, gc=False):
    name: str
    owner: _Owner


class _Reference(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Object(msgspec.Struct, frozen=True, gc=False):
    id: str


_Side: TypeAlias = _Object | msgspec.UnsetType | None


class _Update(msgspec.Struct, frozen=True, gc=False):
    """A ref that moved. Null is what SourceHut does not have, UNSET what was not asked for."""

    ref: _Reference | msgspec.UnsetType | None = msgspec.UNSET
    old: _Side = msgspec.UNSET
    new: _Side = msgspec.UNSET


class _Webhook(msgspec.Struct, frozen=True, gc=False):
    uuid: str | None = None
    repository: _Repository | None = None
    updates: list[_Update | None] | None = None


class _Data(msgspec.Struct, frozen=True, gc=False):
    webhook: _Webhook | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """https://spec.graphql.org/October2021/#sec-Response-Format"""

    data: _Data | None = None
    errors: list[msgspec.Raw] | None = None


class _Legacy(msgspec.Struct, frozen=True, gc=False):
    push: str
    refs: list[msgspec.Raw]


_DECODER = msgspec.json.Decoder(_Answer)
_LEGACY_DECODER = msgspec.json.Decoder(_Legacy)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the Ed25519 signature over body and nonce. Raises InvalidSignature.

    A secret is the public key of the instance, as base64; it is no secret, but has to be the right
    one. The signature has no time in it: what stops a replay is that the id of the delivery is part
    of the body, where the query asks for it.
    """
    nonce = headers.get(NONCE_HEADER.lower(), "")
    if not nonce:
        raise InvalidSignature(f"no {NONCE_HEADER} header")
    if not _NONCE.fullmatch(nonce):
        raise InvalidSignature(f"the {NONCE_HEADER} header is not hex")
    content = b"".join((body, nonce.encode("ascii")))
    verify_ed25519(headers, content, header=SIGNATURE_HEADER, secrets=secrets)


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether signature and nonce could be those of a signed body."""
    nonce = headers.get(NONCE_HEADER.lower(), "")
    is_nonce = _NONCE.fullmatch(nonce) is not None
    return is_nonce and is_ed25519(headers.get(SIGNATURE_HEADER.lower(), ""))


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    event = event_name(headers, EVENT_HEADER)
    delivery = first_header(headers, DELIVERY_HEADER.lower())
    match event:
        case "GIT_POST_RECEIVE":
            return _parse(payload, delivery)
        case "GIT_PRE_RECEIVE":
            reason = "the push is not yet there: only GIT_POST_RECEIVE tells that it is"
            return Ignored(reason=reason, delivery_id=delivery)
        case "repo:post-update":
            decode(_LEGACY_DECODER, payload)
            return _any_ref(None, LEGACY, delivery)
    return other_event(event, delivery_id=delivery)


def _parse(payload: Body, delivery: str | None) -> Push | Ignored:
    if not is_countable(payload):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    answer = decode(_DECODER, payload)
    webhook = answer.data.webhook if answer.data else None
    if webhook is None:
        if not answer.errors:
            raise MalformedPayload("the payload is not the answer to the query of a webhook")
        return _any_ref(None, NO_ANSWER, delivery)
    delivery = webhook.uuid or delivery
    path = _path(webhook.repository)
    why = NO_ANSWER if answer.errors else _why_not_told(webhook)
    if why is not None:
        return _any_ref(path, why, delivery)
    updates = [_checked(update) for update in webhook.updates or () if update and update.ref]
    if not updates:
        reason = "a deleted ref notifies nothing" if webhook.updates else "no ref was updated"
        return Ignored(reason=reason, delivery_id=delivery)
    return checked_push([], updates, delivery_id=delivery, path=path)


def _why_not_told(webhook: _Webhook) -> str | None:
    """Why the answer does not tell which refs moved; a ref that is deleted has no name in it."""
    if webhook.repository is None:
        return NO_REPOSITORY
    if webhook.updates is None:
        return NO_UPDATES
    for update in webhook.updates:
        if update is None:
            return NO_ANSWER
        if msgspec.UNSET in (update.ref, update.old, update.new):
            return NO_UPDATES
        if update.ref is None and update.new is not None:
            return NO_REF
    return None


def _path(repository: _Repository | None) -> str | None:
    if repository is None:
        return None
    if not repository.name:
        raise MalformedPayload("the repository has no name")
    return f"{repository.owner.canonical_name}/{repository.name}".lstrip("/")


def _any_ref(path: str | None, why: str, delivery: str | None) -> Push:
    return Push(
        repository_urls=(),
        updates=(),
        delivery_id=delivery,
        repository_path=path,
        refs_not_told=why,
    )


def _checked(update: _Update) -> RefUpdate:
    before = update.old.id if update.old else ""
    after = update.new.id if update.new else ""
    return listless_update(
        ref=update.ref.name if update.ref else "",
        before=before if update.old else "0" * len(after),
        after=after if update.new else "0" * len(before),
        forced=None,
        host="SourceHut",
    )


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which SourceHut would send *push*.

    The *secret* is the private key: the base64 of its seed, as the configuration of an instance has
    it; the hook holds the public key that goes with it. A ref that is new or deleted is not named.
    Raises SettingsInvalid for a secret that is no private key.
    """
    key = private_key(secret)
    if key is None:
        raise SettingsInvalid("the secret is no Ed25519 private key: the base64 of 32 bytes")
    body = json_body({"data": {"webhook": _webhook(push, delivery_id)}})
    # The nonce of SourceHut is random; one that follows from the id will do for an imitation.
    nonce = sha256(delivery_id.encode()).hexdigest()[:16]
    headers = {
        "Content-Type": JSON,
        EVENT_HEADER: "GIT_POST_RECEIVE",
        DELIVERY_HEADER: delivery_id,
        NONCE_HEADER: nonce,
        SIGNATURE_HEADER: sign_ed25519(body + nonce.encode("ascii"), key=key),
    }
    return headers, body


def _webhook(push: OutgoingPush, delivery_id: str) -> dict[str, object]:
    owner, _, name = repository_path(push.repository_url).rpartition("/")
    is_named = not is_zero(push.before) and not is_zero(push.after)
    update = {
        "ref": {"name": push.ref} if is_named else None,
        "old": None if is_zero(push.before) else {"id": push.before},
        "new": None if is_zero(push.after) else {"id": push.after},
    }
    return {
        "uuid": delivery_id,
        "event": "GIT_POST_RECEIVE",
        "repository": {"name": name, "owner": {"canonicalName": owner}},
        "updates": [update],
    }
