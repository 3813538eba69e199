"""Azure Container Registry: webhooks of a registry, which sign nothing and send fixed headers.

https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
"""

from __future__ import annotations

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
    other_event,
)
from router.core.providers.registry import (
    OutgoingArtifact,
    checked_artifact,
    checked_artifacts,
    read_moment,
)
from router.core.push import ArtifactPush, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

PUSHED = ("push", "chart_push")
DELETED = ("delete", "chart_delete")

verify = cannot_sign
is_signed = never_signed


class _Target(msgspec.Struct, frozen=True, gc=False):
    repository: str
    tag: str | None = None
    digest: str | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    host: str


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    """A ping has neither target nor request."""

    action: str
    id: str
    target: _Target | None = None
    request: _Request | None = None
    timestamp: msgspec.Raw = ABSENT


_DECODER = msgspec.json.Decoder(_Delivery)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    delivery = decode(_DECODER, json_payload(headers, body))
    delivery_id = delivery.id or None
    if delivery.action == "ping":
        return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery_id)
    if delivery.action in DELETED:
        reason = "a deleted artifact notifies nothing"
        return Ignored(reason=reason, delivery_id=delivery_id)
    if delivery.action not in PUSHED:
        return other_event(delivery.action, delivery_id=delivery_id)
    target, request = delivery.target, delivery.request
    if target is None or request is None:
        raise MalformedPayload("the payload has no target or no request, of which a push has both")
    if not target.tag:
        return checked_artifacts((), delivery_id=delivery_id)
    update = checked_artifact(
        artifact=f"{request.host}/{target.repository}",
        tag=target.tag,
        digest=target.digest,
        pushed_at=read_moment(delivery.timestamp),
    )
    return checked_artifacts([update], delivery_id=delivery_id)


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which the registry would tell of *push*.

    The secret is not in them: the hook's `auth` says which header holds it.
    """
    host, _, path = push.artifact.partition("/")
    payload = {
        "id": delivery_id,
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": push.digest,
            "repository": path,
            "tag": push.tag,
        },
        "request": {"id": delivery_id, "host": host, "method": "PUT"},
    }
    return {"Content-Type": JSON}, json_body(payload)
