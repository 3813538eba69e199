"""POST /api/v1/explain: what a delivery's changed paths affect under the file in force now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.kustomize.closure import Build
from router.core.model import (
    MAX_KEPT_PATHS,
    Closing,
    Delivery,
    Intent,
    Match,
    Observation,
    Plan,
    TrackedRef,
)
from router.core.routing import GitAccess
from tests.builders import (
    CHAIN,
    MAIN,
    URL,
    ZERO,
    commit,
    github_push,
    github_request,
    make_layer,
    make_repository,
    make_routing,
)
from tests.web.conftest import MakeWeb, Web
from tests.web.test_admin import push
from tests.web.test_openapi import check_answer


async def ask(web: Web, **question: Any) -> dict[str, Any]:
    answer = await web.admin.post("/api/v1/explain", content=json.dumps(question))
    check_answer("post", "/api/v1/explain", answer)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def explain(web: Web, delivery: str) -> dict[str, Any]:
    """The one explanation of a delivery, with its layers by name."""
    (told,) = (await ask(web, delivery=delivery))["explanations"]
    return {**told, "layers": {layer["layer"]: layer for layer in told["layers"]}}


def affected(told: dict[str, Any]) -> set[str]:
    return {name for name, layer in told["layers"].items() if layer["affected"]}


def differing(told: dict[str, Any]) -> set[str]:
    return {name for name, layer in told["layers"].items() if layer["differs"]}


def push_many(number: int) -> dict[str, Any]:
    """A push that changes more paths than are kept, the last of them app2's; no list is cut."""
    paths = [f"apps/app1/{each}" for each in range(MAX_KEPT_PATHS)] + ["apps/app2/x"]
    body = github_push(before=commit(number), after=commit(number + 1))
    body["commits"] = [
        {"id": commit(start), "added": [], "modified": paths[start : start + 1000], "removed": []}
        for start in range(0, len(paths), 1000)
    ]
    return body


def put_in_force(web: Web, layers: dict[str, list[str]] | None = None, **fields: Any) -> None:
    web.in_force.replace(make_routing(make_repository(layers or CHAIN, **fields), generation=1))


async def deliver(web: Web, body: dict[str, Any]) -> str:
    """A push that is ignored too is kept; returns the id of the newest delivery."""
    headers, content = github_request(body, delivery=f"guid-{body['after']}")
    answer = await web.public.post("/hooks/github", headers=headers, content=content)
    assert answer.status_code in {200, 202}
    newest = (await web.admin.get("/api/v1/deliveries?limit=1")).json()["deliveries"][0]
    return str(newest["id"])


async def git_plan(web: Web, *, paths: tuple[str, ...], count: int, **fields: Any) -> str:
    """A delivery as a sweep leaves it, whose plan compared two trees."""
    delivery = Delivery(
        id=web.clock.new_id(), origin="sweep", received_at=web.clock.now(), status="routed"
    )
    plan = Plan(
        **{
            "repository": "fleet",
            "knowledge": "exact",
            "reason": "the trees were compared",
            "matches": (Match(layer="app1", is_affected=True, reason="a changed path matches"),),
            "wants": (),
            "ref": MAIN,
            "commit": commit(2),
            "before": commit(1),
            "cursor": commit(2),
            "paths": paths,
            "path_count": count,
            **fields,
        }
    )
    tracked = TrackedRef(repository="fleet", url="github.com/acme/fleet", ref=MAIN)
    observation = Observation(
        repository="fleet",
        intents=(Intent(decide=lambda _state: plan, tracked=tracked),),
        delivery=delivery,
    )
    await web.store.save_observation(observation, generation=1)
    return delivery.id


async def test_under_the_same_file_it_is_what_was_decided(web: Web) -> None:
    await push(web, 1)
    delivery = await push(web, 2, paths=["apps/app1/a.yaml", "controllers/x.md", "docs/x"])
    told = await explain(web, delivery)
    assert affected(told) == {"app1"}
    assert (told["known"], told["pathCount"], told["differs"]) == (True, 3, False)
    assert (told["unmapped"], told["unmappedCount"]) == (["docs/x"], 1)
    app1 = told["layers"]["app1"]
    assert (app1["path"], app1["pattern"]) == ("apps/app1/a.yaml", "apps/app1/")
    assert app1["receivers"] == ["prod/flux-system/app1"]
    assert app1["then"]["affected"] is True
    assert told["layers"]["controllers"]["then"]["pattern"] == "!controllers/**/*.md"
    assert set(told["layers"]) == set(CHAIN)


