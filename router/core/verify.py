"""Proof that a delivery is authentic: signatures, tokens and credentials, over the raw bytes.

Every comparison takes the same time wherever the two values differ, and is made on bytes:
`hmac.compare_digest` raises on text that is not ASCII, and a sender chooses that text. Several
secrets are accepted at once, so that one can be replaced without a gap; an empty secret or
signature never verifies. A message names the header that is missing or wrong, never its content.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import TYPE_CHECKING

from router.core.ed25519 import is_ed25519, is_signed_by, may_be_public, public_key
from router.core.errors import InvalidSignature
from router.core.routing import BasicAuth, HeaderAuth, PathAuth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from router.core.forms import Body
    from router.core.routing import SecretAuth

SIGNING_TOKEN_PREFIX = b"whsec_"
"""What a Standard Webhooks secret starts with; its base64 text follows.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

PUBLIC_KEY_PREFIX = b"whpk_"
"""What a Standard Webhooks public key starts with; its base64 text follows."""

MAX_PUBLIC_SIGNATURES = 4
"""Entries that are checked with public keys, the first ones: each costs a pass over the body, and
the list comes from a stranger. A sender that replaces its key sends two."""

SIGNATURE_TOLERANCE_SECONDS = 300
"""How far a signed timestamp may be from our clock, either way; as the reference libraries do."""

_MISMATCH = "the signature does not match any secret of this hook"
_UNUSABLE = "this hook has no secret that can verify this delivery"
_WRONG_CREDENTIALS = "the credentials are not those of this hook"
_HEX = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
_MAX_TIMESTAMP_DIGITS = 12
"""Seconds since 1970 stay within 12 digits for some thirty thousand years."""


def header_bytes(value: str) -> bytes:
    """Return the bytes a header had on the wire; empty if it cannot have come from one.

    HTTP servers hand headers over as Latin-1 text (RFC 9110, section 5.5).
    """
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return b""


def sign_sha256(content: Body, *, secret: bytes) -> str:
    """Return the HMAC-SHA256 of *content* in lower-case hex."""
    return hmac.digest(secret, content, "sha256").hex()


def is_sha256(value: str, *, prefix: str = "") -> bool:
    """Whether a header holds *prefix* and what could be a hex HMAC-SHA256."""
    return value.startswith(prefix) and _HEX.fullmatch(value, len(prefix)) is not None


def is_standard(value: str) -> bool:
    """Whether one of the entries of a `webhook-signature` header could be by a signing token."""
    return any(_ENTRY.fullmatch(entry) for entry in value.split())


def is_standard_public(value: str) -> bool:
    """Whether one of the entries of a `webhook-signature` header could be by a private key."""
    return bool(_public_entries(value.split()))


def verify_sha256(
    headers: Mapping[str, str],
    content: Body,
    *,
    header: str,
    secrets: Sequence[bytes],
    prefix: str = "",
) -> None:
    """Check that *header* holds *prefix* and the hex HMAC-SHA256 of *content* by one secret.

    *header* is written as the provider writes it. Raises InvalidSignature.
    """
    given = _required(headers, header)
    signatures = [
        (prefix + sign_sha256(content, secret=secret)).encode() for secret in _usable(secrets)
    ]
    # The length of a signature is no secret: there is no need to compare digests of the two.
    if not any([hmac.compare_digest(given, signature) for signature in signatures]):
        raise InvalidSignature(_MISMATCH)


def verify_sha256_pieces(
    headers: Mapping[str, str],
    pieces: Iterable[bytes],
    *,
    header: str,
    secrets: Sequence[bytes],
    prefix: str = "",
) -> None:
    """As verify_sha256, of a content that comes in pieces. Raises InvalidSignature."""
    given = _required(headers, header)
    macs = [hmac.new(secret, digestmod="sha256") for secret in _usable(secrets)]
    for piece in pieces:
        for mac in macs:
            mac.update(piece)
    if not _is_one_of(given, ((prefix + mac.hexdigest()).encode() for mac in macs)):
        raise InvalidSignature(_MISMATCH)


def verify_token(headers: Mapping[str, str], *, header: str, secrets: Sequence[bytes]) -> None:
    """Check that *header* holds one of the secrets itself. Raises InvalidSignature."""
    given = _required(headers, header)
    if not _is_one_of(given, _usable(secrets)):
        raise InvalidSignature(f"the {header} header does not match any secret of this hook")


def verify_ed25519(
    headers: Mapping[str, str], content: bytes, *, header: str, secrets: Sequence[bytes]
) -> None:
    """Check that *header* holds the Ed25519 signature of *content* by a private key.

    *secrets* are the public keys that are trusted, as base64. Raises InvalidSignature.
    """
    given = _required(headers, header).decode("latin-1")
    keys = [key for key in map(public_key, secrets) if key]
    if not keys:
        raise InvalidSignature(_UNUSABLE)
    if not is_signed_by(given, content, keys):
        raise InvalidSignature(_MISMATCH)


def signing_key(secret: bytes) -> bytes | None:
    """Return the key inside a signing token; None if it holds none.

    The prefix `whsec_` may be left out where the key cannot be mistaken: whoever knows a public key
    could sign, if it were taken for a token.
    """
    if may_be_public(secret):
        return None
    try:
        return b64decode(secret.removeprefix(SIGNING_TOKEN_PREFIX), validate=True) or None
    except Base64Error:
        return None


