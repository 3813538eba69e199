"""What every registry offers, and the steps all of them share.

A registry's module has four functions, `verify`, `is_signed`, `parse_artifact` and
`encode_artifact`, and knows no other. Headers come as in `interface`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

from router.core.errors import MalformedPayload
from router.core.naming import MAX_URL_CHARACTERS, normalize_artifact
from router.core.providers.interface import Sender
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.core.forms import Body

MAX_TAGS = 1000
"""Tags that one delivery may tell of; registries send one each, or a handful."""

MAX_TAGS_BYTES = 256 * 1024
"""The text of a list of tags that is still decoded: a thousand of the longest are half of it."""

MAX_ARTIFACT_CHARACTERS = 512
"""More than any registry allows for host and path: 255 for all but the host."""

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_PATH = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[0-9]{1,5})?|\[[0-9a-f:]+\](?::[0-9]{1,5})?")
FIRST_YEAR = 2000
MAX_MOMENT_BYTES = 64
"""The JSON of a moment that is still read; with nanoseconds it takes 32."""

_MOMENT = msgspec.json.Decoder(str)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingArtifact:
    """A push of an artifact that we send in a registry's name: one tag."""

    artifact: str
    """Host and path, e.g. ghcr.io/acme/layers/app1."""
    tag: str
    digest: str
    """Of the manifest, e.g. sha256:9f86d0…"""


class ParseArtifact(Protocol):
    def __call__(self, headers: Mapping[str, str], body: Body) -> ArtifactPush | Ignored:
        """Read a delivery; a *body* that is a bytearray may be cleared.

        Raises MalformedPayload or UnsupportedMedia, whatever the bytes are.
        """


class EncodeArtifact(Protocol):
    def __call__(
        self, push: OutgoingArtifact, *, secret: bytes, delivery_id: str, now_seconds: float
    ) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body by which the registry would tell of *push*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry(Sender):
    """A kind of OCI registry: how its deliveries are verified, read and written."""

    parse_artifact: ParseArtifact
    encode_artifact: EncodeArtifact


def artifact_name(reference: str) -> str:
    """Host and path of a reference to an image, which may also hold a scheme, a tag, a digest.

    ghcr.io/acme/app:v1, ghcr.io/acme/app: and https://ghcr.io/acme/app@sha256:… are one artifact.
    """
    name = reference.rpartition("://")[2].partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def reference_tag(reference: str) -> str:
    """The tag that a reference to an image holds; empty for none."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]


def read_moment(told: msgspec.Raw) -> datetime | None:
    """When something was, told as text in RFC 3339.

    Only the order of pushes is made of it: what cannot be read is not told, and no mistake. Nor is
    one before there were registries, such as the zero time of Go.
    """
    if len(memoryview(told)) > MAX_MOMENT_BYTES:
        return None
    try:
        moment = datetime.fromisoformat(_MOMENT.decode(told))
    except ValueError:
        return None
    return _likely(moment) if moment.tzinfo is not None else None


def moment_of(seconds: int) -> datetime | None:
    """The same for seconds since 1970."""
    try:
        return _likely(_EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return None


def _likely(moment: datetime) -> datetime | None:
    return moment if moment.year >= FIRST_YEAR else None


def checked_artifact(
    *, artifact: str, tag: str, digest: str | None, pushed_at: datetime | None = None
) -> ArtifactUpdate:
    """Make one pushed tag of what a payload says; *artifact* is its host and path.

    Raises MalformedPayload for what cannot be the name of an artifact, a tag or a digest.
    """
    if len(artifact) > MAX_URL_CHARACTERS:
        raise MalformedPayload("the artifact's name is longer than any registry allows")
    name = normalize_artifact(artifact)
    host, _, path = name.partition("/")
    if len(name) > MAX_ARTIFACT_CHARACTERS or not _HOST.fullmatch(host):
        raise MalformedPayload("the host of the artifact is none")
    if not _PATH.fullmatch(path):
        raise MalformedPayload("the artifact's name is none that a registry allows")
    if not _TAG.fullmatch(tag):
        raise MalformedPayload("the tag is none that a registry allows")
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise MalformedPayload("the digest is no SHA-256 or SHA-512 in lower-case hex")
    return ArtifactUpdate(artifact=name, tag=tag, digest=digest, pushed_at=pushed_at)


def checked_artifacts(
    updates: Iterable[ArtifactUpdate], *, delivery_id: str | None
) -> ArtifactPush | Ignored:
    """Make a push of its tags, without repetitions; no more are made than may be.

    Raises MalformedPayload for too many.
    """
    made = tuple(islice(updates, MAX_TAGS + 1))
    if len(made) > MAX_TAGS:
        raise MalformedPayload(f"the payload tells of more than {MAX_TAGS} tags")
    if not made:
        reason = "no tag was pushed: a layer follows tags, not digests"
        return Ignored(reason=reason, delivery_id=delivery_id)
    return ArtifactPush(updates=_without_repetitions(made), delivery_id=delivery_id)


def _without_repetitions(updates: Iterable[ArtifactUpdate]) -> tuple[ArtifactUpdate, ...]:
    """Of those of one tag that say the same one after the other, the one with the newest moment."""
    kept: list[ArtifactUpdate] = []
    places: dict[tuple[str, str], int] = {}
    for update in updates:
        key = (update.artifact, update.tag)
        if key in places and kept[places[key]] == update:
            kept[places[key]] = max(kept[places[key]], update, key=_moment)
        else:
            places[key] = len(kept)
            kept.append(update)
    return tuple(kept)


def _moment(update: ArtifactUpdate) -> datetime:
    return update.pushed_at or datetime.min.replace(tzinfo=UTC)
