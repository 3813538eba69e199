"""Our own JSON, for CI jobs, Git hooks and hosts that are not served by name.

docs/providers.md describes it. The signature is that of a Flux generic-hmac Receiver:
https://fluxcd.io/flux/components/notification/receivers/#generic-hmac
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, MAX_BRACES, decode, is_countable, read_paths
from router.core.providers.interface import (
    JSON,
    OutgoingCommit,
    OutgoingPush,
    checked_push,
    checked_update,
    first_header,
    json_body,
    json_payload,
)
from router.core.push import Ignored, Push, RefUpdate, is_zero
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Signature"


class _Update(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    forced: bool | None = None
    paths: msgspec.Raw = ABSENT


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    """A ping, a list of updates, or the fields of one update."""

    ping: bool = False
    repository: str | None = None
    updates: msgspec.Raw = ABSENT
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    forced: bool | None = None
    paths: msgspec.Raw = ABSENT


_DECODER = msgspec.json.Decoder(_Delivery)
_UPDATES_DECODER: msgspec.json.Decoder[list[_Update] | None] = msgspec.json.Decoder(
    list[_Update] | None
)


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
    payload = json_payload(headers, body)
    delivery_id = first_header(headers, "x-delivery-id")
    delivery = decode(_DECODER, payload)
    if delivery.ping:
        return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery_id)
    updates = [_checked(update) for update in _updates(delivery, payload)]
    if not updates:
        return Ignored(reason="the list of updates is empty", delivery_id=delivery_id)
    return checked_push([delivery.repository], updates, delivery_id=delivery_id)


def _updates(delivery: _Delivery, payload: Body) -> Sequence[_Update]:
    if not is_countable(payload):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    updates = decode(_UPDATES_DECODER, delivery.updates, "updates")
    if updates is not None:
        if delivery.ref is not None:
            raise MalformedPayload("either ref or updates has to be there, not both")
        return updates
    if delivery.ref is None or delivery.before is None or delivery.after is None:
        raise MalformedPayload("ref, before and after have to be there, or updates")
    update = _Update(
        ref=delivery.ref,
        before=delivery.before,
        after=delivery.after,
        forced=delivery.forced,
        paths=delivery.paths,
    )
    return [update]


def _checked(update: _Update) -> RefUpdate:
    files, incomplete = read_paths(update.paths, "paths"), None
    if not files.has_all:
        incomplete = f"the payload has no paths; sending them would help, and {GIT_WOULD_KNOW}"
    return checked_update(
        ref=update.ref,
        before=update.before,
        after=update.after,
        forced=update.forced,
        files=files,
        incomplete=incomplete,
    )


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of *push* in our own format.

    `paths` is the union of the commits' files, so that one commit with the two-dot diff makes it
    exact. It is left out where no union can be all that differs: after a force push, for a created
    or deleted ref, and without commits.
    """
    payload: dict[str, object] = {
        "repository": push.repository_url,
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "forced": push.forced,
    }
    is_moved = not push.forced and not is_zero(push.before) and not is_zero(push.after)
    if is_moved and push.commits:
        every = chain.from_iterable(_paths(commit) for commit in push.commits)
        payload["paths"] = list(dict.fromkeys(every))
    body = json_body(payload)
    headers = {
        "Content-Type": JSON,
        "X-Delivery-Id": delivery_id,
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body


def _paths(commit: OutgoingCommit) -> Iterable[str]:
    renamed = chain.from_iterable(commit.renamed)
    return chain(commit.added, commit.modified, commit.removed, renamed)