def sign_standard(body: Body, *, key: bytes, message_id: str, timestamp: str) -> str:
    """Return one entry of a `webhook-signature` header, as Standard Webhooks 1.0 defines it."""
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode("latin-1"), "sha256")
    mac.update(body)
    return "v1," + b64encode(mac.digest()).decode("ascii")


def verify_standard(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check a Standard Webhooks signature against *secrets*. Raises InvalidSignature.

    The header lists signatures separated by spaces; one that fits is enough. Entries of version
    `v1` are checked with signing tokens, those of `v1a` with `whpk_` public keys, and others are
    passed over.
    """
    entries = _required(headers, "webhook-signature").split()
    message_id = _required(headers, "webhook-id").decode("latin-1")
    timestamp = _required(headers, "webhook-timestamp").decode("latin-1")
    keys = [key for key in map(signing_key, secrets) if key]
    public_keys = [key for key in map(_standard_public_key, secrets) if key]
    if not keys and not public_keys:
        raise InvalidSignature(_UNUSABLE)
    _check_timestamp(timestamp, now_seconds=now_seconds)
    signatures = [
        sign_standard(body, key=key, message_id=message_id, timestamp=timestamp).encode()
        for key in keys
    ]
    is_proved = any([_is_one_of(entry, signatures) for entry in entries])
    if not is_proved and public_keys:
        listed = _public_entries([entry.decode("latin-1") for entry in entries])
        content = standard_content(body, message_id=message_id, timestamp=timestamp)
        is_proved = any(is_signed_by(entry, content, public_keys) for entry in listed)
    if not is_proved:
        raise InvalidSignature(_MISMATCH)


def standard_content(body: Body, *, message_id: str, timestamp: str) -> bytes:
    """What a Standard Webhooks signature is over."""
    return b"".join((f"{message_id}.{timestamp}.".encode("latin-1"), body))


def _standard_public_key(secret: bytes) -> Ed25519PublicKey | None:
    if not secret.startswith(PUBLIC_KEY_PREFIX):
        return None
    return public_key(secret.removeprefix(PUBLIC_KEY_PREFIX))


def _public_entries(entries: Sequence[str]) -> list[str]:
    """The signatures by a private key among *entries*, without their version."""
    listed = [entry.removeprefix("v1a,") for entry in entries if entry.startswith("v1a,")]
    return [entry for entry in listed if is_ed25519(entry)][:MAX_PUBLIC_SIGNATURES]


def verify_auth(auth: SecretAuth, headers: Mapping[str, str], path_token: str | None) -> None:
    """Check what stands in for a signature where the provider cannot sign.

    *path_token* is what follows the hook's name in the URL path. Raises InvalidSignature.
    """
    match auth:
        case BasicAuth():
            _verify_basic(auth, headers)
        case HeaderAuth():
            _verify_secret(_required(headers, auth.name), auth.value.value)
        case PathAuth():
            if not path_token:
                raise InvalidSignature("the URL holds no token after the name of the hook")
            _verify_secret(path_token.encode("utf-8", "surrogatepass"), auth.token.value)


def _verify_basic(auth: BasicAuth, headers: Mapping[str, str]) -> None:
    """RFC 7617: the user name ends at the first colon, the rest is the password."""
    scheme, _, encoded = _required(headers, "Authorization").partition(b" ")
    if scheme.lower() != b"basic":
        raise InvalidSignature("the Authorization header is not of the Basic scheme")
    try:
        credentials = b64decode(encoded.strip(b" "), validate=True)
    except Base64Error:
        raise InvalidSignature("the Authorization header cannot be decoded") from None
    username, _, password = credentials.partition(b":")
    is_user = _is_equal(username, auth.username.encode())
    _verify_secret(password if is_user else b"", auth.password.value)


def _verify_secret(given: bytes, expected: bytes) -> None:
    if not expected or not _is_equal(given, expected):
        raise InvalidSignature(_WRONG_CREDENTIALS)


def _required(headers: Mapping[str, str], header: str) -> bytes:
    value = headers.get(header.lower(), "")
    if not value:
        raise InvalidSignature(f"no {header} header")
    return header_bytes(value)


def _usable(secrets: Sequence[bytes]) -> list[bytes]:
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise InvalidSignature(_UNUSABLE)
    return usable


def _is_one_of(given: bytes, expected: Iterable[bytes]) -> bool:
    """Compare with all, so that the time does not tell which one it was."""
    return any([_is_equal(given, value) for value in expected])


def _is_equal(given: bytes, expected: bytes) -> bool:
    """Compare digests of the two: the time does not tell the length of a secret either."""
    return hmac.compare_digest(sha256(given).digest(), sha256(expected).digest())


def _check_timestamp(timestamp: str, *, now_seconds: float) -> None:
    is_number = timestamp.isascii() and timestamp.isdigit()
    if not is_number or len(timestamp) > _MAX_TIMESTAMP_DIGITS:
        raise InvalidSignature("the webhook-timestamp header is not a number of seconds")
    if abs(now_seconds - int(timestamp)) > SIGNATURE_TOLERANCE_SECONDS:
        raise InvalidSignature("the webhook-timestamp header is more than 5 minutes off our clock")
