"""Harbor: two formats, and which of their resources are pushed tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload, UnsupportedMedia
from router.core.lists import MAX_BRACES, SLICE_BYTES
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored

JSON = {"content-type": "application/json"}
CLOUD = {"content-type": "application/cloudevents+json"}
DIGEST = "sha256:" + "4e" * 32
APP = "harbor.acme.example/acme/app"


def deliver(
    payload: dict[str, Any] | bytes, headers: dict[str, str] = JSON
) -> ArtifactPush | Ignored:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return REGISTRIES["harbor"].parse_artifact(headers, body)


def names(result: ArtifactPush | Ignored) -> list[tuple[str, str]]:
    assert isinstance(result, ArtifactPush)
    return [(each.artifact, each.tag) for each in result.updates]


def harbor(*resources: Any, **changes: Any) -> dict[str, Any]:
    data = {"resources": list(resources)}
    return {"type": "PUSH_ARTIFACT", "occur_at": 1, "event_data": data, **changes}


def cloud(*resources: Any, **changes: Any) -> dict[str, Any]:
    data = {"resources": list(resources)}
    return {"type": "harbor.artifact.pushed", "id": "one", "data": data, **changes}


TAGGED = {"resource_url": f"{APP}:main", "tag": "main", "digest": DIGEST}
BY_DIGEST = {"resource_url": f"{APP}@{DIGEST}", "tag": DIGEST, "digest": DIGEST}


def test_both_formats_of_harbor_tell_the_same_but_for_the_id() -> None:
    update = ArtifactUpdate(artifact=APP, tag="main", digest=DIGEST)
    assert deliver(harbor(TAGGED)) == ArtifactPush(updates=(update,), delivery_id=None)
    assert deliver(cloud(TAGGED), CLOUD) == ArtifactPush(updates=(update,), delivery_id="one")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([TAGGED, BY_DIGEST], [(APP, "main")]),
        ([TAGGED, {**TAGGED, "tag": "v1"}, TAGGED], [(APP, "main"), (APP, "v1")]),
        ([{**TAGGED, "digest": None}], [(APP, "main")]),
        ([{**TAGGED, "resource_url": "h:8443/Acme/App:main"}], [("h:8443/acme/app", "main")]),
    ],
)
def test_harbor_s_tagged_resources_count(
    resources: list[Any], expected: list[tuple[str, str]]
) -> None:
    assert names(deliver(harbor(*resources))) == expected


@pytest.mark.parametrize(
    "resources", [[], [BY_DIGEST], [{**TAGGED, "tag": ""}], [{**TAGGED, "tag": None}]]
)
def test_a_push_by_digest_to_harbor_is_ignored(resources: list[Any]) -> None:
    result = deliver(harbor(*resources))
    assert result == Ignored(reason="no tag was pushed: a layer follows tags, not digests")


@pytest.mark.parametrize(
    ("payload", "headers", "message"),
    [
        (harbor(event_data=None), JSON, r"\$\.event_data"),
        (harbor(event_data={}), JSON, r"missing required field `resources` - at `\$\.event_data"),
        (harbor(event_data={"resources": None}), JSON, r"\$\.event_data\.resources"),
        (harbor("main"), JSON, r"\$\.event_data\.resources\[0\]"),
        (harbor({"tag": "main"}), JSON, "a resource has no resource_url"),
        (harbor({**TAGGED, "digest": "sha256:1"}), JSON, "the digest is no"),
        (harbor({**TAGGED, "resource_url": "app:main"}), JSON, "the artifact's name"),
        ({"type": "PUSH_ARTIFACT", "event_data": {}}, JSON, "`occur_at`"),
        (cloud(data=None), CLOUD, r"\$\.data"),
        (cloud(TAGGED, id=None), CLOUD, r"\$\.id"),
        (cloud(TAGGED, type="com.acme.pushed"), CLOUD, "none of Harbor's"),
        # One format under the content type of the other.
        (cloud(TAGGED), JSON, "`occur_at`"),
        (harbor(TAGGED), CLOUD, "`id`"),
    ],
)
def test_what_harbor_never_sends_is_malformed(
    payload: dict[str, Any], headers: dict[str, str], message: str
) -> None:
    with pytest.raises(MalformedPayload, match=message):
        deliver(payload, headers)


def test_a_batch_of_cloud_events_is_not_read() -> None:
    with pytest.raises(UnsupportedMedia):
        deliver(b"[]", {"content-type": "application/cloudevents-batch+json"})


@pytest.mark.parametrize(
    ("payload", "headers", "reason"),
    [
        (harbor(type="REPLICATION"), JSON, "the REPLICATION event is not a push"),
        (harbor(type="TAG_RETENTION"), JSON, "the TAG_RETENTION event is not a push"),
        (harbor(type="<b>"), JSON, "the event is not a push"),
        (harbor(type="DELETE_ARTIFACT"), JSON, "a deleted artifact notifies nothing"),
        (cloud(type="harbor.scan.completed"), CLOUD, "the harbor.scan.completed event is not"),
    ],
)
def test_harbor_s_other_events_are_ignored(
    payload: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    result = deliver(payload, headers)
    assert isinstance(result, Ignored)
    assert result.reason.startswith(reason)


def test_what_would_take_many_times_its_size_is_not_read() -> None:
    many = b'{"type":"PUSH_ARTIFACT","x":[' + b"{}," * (MAX_BRACES + 1) + b"0" * SLICE_BYTES + b"]}"
    with pytest.raises(MalformedPayload, match="braces"):
        deliver(many)
