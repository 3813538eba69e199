"""GitHub's container registry: ghcr.io, and that of a GitHub Enterprise Server.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#package
https://docs.github.com/en/webhooks/webhook-events-and-payloads#registry_package
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, decode
from router.core.providers.interface import (
    JSON,
    event_name,
    first_header,
    json_body,
    json_or_form_payload,
    other_event,
    refuse_imitations,
)
from router.core.providers.registry import (
    OutgoingArtifact,
    artifact_name,
    checked_artifact,
    checked_artifacts,
    reference_tag,
)
from router.core.push import ArtifactPush, Ignored
from router.core.verify import is_sha256, sign_sha256, verify_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body

SIGNATURE_HEADER = "X-Hub-Signature-256"
"""Over the raw body, as for every webhook of GitHub."""

PUSH_ACTIONS = ("published", "updated")
"""A new version, and a version that was pushed again or given another tag."""

CONTAINERS = ("container", "docker")
"""Kinds of packages that are OCI artifacts, in lower case; docker is what was before ghcr.io."""


class _Tag(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    tag: _Tag | None = None


class _Version(msgspec.Struct, frozen=True, gc=False):
    version: str | None = None
    package_url: str | None = None
    container_metadata: _Metadata | None = None


class _Package(msgspec.Struct, frozen=True, gc=False):
    package_type: str | None = None
    ecosystem: str | None = None
    package_version: msgspec.Raw = ABSENT


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    """Each of the two events names its package in a way of its own."""

    action: str
    package: _Package | None = None
    registry_package: _Package | None = None


_DECODER = msgspec.json.Decoder(_Delivery)
_VERSION_DECODER: msgspec.json.Decoder[_Version | None] = msgspec.json.Decoder(_Version | None)


def verify(
    headers: Mapping[str, str], body: Body, *, secrets: Sequence[bytes], now_seconds: float
) -> None:
    """Check the HMAC of the raw body, which for a form is the form. Raises InvalidSignature."""
    verify_sha256(headers, body, header=SIGNATURE_HEADER, secrets=secrets, prefix="sha256=")


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is what could be a SHA-256 signature."""
    return is_sha256(headers.get(SIGNATURE_HEADER.lower(), ""), prefix="sha256=")


def parse_artifact(headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    refuse_imitations(headers)
    payload = json_or_form_payload(headers, body)
    event = event_name(headers, "X-GitHub-Event")
    delivery_id = first_header(headers, "x-github-delivery")
    match event:
        case "package" | "registry_package":
            return _parse(payload, event, delivery_id)
        case "ping":
            return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery_id)
        case "push":
            reason = "the push event tells of commits: a hook of the provider github reads it"
            return Ignored(reason=reason, delivery_id=delivery_id)
    return other_event(event, delivery_id=delivery_id)


def _parse(payload: Body, event: str, delivery_id: str | None) -> ArtifactPush | Ignored:
    delivery = decode(_DECODER, payload)
    package = delivery.package if event == "package" else delivery.registry_package
    if delivery.action not in PUSH_ACTIONS:
        reason = "nothing was pushed: the action is neither published nor updated"
        return Ignored(reason=reason, delivery_id=delivery_id)
    if package is None:
        raise MalformedPayload(f"the payload names no {event}")
    if not {(package.package_type or "").lower(), (package.ecosystem or "").lower()}.intersection(
        CONTAINERS
    ):
        return Ignored(reason="the package is not a container", delivery_id=delivery_id)
    version = decode(_VERSION_DECODER, package.package_version, event, ".package_version")
    if version is None:
        raise MalformedPayload("the payload names no version of the package")
    return _pushed(version, delivery_id)


def _pushed(version: _Version, delivery_id: str | None) -> ArtifactPush | Ignored:
    """The version is what is pulled: the manifest, or the index of a multi-platform image.

    The index has the tag; the manifest of each platform comes in a delivery of its own without one
    (https://github.com/github/docs/issues/22091), its URL then ends with a colon.
    """
    url = version.package_url
    if not url:
        raise MalformedPayload("the payload names no package_url")
    metadata = version.container_metadata
    tag = metadata.tag.name if metadata and metadata.tag else None
    tag = tag or reference_tag(url)
    if not tag:
        return checked_artifacts([], delivery_id=delivery_id)
    # The version of the registry before ghcr.io is a tag: then the digest is not told.
    digest = version.version if (version.version or "").startswith("sha") else None
    update = checked_artifact(artifact=artifact_name(url), tag=tag, digest=digest)
    return checked_artifacts([update], delivery_id=delivery_id)


def encode_artifact(
    push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which GitHub would tell of *push*: a package event."""
    namespace, _, name = push.artifact.partition("/")[2].partition("/")
    version = {
        "version": push.digest,
        "name": push.digest,
        "package_url": f"{push.artifact}:{push.tag}",
        "container_metadata": {
            "tag": {"name": push.tag, "digest": push.digest},
            "manifest": {"digest": push.digest},
        },
    }
    package = {
        "name": name,
        "namespace": namespace,
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "package_version": version,
    }
    body = json_body({"action": "published", "package": package})
    headers = {
        "Content-Type": JSON,
        "X-GitHub-Event": "package",
        "X-GitHub-Delivery": delivery_id,
        SIGNATURE_HEADER: "sha256=" + sign_sha256(body, secret=secret),
    }
    return headers, body