async def test_under_a_new_file_it_tells_where_it_differs(web: Web) -> None:
    await push(web, 1)
    delivery = await push(web, 2, paths=["apps/app1/a.yaml", "docs/x"])
    put_in_force(web, {"app1": ["other/"], "docs": ["docs/"], "app2": ["apps/app2/"]})
    told = await explain(web, delivery)
    assert (affected(told), differing(told)) == ({"docs"}, {"docs", "app1"})
    assert told["layers"]["app1"]["then"]["affected"] is True
    assert told["layers"]["docs"]["then"]["affected"] is False
    assert told["differs"] is True


async def test_layers_that_are_gone_are_told(web: Web) -> None:
    await push(web, 1)
    delivery = await push(web, 2)
    put_in_force(web, {"app2": ["apps/app2/"]})
    told = await explain(web, delivery)
    assert (told["gone"], told["differs"], affected(told)) == (["app1"], True, set())


async def test_what_was_unknown_then_still_affects_every_layer(web: Web) -> None:
    told = await explain(web, await push(web, 1))
    assert affected(told) == set(CHAIN)
    assert (told["known"], told["differs"]) == (False, False)
    assert all(layer["reason"].startswith("not known: ") for layer in told["layers"].values())


async def test_an_entry_that_is_gone_has_no_layers(web: Web) -> None:
    delivery = await push(web, 1)
    put_in_force(web, name="other")
    told = await explain(web, delivery)
    assert told["layers"] == {}
    assert set(told["gone"]) == set(CHAIN)
    assert "not in the routing file" in told["reason"]


async def test_a_ref_that_is_not_followed_any_more_affects_nothing(web: Web) -> None:
    delivery = await push(web, 1)
    put_in_force(web, ref="refs/heads/release")
    told = await explain(web, delivery)
    assert (affected(told), differing(told)) == (set(), set(CHAIN))
    assert told["reason"] == "the entry follows refs/heads/release now"


async def test_paths_that_are_not_all_kept_leave_the_others_unknown(web: Web) -> None:
    await push(web, 1)
    told = await explain(web, await deliver(web, push_many(2)))
    assert affected(told) == set(CHAIN)
    assert told["layers"]["app1"]["path"] == "apps/app1/0"
    missing = f"only {MAX_KEPT_PATHS} of {MAX_KEPT_PATHS + 1} changed paths are kept"
    assert told["layers"]["app3"]["reason"] == f"not known: {missing}"
    assert told["known"] is False
    assert missing in told["reason"]


async def test_in_git_mode_the_paths_are_the_plan_s(web: Web) -> None:
    told = await explain(web, await git_plan(web, paths=("apps/app1/x",), count=1))
    assert (affected(told), told["known"], told["differs"]) == ({"app1"}, True, False)
    assert told["reason"] == "the two trees were compared: 1 changed path"
    told = await explain(web, await git_plan(web, paths=("apps/app1/x",), count=2))
    assert affected(told) == set(CHAIN)


async def test_a_request_is_repeated_and_not_compared(web: Web) -> None:
    delivery = (await web.admin.post("/api/v1/layers/databases/notify")).json()["delivery"]
    told = await explain(web, delivery)
    assert (affected(told), told["differs"]) == ({"databases"}, False)
    assert told["reason"] == "requested by an operator"
    put_in_force(web, {"app1": ["apps/app1/"]})
    told = await explain(web, delivery)
    assert (affected(told), told["gone"]) == (set(), ["databases"])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "https://github.com/acme/other"}, "no entry of this hook has this repository"),
        ({"ref": "refs/heads/none"}, "no entry tracks this ref"),
        ({"after": ZERO}, "the ref was deleted"),
    ],
)
async def test_what_concerned_nothing_is_told_so(
    web: Web, fields: dict[str, Any], reason: str
) -> None:
    told = await explain(web, await deliver(web, github_push(**fields)))
    assert told["layers"] == {}
    assert reason in told["reason"]


