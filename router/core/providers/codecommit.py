"""AWS CodeCommit: its events, sent by an Amazon EventBridge API destination.

Nothing is signed: the connection of the API destination sends credentials. The repository's own
triggers come by Amazon SNS, which would have us call a URL of the payload, and do not tell the
commit before; they are refused.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload, SettingsInvalid
from router.core.lists import ABSENT, decode
from router.core.naming import normalize_url
from router.core.providers.interface import (
    JSON,
    OutgoingPush,
    cannot_sign,
    checked_push,
    json_body,
    json_payload,
    listless_update,
    never_signed,
    other_event,
)
from router.core.push import Ignored, Push, RefUpdate, is_zero

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body

SOURCE = "aws.codecommit"
STATE_CHANGE = "CodeCommit Repository State Change"
CREATED, UPDATED, DELETED = "referenceCreated", "referenceUpdated", "referenceDeleted"

NOT_SNS = (
    "a trigger of the repository, sent by Amazon SNS, is not served; "
    "make an EventBridge rule with an API destination"
)

_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}")
# https://docs.aws.amazon.com/codecommit/latest/APIReference/API_RepositoryMetadata.html
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_CLONE_URL = re.compile(
    rf"git-codecommit(?:-fips)?\.({_REGION.pattern})\.amazonaws\.com(?:\.cn)?"
    rf"/v1/repos/({_NAME.pattern})"
)

verify = cannot_sign
is_signed = never_signed


class _Sns(msgspec.Struct, frozen=True, gc=False):
    """What an envelope of SNS has, or the message inside it."""

    TopicArn: msgspec.Raw = ABSENT
    Records: msgspec.Raw = ABSENT


class _Event(msgspec.Struct, frozen=True, gc=False):
    source: str
    detail_type: str = msgspec.field(name="detail-type")
    id: str | None = None
    region: str | None = None
    detail: msgspec.Raw = ABSENT


class _Change(msgspec.Struct, frozen=True, gc=False):
    event: str


class _Reference(msgspec.Struct, frozen=True, gc=False):
    """What happened to a branch or a tag."""

    event: str
    repositoryName: str
    referenceFullName: str
    commitId: str | None = None
    oldCommitId: str | None = None


_SNS_DECODER = msgspec.json.Decoder(_Sns)
_DECODER = msgspec.json.Decoder(_Event)
_CHANGE_DECODER = msgspec.json.Decoder(_Change)
_REFERENCE_DECODER = msgspec.json.Decoder(_Reference)


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia.

    Fields that an input transformer took away are named.
    """
    if headers.get("x-amz-sns-message-type"):
        raise MalformedPayload(NOT_SNS)
    payload = json_payload(headers, body)
    if decode(_SNS_DECODER, payload) != _Sns():
        raise MalformedPayload(NOT_SNS)
    event = decode(_DECODER, payload)
    delivery_id = event.id or None
    if event.source != SOURCE:
        raise MalformedPayload(f"the event is none of CodeCommit: its source is not {SOURCE}")
    if event.detail_type != STATE_CHANGE:
        return other_event(event.detail_type, delivery_id=delivery_id)
    change = decode(_CHANGE_DECODER, event.detail, "detail").event
    if change not in (CREATED, UPDATED, DELETED):
        return other_event(change, delivery_id=delivery_id)
    reference = decode(_REFERENCE_DECODER, event.detail, "detail")
    urls = _urls(_present(event.region, "region"), reference.repositoryName)
    return checked_push(urls, [_checked(reference)], delivery_id=delivery_id)


def _checked(reference: _Reference) -> RefUpdate:
    old, new = reference.oldCommitId, reference.commitId
    if reference.event == CREATED:
        after = _present(new, "detail.commitId")
        before = "0" * len(after)
    elif reference.event == DELETED:
        before = _present(new if old is None else old, "detail.oldCommitId")
        after = "0" * len(before)
    else:
        before = _present(old, "detail.oldCommitId")
        after = _present(new, "detail.commitId")
    return listless_update(
        ref=reference.referenceFullName,
        before=before,
        after=after,
        forced=None,
        host="CodeCommit",
    )


def _present(value: str | None, field: str) -> str:
    if value is None:
        raise MalformedPayload(f"the payload has no {field}")
    return value


def _urls(region: str, name: str) -> list[str]:
    """The URLs to clone from; https and ssh differ in nothing that counts.

    https://docs.aws.amazon.com/codecommit/latest/userguide/regions.html
    https://github.com/aws/git-remote-codecommit
    """
    if not _REGION.fullmatch(region):
        raise MalformedPayload("region is not the name of a region, such as eu-central-1")
    if not _NAME.fullmatch(name):
        raise MalformedPayload("detail.repositoryName is no name that CodeCommit allows")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return [
        f"https://git-codecommit.{region}.{domain}/v1/repos/{name}",
        f"https://git-codecommit-fips.{region}.{domain}/v1/repos/{name}",
        f"codecommit::{region}://{name}",
    ]


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which EventBridge would tell of *push*.

    Raises SettingsInvalid when its repository's URL is none of CodeCommit.
    """
    found = _CLONE_URL.fullmatch(normalize_url(push.repository_url))
    if found is None:
        form = "https://git-codecommit.REGION.amazonaws.com/v1/repos/NAME"
        raise SettingsInvalid(f"the repository's URL has to be of the form {form}")
    region, name = found.groups()
    payload = {
        "version": "0",
        "id": delivery_id,
        "detail-type": STATE_CHANGE,
        "source": SOURCE,
        "region": region,
        "detail": {**_moved(push), "repositoryName": name, **_reference(push.ref)},
    }
    return {"Content-Type": f"{JSON}; charset=utf-8"}, json_body(payload)


def _moved(push: OutgoingPush) -> dict[str, str]:
    if is_zero(push.after):
        return {"event": DELETED, "oldCommitId": push.before}
    if is_zero(push.before):
        return {"event": CREATED, "commitId": push.after}
    return {"event": UPDATED, "commitId": push.after, "oldCommitId": push.before}


def _reference(ref: str) -> dict[str, str]:
    is_tag = ref.startswith("refs/tags/")
    return {
        "referenceType": "tag" if is_tag else "branch",
        "referenceName": ref.removeprefix("refs/tags/").removeprefix("refs/heads/"),
        "referenceFullName": ref,
    }
