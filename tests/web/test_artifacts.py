"""Layers that follow an artifact, as the API tells of them."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest

from tests.builders import SECRET, make_artifact, make_artifact_routing
from tests.providers.signing import sample_json
from tests.web.conftest import MakeWeb, Web
from tests.web.test_openapi import check_answer

OTHER = "sha256:" + "5f" * 32


@pytest.fixture
async def artifacts(make_web: MakeWeb) -> Web:
    _, body = sample_json("ghcr", "push")
    name = artifact_of(body)
    return await make_web(
        make_artifact_routing(
            make_artifact("app", name, tag=tag_of(body)), make_artifact("other", name, tag="never")
        )
    )


def artifact_of(body: dict[str, Any]) -> str:
    return str(body["package"]["package_version"]["package_url"]).rpartition(":")[0]


def tag_of(body: dict[str, Any]) -> str:
    return str(body["package"]["package_version"]["package_url"]).rpartition(":")[2]


async def push(web: Web, *, digest: str | None = None) -> dict[str, Any]:
    headers, payload = sample_json("ghcr", "push")
    if digest is not None:
        payload["package"]["package_version"]["version"] = digest
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET, body, sha256).hexdigest()
    headers["x-hub-signature-256"] = f"sha256={signature}"
    answer = await web.public.post("/hooks/ghcr", headers=headers, content=body)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def get(web: Web, path: str, of: str) -> dict[str, Any]:
    answer = await web.admin.get(path)
    check_answer("get", of, answer)
    told: dict[str, Any] = answer.json()
    return told


async def test_the_answer_names_the_artifact_the_tag_and_the_digest(artifacts: Web) -> None:
    _, payload = sample_json("ghcr", "push")
    (update,) = (await push(artifacts))["updates"]
    assert update == {
        "repository": f"oci://{artifact_of(payload)}",
        "ref": tag_of(payload),
        "commit": payload["package"]["package_version"]["version"],
        "status": "routed",
        "reason": "no push of this tag was planned before",
        "layers": [{"name": "app", "reason": "no push of this tag was planned before"}],
    }


async def test_a_layer_tells_the_tag_it_follows(artifacts: Web) -> None:
    _, payload = sample_json("ghcr", "push")
    layer = await get(artifacts, "/api/v1/layers/app", "/api/v1/layers/{name}")
    assert (layer["repository"], layer["tag"], layer["paths"]) == (
        f"oci://{artifact_of(payload)}",
        tag_of(payload),
        [],
    )


async def test_a_story_has_no_commit_before(artifacts: Web) -> None:
    delivery = (await push(artifacts))["delivery"]
    story = await get(artifacts, f"/api/v1/deliveries/{delivery}", "/api/v1/deliveries/{id}")
    (update,) = story["updates"]
    assert (update["before"], update["forced"], update["paths"]) == (None, None, [])
    assert update["after"].startswith("sha256:")


async def explain(web: Web, delivery: str) -> dict[str, Any]:
    question = json.dumps({"delivery": delivery})
    answer = await web.admin.post("/api/v1/explain", content=question)
    check_answer("post", "/api/v1/explain", answer)
    (told,) = answer.json()["explanations"]
    return {**told, "layers": {layer["layer"]: layer for layer in told["layers"]}}


async def test_a_delivery_is_explained_by_the_layers_that_follow_the_artifact_now(
    artifacts: Web,
) -> None:
    _, payload = sample_json("ghcr", "push")
    delivery = (await push(artifacts))["delivery"]
    told = await explain(artifacts, delivery)
    assert {name: layer["affected"] for name, layer in told["layers"].items()} == {
        "app": True,
        "other": False,
    }
    assert (told["differs"], told["gone"]) == (False, [])
    name = artifact_of(payload)
    artifacts.in_force.replace(
        make_artifact_routing(make_artifact("app", name, tag="v*"), make_artifact("new", name))
    )
    told = await explain(artifacts, delivery)
    assert {name: layer["affected"] for name, layer in told["layers"].items()} == {
        "app": tag_of(payload).startswith("v"),
        "new": tag_of(payload) == "main",
    }
    assert told["differs"]


async def test_what_planned_nothing_and_what_is_gone_are_told_so(artifacts: Web) -> None:
    await push(artifacts)
    again = (await push(artifacts, digest=OTHER))["delivery"]
    assert (await explain(artifacts, again))["layers"]["app"]["affected"]
    requested = await artifacts.admin.post("/api/v1/layers/app/notify")
    told = await explain(artifacts, requested.json()["delivery"])
    assert {name: layer["affected"] for name, layer in told["layers"].items()} == {
        "app": True,
        "other": False,
    }
    artifacts.in_force.replace(make_artifact_routing(make_artifact("x", "ghcr.io/acme/else")))
    told = await explain(artifacts, again)
    assert (told["layers"], told["gone"]) == ({}, ["app"])
