"""Harbor 2: webhooks of a project, in its default format and as CloudEvents.

https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
https://github.com/goharbor/harbor/tree/main/src/pkg/notifier/formats

It signs nothing, and sends a fixed Authorization header that its webhook is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, MAX_BRACES, decode, is_countable
from router.core.providers.interface import (
    JSON,
    cannot_sign,
    json_body,
    json_payload,
    media_type,
    never_signed,
    other_event,
)
from router.core.providers.registry import (
    OutgoingArtifact,
    artifact_name,
    checked_artifact,
    checked_artifacts,
    moment_of,
    read_moment,
)
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from router.core.forms import Body

CLOUD_EVENTS = "application/cloudevents+json"
"""The content type of the CloudEvents format: one event, structured, with its data inside."""

PUSHED = ("PUSH_ARTIFACT", "harbor.artifact.pushed")
DELETED = ("DELETE_ARTIFACT", "harbor.artifact.deleted")
"""The names of an event in the default format and in the other."""

_CLOUD_TYPE = "harbor."
"""What the type of every event starts with that Harbor sends as a CloudEvent."""

verify = cannot_sign
is_signed = never_signed


class _Resource(msgspec.Struct, frozen=True, gc=False):
    resource_url: str | None = None
    tag: str | None = None
    digest: str | None = None


class _Data(msgspec.Struct, frozen=True, gc=False):
    resources: list[_Resource]


class _Event(msgspec.Struct, frozen=True, gc=False):
    """The default format; it has no id."""

    type: str
    occur_at: int
    event_data: msgspec.Raw = ABSENT


class _CloudEvent(msgspec.Struct, frozen=True, gc=False):
    type: str
    id: str
    time: msgspec.Raw = ABSENT
    data: msgspec.Raw = ABSENT


_EVENT_DECODER = msgspec.json.Decoder(_Event)
_CLOUD_EVENT_DECODER = msgspec.json.Decoder(_CloudEvent)
_DATA_DECODER = msgspec.json.Decoder(_Data)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia.

    The id of a CloudEvent stays the same when Harbor tries again: the payload is made once.
    """
    if not is_countable(body):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    if media_type(headers) != CLOUD_EVENTS:
        event = decode(_EVENT_DECODER, json_payload(headers, body))
        return _parse(
            event.type,
            event.event_data,
            "event_data",
            delivery_id=None,
            pushed_at=moment_of(event.occur_at),
        )
    cloud_event = decode(_CLOUD_EVENT_DECODER, body)
    if not cloud_event.type.startswith(_CLOUD_TYPE):
        raise MalformedPayload("the event is none of Harbor's")
    return _parse(
        cloud_event.type,
        cloud_event.data,
        "data",
        delivery_id=cloud_event.id or None,
        pushed_at=read_moment(cloud_event.time),
    )


def _parse(
    event: str,
    data: msgspec.Raw,
    place: str,
    *,
    delivery_id: str | None,
    pushed_at: datetime | None,
) -> ArtifactPush | Ignored:
    if event in DELETED:
        return Ignored(reason="a deleted artifact notifies nothing", delivery_id=delivery_id)
    if event not in PUSHED:
        return other_event(event, delivery_id=delivery_id)
    resources = decode(_DATA_DECODER, data, place).resources
    updates = (_pushed(resource, pushed_at) for resource in resources if _is_tagged(resource))
    return checked_artifacts(updates, delivery_id=delivery_id)


def _is_tagged(resource: _Resource) -> bool:
    """Harbor puts the digest in the place of the tag where there is none."""
    return bool(resource.tag) and ":" not in (resource.tag or "")


def _pushed(resource: _Resource, pushed_at: datetime | None) -> ArtifactUpdate:
    if not resource.resource_url:
        raise MalformedPayload("a resource has no resource_url")
    return checked_artifact(
        artifact=artifact_name(resource.resource_url),
        tag=resource.tag or "",
        digest=resource.digest or None,
        pushed_at=pushed_at,
    )


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Harbor would tell of *push*: its default format.

    Neither the secret nor the delivery's id is in them: the hook's `auth` says what is to be sent.
    """
    path = push.artifact.partition("/")[2]
    namespace, _, name = path.partition("/")
    resource = {
        "digest": push.digest,
        "tag": push.tag,
        "resource_url": f"{push.artifact}:{push.tag}",
    }
    repository = {
        "name": name,
        "namespace": namespace,
        "repo_full_name": path,
        "repo_type": "private",
    }
    payload = {
        "type": PUSHED[0],
        "occur_at": int(now_seconds),
        "operator": namespace,
        "event_data": {"resources": [resource], "repository": repository},
    }
    return {"Content-Type": JSON}, json_body(payload)
