"""Docker Hub, which tells of a pushed tag without its digest, and signs nothing.

https://docs.docker.com/docker-hub/repos/manage/webhooks/

Its payload asks to call back (`callback_url`): we never do, a payload names no host we talk to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.lists import decode
from router.core.naming import DOCKER_HUB
from router.core.providers.interface import (
    JSON,
    cannot_sign,
    json_body,
    json_payload,
    never_signed,
)
from router.core.providers.registry import OutgoingArtifact, checked_artifact, checked_artifacts
from router.core.push import ArtifactPush, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

verify = cannot_sign
is_signed = never_signed


class _PushData(msgspec.Struct, frozen=True, gc=False):
    tag: str


class _Repository(msgspec.Struct, frozen=True, gc=False):
    repo_name: str


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    push_data: _PushData
    repository: _Repository


_DECODER = msgspec.json.Decoder(_Delivery)


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    delivery = decode(_DECODER, json_payload(headers, body))
    update = checked_artifact(
        artifact=f"{DOCKER_HUB}/{delivery.repository.repo_name}",
        tag=delivery.push_data.tag,
        digest=None,
    )
    return checked_artifacts([update], delivery_id=None)


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Docker Hub would tell of *push*.

    Neither the secret nor the delivery's id is in them: the hook's token is part of the URL.
    """
    path = push.artifact.partition("/")[2]
    namespace, _, name = path.rpartition("/")
    payload = {
        "push_data": {"pushed_at": int(now_seconds), "pusher": namespace, "tag": push.tag},
        "repository": {
            "name": name,
            "namespace": namespace,
            "repo_name": path,
            "repo_url": f"https://hub.docker.com/r/{path}",
        },
    }
    return {"Content-Type": JSON}, json_body(payload)
