"""Quay: which payloads are pushes, and of which tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.registry import MAX_TAGS_BYTES
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush, Ignored
from tests.providers.signing import sample_json

JSON = {"content-type": "application/json"}
APP = "quay.io/acme/app1"


def deliver(
    payload: dict[str, Any] | bytes, headers: dict[str, str] = JSON
) -> ArtifactPush | Ignored:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return REGISTRIES["quay"].parse_artifact(headers, body)


def names(result: ArtifactPush | Ignored) -> list[tuple[str, str]]:
    assert isinstance(result, ArtifactPush)
    return [(each.artifact, each.tag) for each in result.updates]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [(APP, "main")]),
        (
            {"updated_tags": ["a", "b", "a"]},
            [(APP, "a"), (APP, "b")],
        ),
        ({"updated_tags": {"a": "an image's id"}}, [(APP, "a")]),
        (
            {"docker_url": "Quay.Acme.example:443/acme/app1"},
            [("quay.acme.example/acme/app1", "main")],
        ),
    ],
)
def test_quay_names_host_and_tags(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    headers, payload = sample_json("quay", "push")
    assert names(deliver(payload | change, headers)) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"updated_tags": None}, "not a push: the payload tells of no updated_tags"),
        ({"updated_tags": []}, "no tag was pushed"),
        ({"updated_tags": {}}, "no tag was pushed"),
    ],
)
def test_quay_without_tags_is_ignored(change: dict[str, Any], reason: str) -> None:
    headers, payload = sample_json("quay", "push")
    result = deliver(payload | change, headers)
    assert isinstance(result, Ignored)
    assert result.reason.startswith(reason)


@pytest.mark.parametrize(
    "change",
    [
        {"docker_url": None},
        {"docker_url": ""},
        {"docker_url": "acme"},
        {"docker_url": ["quay.io/acme/app1"]},
        {"updated_tags": "main"},
        {"updated_tags": [7]},
        {"updated_tags": [None]},
        {"updated_tags": [""]},
        {"updated_tags": ["main", "a b"]},
    ],
)
def test_quay_with_what_cannot_be_is_malformed(change: dict[str, Any]) -> None:
    headers, payload = sample_json("quay", "push")
    with pytest.raises(MalformedPayload):
        deliver(payload | change, headers)


@pytest.mark.parametrize(
    "tags", [["t"] * (MAX_TAGS_BYTES // 4), [f"t{number}" for number in range(1001)]]
)
def test_a_list_of_too_many_tags_is_malformed(tags: list[str]) -> None:
    with pytest.raises(MalformedPayload, match="more than 1000 tags"):
        deliver({"docker_url": APP, "updated_tags": tags})
