"""Quay.io and Red Hat Quay, which tell of pushed tags without digests, and sign nothing.

https://docs.redhat.com/en/documentation/red_hat_quay/3/html/use_red_hat_quay/repository-notifications
https://github.com/quay/quay/blob/master/notifications/notificationevent.py

No payload names its event: the one of a push is known by its `updated_tags`.
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
)
from router.core.providers.registry import (
    MAX_TAGS,
    MAX_TAGS_BYTES,
    OutgoingArtifact,
    checked_artifact,
    checked_artifacts,
)
from router.core.push import ArtifactPush, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

verify = cannot_sign
is_signed = never_signed


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    docker_url: str
    """Host and path, without scheme and tag."""
    updated_tags: msgspec.Raw = ABSENT


_Tags = list[str] | dict[str, msgspec.Raw] | None
"""Old versions send an object of tags and the ids of their images, which are no digests."""

_DECODER = msgspec.json.Decoder(_Delivery)
_TAGS_DECODER: msgspec.json.Decoder[_Tags] = msgspec.json.Decoder(_Tags)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    delivery = decode(_DECODER, json_payload(headers, body))
    if len(memoryview(delivery.updated_tags)) > MAX_TAGS_BYTES:
        raise MalformedPayload(f"the payload tells of more than {MAX_TAGS} tags")
    tags = decode(_TAGS_DECODER, delivery.updated_tags, "updated_tags")
    if tags is None:
        reason = "not a push: the payload tells of no updated_tags (a build, a scan, a mirror run)"
        return Ignored(reason=reason)
    updates = (checked_artifact(artifact=delivery.docker_url, tag=tag, digest=None) for tag in tags)
    return checked_artifacts(updates, delivery_id=None)


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Quay would tell of *push*.

    Neither the secret nor the delivery's id is in them: the hook's token is part of the URL.
    """
    host, _, path = push.artifact.partition("/")
    namespace, _, name = path.partition("/")
    payload = {
        "name": name,
        "repository": path,
        "namespace": namespace,
        "docker_url": push.artifact,
        "homepage": f"https://{host}/repository/{path}",
        "updated_tags": [push.tag],
    }
    return {"Content-Type": JSON}, json_body(payload)
