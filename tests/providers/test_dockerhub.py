"""Docker Hub: what names its artifacts, and what is no push."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush, Ignored
from tests.providers.signing import sample_json

JSON = {"content-type": "application/json"}


def deliver(
    payload: dict[str, Any] | bytes, headers: dict[str, str] = JSON
) -> ArtifactPush | Ignored:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return REGISTRIES["dockerhub"].parse_artifact(headers, body)


def names(result: ArtifactPush | Ignored) -> list[tuple[str, str]]:
    assert isinstance(result, ArtifactPush)
    return [(each.artifact, each.tag) for each in result.updates]


@pytest.mark.parametrize(
    ("repo_name", "artifact"),
    [
        ("acme/app", "docker.io/acme/app"),
        ("Acme/App", "docker.io/acme/app"),
        ("library/nginx", "docker.io/library/nginx"),
        ("nginx", "docker.io/library/nginx"),
        # A name is never a host: another registry's artifact cannot be told of here.
        ("ghcr.io/acme/app", "docker.io/ghcr.io/acme/app"),
    ],
)
def test_docker_hub_names_its_artifacts_without_the_host(repo_name: str, artifact: str) -> None:
    payload = {"push_data": {"tag": "main"}, "repository": {"repo_name": repo_name}}
    assert names(deliver(payload)) == [(artifact, "main")]


@pytest.mark.parametrize(
    "change",
    [
        {"push_data": {"pushed_at": 1417566161}},
        {"push_data": {"tag": None}},
        {"push_data": {"tag": ""}},
        {"push_data": None},
        {"repository": {"name": "app"}},
        {"repository": {"repo_name": ""}},
        {"repository": {"repo_name": "../app"}},
        {"repository": {"repo_name": "//evil.example/app"}, "push_data": {"tag": "a b"}},
    ],
)
def test_docker_hub_without_a_name_or_a_tag_is_malformed(change: dict[str, Any]) -> None:
    headers, payload = sample_json("dockerhub", "push")
    with pytest.raises(MalformedPayload):
        deliver(payload | change, headers)
