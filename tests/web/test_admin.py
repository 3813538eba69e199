"""The admin listener: readiness, metrics, the API and who may use it."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.model import Attempt, Problem
from tests.builders import commit, github_push, github_request, make_repository, make_routing
from tests.web.conftest import MakeWeb, Web


async def push(web: Web, number: int = 1, **payload: Any) -> str:
    """Deliver a push; returns our id of it."""
    body = github_push(before=commit(number), after=commit(number + 1), **payload)
    headers, content = github_request(body, delivery=f"guid-{number}")
    answer = await web.public.post("/hooks/github", headers=headers, content=content)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["delivery"])


async def call_due(web: Web, *, outcome: Any = "notified", status: int | None = 200) -> None:
    """Serve every due receiver."""
    claimed = await web.store.claim_due(
        {"prod": 100},
        limit=100,
        owner="me",
        lease_seconds=20,
        generation=1,
    )
    for claim in claimed.claims:
        attempt = Attempt(
            receiver=claim.receiver,
            wanted=claim.wanted,
            started_at=web.clock.now(),
            duration_seconds=0.01,
            outcome=outcome,
            status=status,
        )
        retry_seconds = None if outcome == "notified" else 60.0
        await web.store.record_attempt(attempt, owner="me", retry_seconds=retry_seconds)


async def test_a_delivery_s_story_tells_why_each_layer_was_called(web: Web) -> None:
    await push(web, 1)
    delivery = await push(web, 2, paths=["apps/app1/a.yaml", "docs/x.md"])
    await call_due(web)
    story = (await web.admin.get(f"/api/v1/deliveries/{delivery}")).json()
    (plan,) = story["plans"]
    assert (plan["knowledge"], plan["sequence"], plan["layers"]) == ("payload", 2, ["app1"])
    assert plan["unmappedCount"] == 1
    (match,) = [match for match in plan["matches"] if match["affected"]]
    assert (match["path"], match["pattern"]) == ("apps/app1/a.yaml", "apps/app1/")
    assert story["updates"][0]["paths"] == ["apps/app1/a.yaml", "docs/x.md"]
    assert [attempt["outcome"] for attempt in story["attempts"]] == ["notified"]


async def test_deliveries_are_paged_newest_first(web: Web) -> None:
    ids = [await push(web, number) for number in range(1, 6)]
    first = (await web.admin.get("/api/v1/deliveries?limit=2")).json()
    rest = (await web.admin.get(f"/api/v1/deliveries?limit=9&before={first['next']}")).json()
    assert [row["id"] for row in first["deliveries"] + rest["deliveries"]] == ids[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "before=²", "limit=" + "9" * 30]
)
async def test_a_bad_page_is_400(web: Web, query: str) -> None:
    assert (await web.admin.get(f"/api/v1/deliveries?{query}")).status_code == 400


async def test_layers_tell_where_their_receivers_stand(web: Web) -> None:
    await push(web)
    await call_due(web, outcome="rejected", status=404)
    layers = (await web.admin.get("/api/v1/layers")).json()["layers"]
    assert len(layers) == 7
    (receiver,) = next(layer for layer in layers if layer["name"] == "app1")["receivers"]
    assert (receiver["state"], receiver["wanted"], receiver["notified"]) == ("retrying", 1, 0)
    assert receiver["lastAttempt"]["status"] == 404


async def test_a_layer_tells_the_deliveries_that_affected_it(web: Web) -> None:
    await push(web, 1)
    newest = await push(web, 2)
    await push(web, 3, paths=["apps/app2/x"])
    layer = (await web.admin.get("/api/v1/layers/app1")).json()
    assert layer["deliveries"][0]["id"] == newest
    assert len(layer["deliveries"]) == 2


async def test_notify_wants_a_layer_once_more(web: Web) -> None:
    answer = await web.admin.post("/api/v1/layers/databases/notify")
    assert answer.status_code == 202
    assert answer.json()["receivers"] == ["prod/flux-system/databases"]
    assert await web.receivers() == {"databases": 1}
    assert web.woken == [True]


async def test_a_replay_wants_the_layers_of_then_and_tells_those_that_are_gone(web: Web) -> None:
    delivery = await push(web)
    small = make_repository({"app1": ["apps/app1/"]})
    web.in_force.replace(make_routing(small, generation=1))
    answer = (await web.admin.post(f"/api/v1/deliveries/{delivery}/replay")).json()
    assert answer["layers"] == ["app1"]
    assert set(answer["gone"]) == {
        "bootstrap", "controllers", "databases", "post-config", "app2", "app3",
    }  # fmt: skip
    assert (await web.receivers())["app1"] == 2
    story = (await web.admin.get(f"/api/v1/deliveries/{answer['delivery']}")).json()
    assert (story["origin"], story["replayOf"]) == ("replay", delivery)


async def test_a_replay_moves_no_cursor(web: Web) -> None:
    first = await push(web, 1)
    await push(web, 2)
    await web.admin.post(f"/api/v1/deliveries/{first}/replay")
    third = await push(web, 3)
    story = (await web.admin.get(f"/api/v1/deliveries/{third}")).json()
    assert story["plans"][0]["knowledge"] == "payload"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/deliveries/nope"),
        ("POST", "/api/v1/deliveries/nope/replay"),
        ("GET", "/api/v1/layers/nope"),
        ("POST", "/api/v1/layers/nope/notify"),
        ("GET", "/api/v2"),
        ("GET", "/api/v1/nope"),
    ],
)
async def test_what_is_not_there_is_404_as_json(web: Web, method: str, path: str) -> None:
    answer = await web.admin.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/deliveries", "/api/v1/layers", "/api/v1/nope"])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        ("Basic dG9rZW4=", 401),
        ("token", 401),
        ("Bearer \xff", 401),
        ("Bearer token", 200),
        ("bearer token", 200),
    ],
)
async def test_the_token_guards_the_api(
    make_web: MakeWeb, path: str, authorization: str | None, status: int
) -> None:
    web = await make_web(token=b"token")
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    answer = await web.admin.get(path, headers=headers)
    expected = 404 if status == 200 and path.endswith("nope") else status
    assert answer.status_code == expected


async def test_health_readiness_and_metrics_need_no_token(make_web: MakeWeb) -> None:
    web = await make_web(token=b"token")
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await web.admin.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:9090"}, 200),
        ({"host": "[::1]:9090"}, 200),
        ({"host": "evil.test:9090"}, 401),
        ({"host": "127.0.0.1.evil.test"}, 401),
        ({"host": ""}, 401),
        ({"host": "[::bad"}, 401),
        ({"origin": "http://127.0.0.1:9090"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 401),  # a page of another service on this machine
        ({"origin": "https://evil.test"}, 401),
        ({"origin": "null"}, 401),
    ],
)
async def test_without_a_token_only_local_pages_may_ask(
    web: Web, headers: dict[str, str], status: int
) -> None:
    assert (await web.admin.get("/api/v1/layers", headers=headers)).status_code == status


async def test_readiness_tells_of_a_file_that_does_not_load(web: Web) -> None:
    assert (await web.admin.get("/readyz")).json()["routingIsCurrent"] is True
    web.in_force.problems = (Problem(file="router.yaml", line=3, column=5, message="oh no"),)
    answer = await web.admin.get("/readyz")
    assert answer.status_code == 200  # the last good file serves on
    assert answer.json()["routingIsCurrent"] is False
    assert answer.json()["problems"] == ["router.yaml:3:5: oh no"]


async def test_readiness_is_503_while_the_file_in_force_cannot_be_used_here(web: Web) -> None:
    web.in_force.is_behind = True
    web.in_force.problems = (Problem(file="router.yaml", line=3, column=5, message="no secret"),)
    answer = await web.admin.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"error": "routing_unusable", "detail": "router.yaml:3:5: no secret"}


async def test_readiness_is_503_while_the_store_is_down(web: Web) -> None:
    web.store.is_down = True
    assert (await web.admin.get("/readyz")).status_code == 503


async def test_metrics_count_deliveries_plans_and_receivers(web: Web) -> None:
    await push(web, 1)
    await push(web, 2)
    await web.public.post("/hooks/github", content=b"")
    await web.public.post("/hooks/made-up-by-a-stranger", content=b"")
    text = (await web.admin.get("/metrics")).text
    for line in (
        'flux_router_deliveries_total{hook="github",outcome="routed"} 2.0',
        'flux_router_deliveries_total{hook="github",outcome="unauthorized"} 1.0',
        'flux_router_deliveries_total{hook="unknown",outcome="not_found"} 1.0',
        'flux_router_plans_total{knowledge="unknown",repository="fleet"} 1.0',
        'flux_router_plans_total{knowledge="payload",repository="fleet"} 1.0',
        'flux_router_receivers{cluster="prod",state="due"} 7.0',
    ):
        assert line in text
    assert "made-up" not in text
