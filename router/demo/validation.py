"""The checks that Flux's Receivers make of a call, by their type, written from Flux's contract."""

from __future__ import annotations

from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.demo.receivers import StandInReceiver

_DIGESTS = frozenset({"sha1", "sha256", "sha512"})

_EVENT_HEADERS = {
    "github": "x-github-event",
    "gitlab": "x-gitlab-event",
    "bitbucket": "x-event-key",
}

_TYPED_CONTENT = frozenset({"application/json", "application/x-www-form-urlencoded"})


def is_accepted(receiver: StandInReceiver, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether Flux would take a call for authentic and wanted, by the receiver's type."""
    return _is_authentic(receiver, headers, body) and _is_wanted(receiver, headers)


def _is_authentic(receiver: StandInReceiver, headers: Mapping[str, str], body: bytes) -> bool:
    match receiver.type:
        case "generic":
            return True
        case "generic-hmac":
            return _is_signed(headers.get("x-signature", ""), receiver.token, body)
        case "generic-oidc":
            return headers.get("authorization") == f"Bearer {receiver.token.decode('latin-1')}"
        case "gitlab":
            return headers.get("x-gitlab-token", "") == receiver.token.decode("latin-1")
        case "github" | "bitbucket":
            return _is_signed_hub(receiver, headers, body)


def _is_signed_hub(receiver: StandInReceiver, headers: Mapping[str, str], body: bytes) -> bool:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in _TYPED_CONTENT:
        return False
    signature = headers.get("x-hub-signature-256") or headers.get("x-hub-signature", "")
    return not receiver.token or _is_signed(signature, receiver.token, body)


def _is_signed(signature: str, token: bytes, body: bytes) -> bool:
    prefix, _, digest = signature.partition("=")
    if prefix not in _DIGESTS:
        return False
    try:
        return compare_digest(bytes.fromhex(digest), hmac_digest(token, body, prefix))
    except ValueError:
        return False


def _is_wanted(receiver: StandInReceiver, headers: Mapping[str, str]) -> bool:
    header = _EVENT_HEADERS.get(receiver.type)
    if header is None or not receiver.events:
        return True
    return headers.get(header, "").lower() in {event.lower() for event in receiver.events}
