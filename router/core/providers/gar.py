"""Google Artifact Registry (and Container Registry), by Pub/Sub: the topic `gcr`, pushed to a hook.

https://cloud.google.com/artifact-registry/docs/configure-notifications
https://cloud.google.com/pubsub/docs/push
https://cloud.google.com/pubsub/docs/payload-unwrapping

Pub/Sub signs no body; it proves itself by an OIDC token (`auth: oidc`).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, decode
from router.core.providers.interface import (
    JSON,
    cannot_sign,
    json_body,
    json_payload,
    never_signed,
)
from router.core.providers.registry import (
    OutgoingArtifact,
    artifact_name,
    checked_artifact,
    checked_artifacts,
    read_moment,
    reference_tag,
)
from router.core.push import ArtifactPush, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

verify = cannot_sign
is_signed = never_signed


class _Message(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    data: str
    message_id: str
    publish_time: msgspec.Raw = ABSENT


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    message: _Message
    subscription: str


class _Change(msgspec.Struct, frozen=True, gc=False):
    """What a message says; tag and digest are whole references."""

    action: str
    tag: str | None = None
    digest: str | None = None


_DECODER = msgspec.json.Decoder(_Envelope)
_CHANGE_DECODER = msgspec.json.Decoder(_Change)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    message = decode(_DECODER, json_payload(headers, body)).message
    delivery_id = message.message_id or None
    try:
        content = b64decode(message.data, validate=True)
    except (Base64Error, ValueError):
        raise MalformedPayload("the message's data is not base64") from None
    change = decode(_CHANGE_DECODER, content, "message.data")
    if change.action == "DELETE":
        reason = "a deleted artifact notifies nothing"
        return Ignored(reason=reason, delivery_id=delivery_id)
    if change.action != "INSERT":
        return Ignored(reason="the action is not a push", delivery_id=delivery_id)
    tag = reference_tag(change.tag or "")
    if not tag:
        return checked_artifacts((), delivery_id=delivery_id)
    artifact = artifact_name(change.tag or "")
    if change.digest and artifact_name(change.digest) != artifact:
        raise MalformedPayload("the tag and the digest are of two artifacts")
    update = checked_artifact(
        artifact=artifact,
        tag=tag,
        digest=(change.digest or "").partition("@")[2] or None,
        pushed_at=read_moment(message.publish_time),
    )
    return checked_artifacts([update], delivery_id=delivery_id)


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Pub/Sub would tell of *push*.

    The secret is not in them: the hook's `auth` says what is to be sent.
    """
    change = {
        "action": "INSERT",
        "digest": f"{push.artifact}@{push.digest}",
        "tag": f"{push.artifact}:{push.tag}",
    }
    payload = {
        "message": {
            "data": b64encode(json_body(change)).decode("ascii"),
            "messageId": delivery_id,
        },
        "subscription": "projects/acme/subscriptions/flux-router",
    }
    return {"Content-Type": JSON}, json_body(payload)
