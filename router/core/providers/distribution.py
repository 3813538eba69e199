"""The distribution registry, and those that send its notifications: several events each, unsigned.

https://distribution.github.io/distribution/about/notifications/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload, UnsupportedMedia
from router.core.lists import ABSENT, MAX_BRACES, decode, is_countable
from router.core.providers.interface import (
    JSON,
    cannot_sign,
    json_body,
    media_type,
    never_signed,
)
from router.core.providers.registry import (
    OutgoingArtifact,
    checked_artifact,
    checked_artifacts,
    read_moment,
)
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

EVENTS = "application/vnd.docker.distribution.events.v2+json"
"""The content type of the notifications since version 3 of the registry.

https://github.com/distribution/distribution/blob/main/notifications/event.go (EventsMediaType)
"""

EVENTS_V1 = "application/vnd.docker.distribution.events.v1+json"
"""That of version 2. What is read of an event is the same in both."""

_READ = (EVENTS, EVENTS_V1, JSON)
"""Some registries that copy the notifications send plain JSON."""

verify = cannot_sign
is_signed = never_signed


class _Target(msgspec.Struct, frozen=True, gc=False):
    repository: str | None = None
    tag: str | None = None
    digest: str | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    host: str | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    """What happened; only of a push that has a tag the rest is needed."""

    action: str | None = None
    target: _Target | None = None
    id: str | None = None
    request: _Request | None = None
    timestamp: msgspec.Raw = ABSENT


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    events: list[_Event]


_DECODER = msgspec.json.Decoder(_Envelope)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia.

    Each event has an id, an envelope has none: its first push's stands for it, for a registry
    sends an envelope again as it was.
    """
    if media_type(headers) not in _READ:
        raise UnsupportedMedia(f"the content type has to be {JSON}, {EVENTS} or {EVENTS_V1}")
    if not is_countable(body):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    events = decode(_DECODER, body).events
    pushes = [event for event in events if event.action == "push"]
    if not pushes:
        return Ignored(reason="no event is a push: pulls, mounts and deletions notify nothing")
    updates = (
        _pushed(event, event.target, event.target.tag)
        for event in pushes
        if event.target and event.target.tag
    )
    return checked_artifacts(updates, delivery_id=pushes[0].id or None)


def _pushed(event: _Event, target: _Target, tag: str) -> ArtifactUpdate:
    request = event.request
    if request is None or not request.host:
        raise MalformedPayload("the request of a push does not name the host")
    if not target.repository:
        raise MalformedPayload("the target of a push does not name the repository")
    return checked_artifact(
        artifact=f"{request.host}/{target.repository}",
        tag=tag,
        digest=target.digest or None,
        pushed_at=read_moment(event.timestamp),
    )


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which the registry, in version 3, would tell of *push*.

    The secret is not in them: the hook's `auth` says which header holds it.
    """
    host, _, path = push.artifact.partition("/")
    event = {
        "id": delivery_id,
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": push.digest,
            "repository": path,
            "url": f"https://{host}/v2/{path}/manifests/{push.digest}",
            "tag": push.tag,
        },
        "request": {"id": delivery_id, "host": host, "method": "PUT"},
    }
    return {"Content-Type": EVENTS}, json_body({"events": [event]})
