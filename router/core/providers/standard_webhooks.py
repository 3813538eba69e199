"""Our own JSON, signed as Standard Webhooks: for senders that have a library for it.

The body is that of `generic`, see docs/providers.md.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.ed25519 import may_be_public, private_key, public_key, sign_ed25519
from router.core.errors import SettingsInvalid
from router.core.providers.interface import JSON, first_header
from router.core.providers.plain import parse_plain, plain_body
from router.core.verify import (
    PUBLIC_KEY_PREFIX,
    is_standard,
    is_standard_public,
    sign_standard,
    signing_key,
    standard_content,
    verify_standard,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body
    from router.core.providers.interface import OutgoingPush
    from router.core.push import Ignored, Push

SIGNATURE_HEADER = "webhook-signature"
ID_HEADER = "webhook-id"
"""Signed, and the same whenever the sender tries again: it is the delivery's id."""

PRIVATE_KEY_PREFIX = b"whsk_"
"""What a private key starts with, where it signs; a hook only ever holds its public half."""


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the signature over id, timestamp and raw body. Raises InvalidSignature.

    A secret is a signing token (`whsec_`, then base64) or a public key (`whpk_`); the prefix of a
    token may be left out where it could not be a public key. A delivery that is older than five
    minutes is refused.
    """
    verify_standard(headers, body, secrets=secrets, now_seconds=now_seconds)


def secret_trouble(secret: bytes) -> str | None:
    """Why a hook's *secret* can verify nothing (a sentence without it), or None."""
    if may_be_public(secret):
        return "the secret may be a signing token or a public key: put whsec_ or whpk_ before it"
    if secret.startswith(PUBLIC_KEY_PREFIX):
        is_key = public_key(secret.removeprefix(PUBLIC_KEY_PREFIX)) is not None
        return None if is_key else "the secret begins with whpk_, and no Ed25519 key follows"
    is_token = signing_key(secret) is not None
    return None if is_token else "the secret is no signing token: it has to be whsec_ and base64"


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a signature of either kind."""
    value = headers.get(SIGNATURE_HEADER, "")
    return is_standard(value) or is_standard_public(value)


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    return parse_plain(headers, body, delivery_id=first_header(headers, ID_HEADER))


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of *push* in our own format; see `plain_body`.

    A *secret* that begins with `whsk_` is an Ed25519 private key, any other a signing token. Raises
    SettingsInvalid for one without a key.
    """
    body = plain_body(push)
    timestamp = str(int(now_seconds))
    headers = {
        "Content-Type": JSON,
        ID_HEADER: delivery_id,
        "webhook-timestamp": timestamp,
        SIGNATURE_HEADER: _signature(body, secret, delivery_id, timestamp),
    }
    return headers, body


def _signature(body: bytes, secret: bytes, delivery_id: str, timestamp: str) -> str:
    if secret.startswith(PRIVATE_KEY_PREFIX):
        private = private_key(secret.removeprefix(PRIVATE_KEY_PREFIX))
        if private is None:
            raise SettingsInvalid("the secret begins with whsk_, and no Ed25519 key follows")
        content = standard_content(body, message_id=delivery_id, timestamp=timestamp)
        return "v1a," + sign_ed25519(content, key=private)
    key = signing_key(secret)
    if key is None:
        raise SettingsInvalid("the secret is no signing token: it has to be whsec_ and base64")
    return sign_standard(body, key=key, message_id=delivery_id, timestamp=timestamp)
