"""What a call of a Flux Receiver looks like: its secret path, its headers, its body.

Flux documents Receivers at https://fluxcd.io/flux/components/notification/receivers/.
"""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from router.core.retry import MAX_RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from router.core.model import Asked, Claim
    from router.core.routing import Receiver

MAX_DELIVERIES_NAMED = 10_000
"""Delivery ids in one call's body, the newest; keeps it far below the 3 MiB that Flux reads."""

EVENTS: Final = {"github": "push", "gitlab": "Push Hook", "bitbucket": "repo:refs_changed"}
"""What a call says that it is, by the Receiver's type; a Receiver with `events` must list it.

https://fluxcd.io/flux/components/notification/receivers/#events
"""

_STATUS_HINTS = {
    400: "the signature or token was refused: is the token here the one in the Receiver's Secret?",
    404: "no Receiver has this path: its token, name or namespace differs, or Flux has not "
    "reconciled it yet",
    413: "something on the way refuses a body of this size",
    500: "Flux could not trigger a resource of this Receiver: see notification-controller's log",
    503: "the Receiver is suspended or not ready, or nothing serves behind this address",
}


class UnusableToken(ValueError):
    """A token is missing, or no HTTP header can carry it; the message does not show it."""


def receiver_path(receiver: Receiver) -> str:
    """The URL path Flux gives *receiver*: a digest of token, name and namespace; a secret.

    The token is used byte for byte; for generic-oidc it is empty. Raises UnusableToken. Formula:
    https://fluxcd.io/flux/components/notification/receivers/#webhook-path
    """
    named = (receiver.name + receiver.namespace).encode("utf-8", "surrogatepass")
    return "/hook/" + sha256(_token(receiver) + named).hexdigest()


def call_headers(receiver: Receiver, body: bytes, *, bearer: bytes | None) -> dict[str, str]:
    """The headers that *receiver*'s type asks for; values are Latin-1, one character per byte.

    *bearer* is the content of the bearer file, for generic-oidc only.
    Raises UnusableToken.
    """
    headers = {"Content-Type": "application/json"}
    token = _token(receiver)
    match receiver.type:
        case "generic-hmac":
            headers["X-Signature"] = _signature(token, body)
        case "generic-oidc":
            headers["Authorization"] = "Bearer " + _bearer_value(receiver, bearer)
        case "github":
            headers["X-GitHub-Event"] = EVENTS["github"]
            headers["X-Hub-Signature-256"] = _signature(token, body)
        case "gitlab":
            headers["X-Gitlab-Event"] = EVENTS["gitlab"]
            headers["X-Gitlab-Token"] = _header_value(receiver, token)
        case "bitbucket":
            headers["X-Event-Key"] = EVENTS["bitbucket"]
            headers["X-Hub-Signature"] = _signature(token, body)
    return headers


def call_body(claim: Claim) -> bytes:
    """What a call tells Flux: the newest commit, and every layer and delivery it serves.

    Flux reads it only in CEL filters; it is plain ASCII JSON and never holds the payload.
    """
    newest = _newest(claim)
    layers = dict.fromkeys(asked.layer for asked in claim.asked)
    deliveries = dict.fromkeys(asked.delivery for asked in claim.asked)
    content = {
        "repository": newest.repository if newest else None,
        "ref": newest.ref if newest else None,
        "commit": newest.commit if newest else None,
        "layers": list(layers),
        "deliveries": list(deliveries)[-MAX_DELIVERIES_NAMED:],
    }
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def status_hint(status: int) -> str:
    """One sentence on why a Receiver answered *status*, for whoever has to mend it."""
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    hint = _STATUS_HINTS.get(status)
    return f"answered {status}: {hint}" if hint else f"answered {status}"


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait: 0 to an hour; None when it says nothing.

    The value is a count of seconds or an HTTP date, which is taken relative to *now*
    (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than this say "longer than an hour" anyway, and int() refuses thousands.
        return min(float(text.lstrip("0")[:18] or "0"), MAX_RETRY_AFTER_SECONDS)
    instant = parse_http_date(text)
    if instant is None:
        return None
    return min(max((instant - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def parse_http_date(text: str) -> datetime | None:
    """The instant an HTTP date names, aware; None when *text* is not a date."""
    try:
        instant = parsedate_to_datetime(text)
        return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _token(receiver: Receiver) -> bytes:
    """The token of a receiver that needs one; empty for generic-oidc."""
    if receiver.type == "generic-oidc":
        return b""
    if receiver.token is None:
        raise UnusableToken(f"the token of {receiver.key} could not be read")
    return receiver.token.value


def _signature(token: bytes, body: bytes) -> str:
    return "sha256=" + hmac.digest(token, body, "sha256").hex()


def _bearer_value(receiver: Receiver, bearer: bytes | None) -> str:
    value = (bearer or b"").strip()
    if not value:
        raise UnusableToken(f"the bearer file of {receiver.key} is empty")
    return _header_value(receiver, value)


def _header_value(receiver: Receiver, token: bytes) -> str:
    """*token* as a header, refused where HTTP would alter it (RFC 9110, section 5.5)."""
    has_control = any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in token)
    if has_control or token != token.strip():
        raise UnusableToken(
            f"the token of {receiver.key} cannot be an HTTP header: "
            "it starts or ends with white space, or holds a line break or control character"
        )
    return token.decode("latin-1")


def _newest(claim: Claim) -> Asked | None:
    """Who asked last with a commit; who asked last where nobody named one."""
    newest_first = claim.asked[::-1]
    with_commit = (asked for asked in newest_first if asked.commit)
    return next(with_commit, next(iter(newest_first), None))