async def test_a_push_that_waits_is_judged_by_what_it_told(make_web: MakeWeb) -> None:
    web = await make_web(make_routing(make_repository(git=GitAccess(url=URL)), generation=1))
    exact = await deliver(web, github_push())
    told = await explain(web, exact)
    assert affected(told) == {"app1"}
    assert all(layer["then"] is None for layer in told["layers"].values())
    forced = await deliver(web, github_push(forced=True, after=commit(3)))
    assert affected(await explain(web, forced)) == set(CHAIN)
    closing = Closing(delivery=exact, ref=MAIN, status="routed", reason="planned with another")
    await web.store.save_observation(
        Observation(repository="fleet", closings=(closing,)), generation=1
    )
    told = await explain(web, exact)
    assert told["reason"].startswith("planned with another; ")
    put_in_force(web, name="other")
    assert (await explain(web, exact))["layers"] == {}
    put_in_force(web, ref="refs/heads/release")
    told = await explain(web, exact)
    assert (affected(told), differing(told)) == (set(), set())


async def test_a_waiting_push_with_more_paths_than_are_kept_is_not_known(
    make_web: MakeWeb,
) -> None:
    web = await make_web(make_routing(make_repository(git=GitAccess(url=URL)), generation=1))
    told = await explain(web, await deliver(web, push_many(1)))
    assert (affected(told), told["known"]) == (set(CHAIN), False)
    assert told["layers"]["app1"]["pattern"] == "apps/app1/"
    assert f"only the first {MAX_KEPT_PATHS}" in told["layers"]["app2"]["reason"]


async def test_of_a_layer_with_a_build_stands_what_was_decided_then(web: Web) -> None:
    built = [
        make_layer(name, ("own/",), build=Build(folders=(f"apps/{name}",)))
        for name in ("app1", "app2")
    ]
    web.in_force.replace(make_routing(make_repository(built, git=GitAccess(url=URL)), generation=1))
    reason = "its build reads a changed file: base/x"
    then = (Match(layer="app1", is_affected=True, reason=reason, path="base/x"),)
    told = await explain(web, await git_plan(web, paths=("base/x",), count=1, matches=then))
    assert (affected(told), told["differs"]) == ({"app1"}, False)
    assert told["layers"]["app1"]["reason"] == reason
    (told,) = (await ask(web, repository="fleet", paths=["own/x", "base/x"]))["explanations"]
    assert [each["pattern"] for each in told["layers"]] == ["own/", "own/"]
    (told,) = (await ask(web, repository="fleet", paths=["base/x"]))["explanations"]
    assert [each["affected"] for each in told["layers"]] == [True, True]
    assert "only a look at the repository can tell" in told["layers"][0]["reason"]


async def test_given_paths_are_matched_from_the_root(web: Web) -> None:
    paths = ["./apps/base/x", "docs/caf\udce9"]
    (told,) = (await ask(web, repository="fleet", paths=paths))["explanations"]
    assert [each["layer"] for each in told["layers"] if each["affected"]] == [
        "app1", "app2", "app3",
    ]  # fmt: skip
    assert told["unmapped"] == ["docs/caf\udce9"]
    assert all(layer["then"] is None for layer in told["layers"])


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({"delivery": "nope"}, 404),
        ({"repository": "nope", "paths": ["x"]}, 404),
        ({"delivery": 1}, 400),
        ({"delivery": None}, 400),
        ({"delivery": "\ud800"}, 400),
        ({"delivery": "x", "paths": ["x"]}, 400),
        ({"repository": "fleet"}, 400),
        ({"repository": ["fleet"], "paths": ["x"]}, 400),
        ({"repository": "fleet", "paths": "x"}, 400),
        ({"repository": "fleet", "paths": [1]}, 400),
        ({"repository": "fleet", "paths": []}, 400),
        ({"repository": "fleet", "paths": [""]}, 400),
        ({"repository": "fleet", "paths": ["a/../b"]}, 400),
        ([], 400),
        (None, 400),
    ],
)
async def test_what_is_no_question_is_refused(web: Web, question: object, status: int) -> None:
    answer = await web.admin.post("/api/v1/explain", content=json.dumps(question))
    check_answer("post", "/api/v1/explain", answer)
    assert answer.status_code == status


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"delivery"'])
async def test_a_body_that_is_no_json_is_refused(web: Web, body: bytes) -> None:
    answer = await web.admin.post("/api/v1/explain", content=body)
    assert answer.status_code == 400
