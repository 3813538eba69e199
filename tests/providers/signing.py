"""Signs bodies as the providers do, without the code under test, and reads samples."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = b"It's a secret of the tests"
OTHER_SECRET = b"It's a secret of the tests!"
SIGNING_TOKEN = b"whsec_" + b64encode(b"thirty-two bytes of a test's key")
OTHER_SIGNING_TOKEN = b"whsec_" + b64encode(b"thirty-two bytes of another key!")
NONCE = "6a1f0c93d2b7e458"
NOW_SECONDS = 1_773_476_813.25
SAMPLES = Path(__file__).parent / "samples"


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they reach a provider's module."""
    return {name.lower(): value for name, value in headers.items()}


def hex_signature(content: bytes, *, secret: bytes) -> str:
    return hmac.new(secret, content, sha256).hexdigest()


def standard_headers(
    body: bytes, *, token: bytes, timestamp: int | None = None, message_id: str = "msg_1"
) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    seconds = int(NOW_SECONDS) if timestamp is None else timestamp
    key = b64decode(token.removeprefix(b"whsec_"))
    digest = hmac.new(key, b"%b.%d." % (message_id.encode(), seconds) + body, sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": "v1," + b64encode(digest).decode(),
    }


def private_key(secret: bytes) -> Ed25519PrivateKey:
    """A private key that belongs to *secret*, for the providers that sign with one."""
    return Ed25519PrivateKey.from_private_bytes(sha256(secret).digest())


def sender_secret(provider: str, secret: bytes) -> bytes:
    """What *provider* signs with, in the form it has there."""
    match provider:
        case "standard-webhooks":
            return b"whsec_" + b64encode(secret)
        case "sourcehut":
            return b64encode(sha256(secret).digest())
    return secret


def hook_secret(provider: str, secret: bytes) -> bytes:
    """What the hook holds to verify what *provider* signs by `sender_secret`."""
    if not secret:
        return b""
    if provider == "sourcehut":
        return b64encode(private_key(secret).public_key().public_bytes_raw())
    return sender_secret(provider, secret)


def signed(
    provider: str, headers: Mapping[str, str], body: bytes, *, secret: bytes
) -> dict[str, str]:
    """Headers in lower case, with the proof that the provider adds."""
    result = lower_names(headers)
    match provider:
        case "github" | "ghcr":
            result["x-hub-signature-256"] = "sha256=" + hex_signature(body, secret=secret)
        case "gitlab":
            result["x-gitlab-token"] = secret.decode()
        case "gitea" | "forgejo" | "gogs":
            content = body
            if "form" in result.get("content-type", ""):
                content = parse_qs(body.decode())["payload"][0].encode()
            result[f"x-{provider}-signature"] = hex_signature(content, secret=secret)
        case "bitbucket" | "bitbucket-server":
            result["x-hub-signature"] = "sha256=" + hex_signature(body, secret=secret)
        case "generic":
            result["x-signature"] = "sha256=" + hex_signature(body, secret=secret)
        case "standard-webhooks":
            token = sender_secret(provider, secret)
            result |= standard_headers(body, token=token, message_id=result["webhook-id"])
        case "sourcehut":
            signature = private_key(secret).sign(body + NONCE.encode())
            result["x-payload-nonce"] = NONCE
            result["x-payload-signature"] = b64encode(signature).decode()
    return result


def sample(provider: str, case: str) -> tuple[dict[str, str], bytes]:
    """A sample's headers (lower case, unsigned) and body."""
    folder = SAMPLES / provider / case
    headers: dict[str, str] = json.loads((folder / "headers.json").read_text())
    return lower_names(headers), (folder / "body").read_bytes()


def sample_json(provider: str, case: str) -> tuple[dict[str, str], Any]:
    """A sample's headers and decoded body."""
    headers, body = sample(provider, case)
    return headers, json.loads(body)
