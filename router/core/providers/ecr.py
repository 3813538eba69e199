"""Amazon ECR, by EventBridge: the event "ECR Image Action", sent to an API destination.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.ecr_hosts import ecr_host, ecr_registry
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
    checked_artifact,
    checked_artifacts,
    read_moment,
)
from router.core.push import ArtifactPush, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

SOURCE = "aws.ecr"
DETAIL_TYPE = "ECR Image Action"

verify = cannot_sign
is_signed = never_signed


class _Event(msgspec.Struct, frozen=True, gc=False, rename={"detail_type": "detail-type"}):
    source: str
    detail_type: str
    id: str
    account: str
    region: str
    time: msgspec.Raw = ABSENT
    detail: msgspec.Raw = ABSENT


class _Detail(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    action_type: str
    result: str
    repository_name: str
    image_digest: str | None = None
    image_tag: str | None = None


_DECODER = msgspec.json.Decoder(_Event)
_DETAIL_DECODER = msgspec.json.Decoder(_Detail)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    event = decode(_DECODER, json_payload(headers, body))
    delivery_id = event.id or None
    if event.source != SOURCE:
        raise MalformedPayload(f"the event's source is not {SOURCE}")
    if event.detail_type != DETAIL_TYPE:
        reason = f"the event is no {DETAIL_TYPE}: a scan, a replication or another one"
        return Ignored(reason=reason, delivery_id=delivery_id)
    detail = decode(_DETAIL_DECODER, event.detail, "detail")
    if detail.action_type != "PUSH":
        return Ignored(
            reason="a deleted artifact notifies nothing"
            if detail.action_type == "DELETE"
            else "the action is not a push",
            delivery_id=delivery_id,
        )
    if detail.result != "SUCCESS":
        return Ignored(reason="the push failed: nothing is there", delivery_id=delivery_id)
    if not detail.image_tag:
        return checked_artifacts((), delivery_id=delivery_id)
    update = checked_artifact(
        artifact=f"{_host(event)}/{detail.repository_name}",
        tag=detail.image_tag,
        digest=detail.image_digest,
        pushed_at=read_moment(event.time),
    )
    return checked_artifacts([update], delivery_id=delivery_id)


def _host(event: _Event) -> str:
    host = ecr_host(event.account, event.region)
    if host is None:
        raise MalformedPayload("the account or the region is none of AWS")
    return host


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which EventBridge would tell of *push*.

    The secret is not in them: the hook's `auth` says which header holds it. The account and the
    region are those of the artifact's host, or made up.
    """
    host, _, path = push.artifact.partition("/")
    account, region = ecr_registry(host) or ("111122223333", "eu-central-1")
    payload: dict[str, object] = {
        "version": "0",
        "id": delivery_id,
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": account,
        "region": region,
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": path,
            "image-digest": push.digest,
            "action-type": "PUSH",
            "image-tag": push.tag,
        },
    }
    return {"Content-Type": f"{JSON}; charset=utf-8"}, json_body(payload)
