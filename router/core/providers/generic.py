"""Our own JSON, for CI jobs, Git hooks and hosts that are not served by name.

docs/providers.md describes it. The signature is that of a Flux generic-hmac Receiver:
https://fluxcd.io/flux/components/notification/receivers/#generic-hmac
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.providers.interface import JSON, first_header
from router.core.providers.plain import parse_plain, plain_body
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body
    from router.core.providers.interface import OutgoingPush
    from router.core.push import Ignored, Push

SIGNATURE_HEADER = "X-Signature"


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC-SHA256 of the raw body. Raises InvalidSignature."""
    verify_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets, prefix="sha256=")


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a signature."""
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""), prefix="sha256=")


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    return parse_plain(headers, body, delivery_id=first_header(headers, "x-delivery-id"))


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of *push* in our own format; see `plain_body`."""
    body = plain_body(push)
    headers = {
        "Content-Type": JSON,
        "X-Delivery-Id": delivery_id,
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body
