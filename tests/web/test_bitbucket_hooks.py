"""What the samples of Bitbucket lead to, from the request to the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.model import Secret
from router.core.routing import BasicAuth, Repository
from tests.builders import SECRET, make_repository, make_routing
from tests.providers.signing import sample, signed
from tests.web.conftest import MakeWeb, Web

BASIC = BasicAuth(username="router", password=Secret(b"hunter2"))
CREDENTIALS = {"authorization": "Basic cm91dGVyOmh1bnRlcjI="}


async def post(web: Web, provider: str, case: str) -> tuple[int, dict[str, Any]]:
    headers, body = sample(provider, case)
    proved = signed(provider, headers, body, secret=SECRET)
    answer = await web.public.post("/hooks/bitbucket", headers=proved, content=body)
    return answer.status_code, answer.json()


def entry(url: str, **fields: Any) -> Repository:
    return make_repository(url=url, hook="bitbucket", **fields)


def cloud_entries() -> tuple[Repository, Repository]:
    url = "git@bitbucket.org:acme/fleet.git"
    tags = entry(url, name="tags", layers={"release": ["."]}, ref="refs/tags/v*")
    return entry(url, name="main"), tags


async def test_every_ref_of_a_delivery_is_answered(make_web: MakeWeb) -> None:
    web = await make_web(make_routing(*cloud_entries(), provider="bitbucket", generation=1))
    status, answer = await post(web, "bitbucket", "push_many_refs")
    assert status == 202
    assert {update["ref"]: update["status"] for update in answer["updates"]} == {
        "refs/heads/main": "routed",
        "refs/tags/v1.4.0": "routed",
        "refs/heads/feature/größe": "ignored",
        "refs/heads/old": "ignored",
    }
    assert "release" in await web.receivers()


async def test_an_empty_list_of_changes_calls_the_layers_of_every_ref(make_web: MakeWeb) -> None:
    web = await make_web(make_routing(*cloud_entries(), provider="bitbucket", generation=1))
    status, answer = await post(web, "bitbucket", "no_changes")
    assert status == 202
    assert "Bitbucket did not tell which refs" in json.dumps(answer)
    assert len(await web.receivers()) == 8


@pytest.mark.parametrize("case", ["push", "mirror", "without_links"])
@pytest.mark.parametrize(
    "url",
    [
        "https://bitbucket.acme.example/scm/ops/fleet.git",
        "https://bitbucket.acme.example/scm/OPS/fleet",
        "ssh://git@bitbucket.acme.example:7999/ops/fleet.git",
        "git@bitbucket.acme.example:OPS/fleet.git",
    ],
)
async def test_a_push_at_data_center_finds_its_entry_however_it_is_cloned(
    make_web: MakeWeb, case: str, url: str
) -> None:
    web = await make_web(make_routing(entry(url), provider="bitbucket-server", generation=1))
    status, answer = await post(web, "bitbucket-server", case)
    assert (status, answer["updates"][0]["status"]) == (202, "routed")


@pytest.mark.parametrize(
    ("hook", "headers", "status"),
    [
        ({}, {}, 401),
        ({}, CREDENTIALS, 401),
        ({"auth": BASIC, "secrets": ()}, CREDENTIALS, 200),
        ({"auth": BASIC, "secrets": ()}, {}, 401),
    ],
)
async def test_a_ping_without_a_signature_needs_credentials(
    make_web: MakeWeb, hook: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    url = "https://bitbucket.acme.example/scm/ops/fleet.git"
    web = await make_web(
        make_routing(entry(url), provider="bitbucket-server", generation=1, **hook)
    )
    sent, body = sample("bitbucket-server", "ping")
    answer = await web.public.post("/hooks/bitbucket", headers=sent | headers, content=body)
    assert answer.status_code == status
    assert await web.receivers() == {}


async def test_a_signed_ping_is_answered_and_calls_nobody(make_web: MakeWeb) -> None:
    url = "https://bitbucket.acme.example/scm/ops/fleet.git"
    web = await make_web(make_routing(entry(url), provider="bitbucket-server", generation=1))
    status, answer = await post(web, "bitbucket-server", "ping")
    assert (status, answer["status"]) == (200, "ignored")
    assert answer["reason"].startswith("a ping")
    assert await web.receivers() == {}


async def test_a_hook_of_the_other_bitbucket_is_told_so(make_web: MakeWeb) -> None:
    web = await make_web(make_routing(*cloud_entries(), provider="bitbucket", generation=1))
    status, answer = await post(web, "bitbucket-server", "push")
    assert status == 400
    assert "bitbucket-server" in answer["detail"]
    assert await web.receivers() == {}
