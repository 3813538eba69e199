"""Ed25519 signatures, keys and signatures as base64 text: for senders that sign with a private key.

https://www.rfc-editor.org/rfc/rfc8032
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES = 32
"""Of a public key, and of the seed that a private key is made of."""

_HEX_KEY = re.compile(rb"[0-9A-Fa-f]{64}")
_DER = bytes.fromhex("302a300506032b6570032100")
"""What the DER of a public key begins with: https://www.rfc-editor.org/rfc/rfc8410#section-10.1"""

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==")
"""The base64 text of 64 bytes in its only canonical form: the last letter holds two bits."""


def public_key(text: bytes) -> Ed25519PublicKey | None:
    """Return the public key that *text* is the base64 of; None if it is none."""
    raw = _decoded(text)
    return Ed25519PublicKey.from_public_bytes(raw) if len(raw) == KEY_BYTES else None


def private_key(text: bytes) -> Ed25519PrivateKey | None:
    """Return the private key whose seed *text* is the base64 of; None if it is none.

    Some tools write the public key behind the seed, 64 bytes together; only the seed counts.
    """
    raw = _decoded(text)
    if len(raw) not in (KEY_BYTES, 2 * KEY_BYTES):
        return None
    return Ed25519PrivateKey.from_private_bytes(raw[:KEY_BYTES])


def may_be_public(text: bytes) -> bool:
    """Whether *text* could be a public key: in base64, as it is or as DER, or in hex.

    So may be a secret of as many bytes, made of random ones: nothing in it tells them apart.
    """
    if _HEX_KEY.fullmatch(text):
        return True
    raw = _decoded(text)
    return len(raw) == KEY_BYTES or (raw.startswith(_DER) and len(raw) == len(_DER) + KEY_BYTES)


def is_ed25519(value: str) -> bool:
    """Whether a header holds what could be a signature."""
    return _SIGNATURE.fullmatch(value) is not None


def sign_ed25519(content: bytes, *, key: Ed25519PrivateKey) -> str:
    """Return the signature of *content*."""
    return b64encode(key.sign(content)).decode("ascii")


def is_signed_by(signature: str, content: bytes, keys: Sequence[Ed25519PublicKey]) -> bool:
    """Whether one of *keys* proves that *signature* is of *content*.

    Nothing here is secret, so the time may tell which key it was.
    """
    return is_ed25519(signature) and any(_fits(key, signature, content) for key in keys)


def _fits(key: Ed25519PublicKey, signature: str, content: bytes) -> bool:
    try:
        key.verify(b64decode(signature), content)
    except Mismatch:
        return False
    return True


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except Base64Error:
        return b""
