"""The public listener: one request, one documented answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.model import Secret
from router.core.routing import BasicAuth, HeaderAuth, PathAuth
from router.web.limits import MAX_ANSWER_LAYERS, MAX_ANSWER_UPDATES, MAX_BODY_BYTES
from tests.builders import (
    MAIN,
    SECRET,
    URL,
    ZERO,
    commit,
    github_push,
    github_request,
    make_repository,
    make_routing,
)
from tests.thoroughness import examples
from tests.web.conftest import MakeWeb, Web, open_web


async def post(web: Web, payload: Any, **request: Any) -> tuple[int, dict[str, Any]]:
    headers, body = github_request(payload, **request)
    answer = await web.public.post("/hooks/github", headers=headers, content=body)
    return answer.status_code, answer.json()


async def first_push(web: Web) -> None:
    """The first push of a ref is unknown; it sets the cursor to commit 1."""
    status, _ = await post(web, github_push(before=commit(9), after=commit(1)), delivery="first")
    assert status == 202


async def test_a_push_names_the_layers_it_is_routed_to(web: Web) -> None:
    await first_push(web)
    status, answer = await post(web, github_push(paths=["apps/app1/a.yaml", "docs/x.md"]))
    assert status == 202
    assert answer == {
        "delivery": answer["delivery"],
        "duplicate": False,
        "updates": [
            {
                "repository": "fleet",
                "ref": "refs/heads/main",
                "commit": commit(2),
                "status": "routed",
                "reason": "the file lists are complete: 2 changed paths, 1 of no layer"
                " (e.g. 'docs/x.md')",
                "layers": [{"name": "app1", "reason": answer["updates"][0]["layers"][0]["reason"]}],
            }
        ],
    }
    assert (await web.receivers())["app1"] == 2
    assert (await web.receivers())["bootstrap"] == 1


async def test_the_first_push_of_a_ref_calls_every_layer_and_says_why(web: Web) -> None:
    status, answer = await post(web, github_push())
    assert status == 202
    (update,) = answer["updates"]
    assert len(update["layers"]) == 7
    assert "no push of this ref was planned before" in update["reason"]
    assert web.woken == [True]


async def test_a_push_that_changes_no_layer_is_routed_to_none(web: Web) -> None:
    await first_push(web)
    before = await web.receivers()
    status, answer = await post(web, github_push(paths=["docs/readme.md"]))
    assert (status, answer["updates"][0]["layers"]) == (202, [])
    assert await web.receivers() == before


async def test_a_redelivery_is_a_duplicate_and_tells_the_first_one_s_story(web: Web) -> None:
    first = await post(web, github_push())
    again = await post(web, github_push())
    assert again[0] == 202
    assert again[1] == {**first[1], "duplicate": True}
    assert set((await web.receivers()).values()) == {1}


async def test_a_push_that_repeats_an_earlier_one_counts_by_an_id_of_its_own(web: Web) -> None:
    await first_push(web)
    there, back = github_push(), github_push(before=commit(2), after=commit(1))
    for number, payload in enumerate((there, back, there)):
        _, answer = await post(web, payload, delivery=f"run-{number}")
        assert not answer["duplicate"]
        assert "app1" in [layer["name"] for layer in answer["updates"][0]["layers"]]
    assert (await web.receivers())["app1"] == 4
    assert (await post(web, there, delivery="run-2"))[1]["duplicate"]


async def test_a_recorded_push_that_is_sent_with_another_id_hides_no_true_one(web: Web) -> None:
    await first_push(web)
    recorded = github_push()
    await post(web, recorded, delivery="true-1")
    await post(web, github_push(before=commit(2), after=commit(3)), delivery="true-2")
    for number in range(2):
        _, answer = await post(web, recorded, delivery=f"made-up-{number}")
        assert len(answer["updates"][0]["layers"]) == 7  # without need
    true = github_push(before=commit(3), after=commit(4), paths=["apps/app2/a.yaml"])
    _, answer = await post(web, true, delivery="true-3")
    assert len(answer["updates"][0]["layers"]) == 7


async def test_a_url_that_is_too_long_names_no_repository_and_hides_no_other(web: Web) -> None:
    payload = github_push()
    payload["repository"]["clone_url"] = "https://github.com/" + "%41" * 100_000
    assert (await post(web, payload))[0] == 202  # the page's URL names it
    del payload["repository"]["html_url"]
    status, answer = await post(web, payload, delivery="guid-2")
    assert (status, answer) == (200, {"status": "ignored", "reason": "unknown repository"})


async def test_an_answer_lists_no_more_than_a_person_reads(make_web: MakeWeb) -> None:
    layers = {f"layer{number}": [f"{number}/"] for number in range(MAX_ANSWER_LAYERS)}
    tags = make_repository(layers, name="tags", ref="refs/tags/v*")
    main = make_repository({"main": ["main"]}, name="main")
    web = await make_web(make_routing(main, tags, provider="generic", generation=1))
    refs = [MAIN, *(f"refs/tags/v{number}" for number in range(150)), "refs/tags/other"]
    updates = [{"ref": ref, "before": ZERO, "after": commit(1)} for ref in refs]
    body = json.dumps({"repository": URL, "updates": updates}).encode()
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-signature": f"sha256={signature}"}
    answer = (await web.public.post("/hooks/github", headers=headers, content=body)).json()
    assert (len(answer["updates"]), answer["updatesLeftOut"]) == (MAX_ANSWER_UPDATES, 52)
    assert [(each["repository"], len(each["layers"])) for each in answer["updates"][-2:]] == [
        ("main", 1),
        ("tags", MAX_ANSWER_LAYERS - 1),
    ]
    assert answer["updates"][-1]["layersLeftOut"] == 1
    story = (await web.admin.get(f"/api/v1/deliveries/{answer['delivery']}")).json()
    assert len(story["updates"]) == len(refs)
    assert len(story["plans"][1]["layers"]) == MAX_ANSWER_LAYERS


async def test_an_ignored_delivery_can_be_redelivered_when_the_file_was_mended(
    web: Web,
) -> None:
    other = "https://github.com/acme/other"
    status, answer = await post(web, github_push(url=other))
    assert (status, answer) == (200, {"status": "ignored", "reason": "unknown repository"})
    mended = make_routing(make_repository(url=other), generation=1)
    web.in_force.replace(mended)
    status, answer = await post(web, github_push(url=other))
    assert status == 202
    assert not answer["duplicate"]


@pytest.mark.parametrize(
    ("payload", "event", "told"),
    [
        (github_push(ref="refs/heads/feature"), "push", "no entry tracks this ref"),
        (github_push(ref="refs/tags/main"), "push", "no entry tracks this ref"),
        (github_push(after=ZERO), "push", "deleted"),
        (github_push(url="https://github.com/acme/fleet2"), "push", "unknown repository"),
        ({"zen": "Keep it logically awesome."}, "ping", "ping"),
        ({"action": "opened"}, "issues", "issues"),
    ],
)
async def test_what_does_not_concern_us_is_answered_200(
    web: Web, payload: dict[str, Any], event: str, told: str
) -> None:
    status, answer = await post(web, payload, event=event)
    assert (status, answer["status"]) == (200, "ignored")
    assert told in answer["reason"]
    assert await web.receivers() == {}
    (story,) = await web.store.deliveries(limit=10)
    assert story.delivery.status == "ignored"  # kept, so that "nothing happened" can be explained


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"x-hub-signature-256": None}, 401, "unauthorized"),
        ({"x-hub-signature-256": ""}, 401, "unauthorized"),
        ({"x-hub-signature-256": "sha256="}, 401, "unauthorized"),
        ({"x-hub-signature-256": "sha256=" + "0" * 64}, 401, "unauthorized"),
        ({"x-hub-signature-256": "sha256=\xff\xfe"}, 401, "unauthorized"),
        ({"x-hub-signature-256": None, "x-hub-signature": "sha1=00"}, 401, "unauthorized"),
        ({"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        ({"x-github-event": None}, 400, "malformed"),
        ({"content-length": str(MAX_BODY_BYTES + 1)}, 413, "too_large"),
        ({"content-length": "9" * 5000}, 413, "too_large"),
        ({"content-length": "-1"}, 400, "malformed"),
        ({"content-length": "\xb2"}, 400, "malformed"),
    ],
)
async def test_a_bad_request_has_its_status_and_leaves_nothing(
    web: Web, changes: dict[str, str | None], status: int, code: str
) -> None:
    headers, body = github_request(github_push())
    kept = {**headers, **changes}
    sent = [(name, value.encode("latin-1")) for name, value in kept.items() if value is not None]
    answer = await web.public.post("/hooks/github", headers=sent, content=body)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.json()["error"] == code
    assert set(answer.json()) == {"error", "detail"}
    assert await web.store.deliveries(limit=10) == []
    assert web.observer.rejected == [("github", status, code)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"ref": 5}',
        b"[" * 100_000,
        json.dumps({**github_push(), "commits": {}}).encode(),
        json.dumps({**github_push(), "repository": None}).encode(),
        json.dumps({**github_push(), "after": "xyz"}).encode(),
    ],
)
async def test_a_signed_body_that_is_no_push_is_malformed(web: Web, body: bytes) -> None:
    headers, _ = github_request(body)
    answer = await web.public.post("/hooks/github", headers=headers, content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert await web.store.deliveries(limit=10) == []


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/other",
        "/hooks/github/token",
        "/hooks/",
        "/hooks",
        "/",
        "/hooks/github/",
        "/hooks/github/a/b",
    ],
)
async def test_an_unknown_hook_or_path_is_404(web: Web, path: str) -> None:
    headers, body = github_request(github_push())
    answer = await web.public.post(path, headers=headers, content=body)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


async def test_only_post_is_a_delivery(web: Web) -> None:
    assert (await web.public.get("/hooks/github")).status_code == 405
    assert (await web.public.get("/healthz")).json() == {"status": "ok"}


async def test_a_streamed_body_over_the_limit_is_refused_while_it_comes(web: Web) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * MAX_BODY_BYTES:
            sent += 1024 * 1024
            yield b"x" * 1024 * 1024

    headers, _ = github_request(b"")
    answer = await web.public.post("/hooks/github", headers=headers, content=endless())
    assert answer.status_code == 413
    assert sent <= MAX_BODY_BYTES + 2 * 1024 * 1024


async def test_bodies_over_the_process_s_budget_are_asked_to_come_later(
    make_web: MakeWeb,
) -> None:
    web = await make_web()
    hold = asyncio.Event()
    chunk = b"x" * (24 * 1024 * 1024)

    async def slow() -> AsyncIterator[bytes]:
        yield chunk
        await hold.wait()

    headers, body = github_request(github_push())
    posts = [
        asyncio.create_task(web.public.post("/hooks/github", headers=headers, content=slow()))
        for _ in range(11)
    ]
    refused, _ = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
    answer = refused.pop().result()
    assert (answer.status_code, answer.json()["error"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "5"
    hold.set()
    await asyncio.gather(*posts)
    answer = await web.public.post("/hooks/github", headers=headers, content=body)
    assert answer.status_code == 202  # everything held was given back


async def test_a_store_that_is_down_is_503_and_nothing_is_promised(web: Web) -> None:
    web.store.is_down = True
    status, answer = await post(web, github_push())
    assert (status, answer["error"]) == (503, "store_unavailable")
    web.store.is_down = False
    status, answer = await post(web, github_push())
    assert (status, answer["duplicate"]) == (202, False)


async def test_a_defect_of_ours_is_a_500_that_tells_nothing_of_it(web: Web) -> None:
    del web.in_force.current  # whatever happens: no RouterError
    status, answer = await post(web, github_push())
    assert (status, answer["error"]) == (500, "internal_error")
    assert "attribute" not in answer["detail"]


@pytest.mark.parametrize(
    ("auth", "path", "headers", "status"),
    [
        (HeaderAuth(name="x-key", value=Secret(b"k")), "", {"x-key": "k"}, 202),
        (HeaderAuth(name="x-key", value=Secret(b"k")), "", {"x-key": "K"}, 401),
        (HeaderAuth(name="x-key", value=Secret(b"k")), "", {}, 401),
        (PathAuth(token=Secret(b"t")), "/t", {}, 202),
        (PathAuth(token=Secret(b"t")), "/T", {}, 401),
        (PathAuth(token=Secret(b"t")), "", {}, 401),
        (
            BasicAuth(username="u", password=Secret(b"p")),
            "",
            {"authorization": "Basic dTpw"},
            202,
        ),
        (BasicAuth(username="u", password=Secret(b"p")), "", {"authorization": "Basic !"}, 401),
    ],
)
async def test_a_hook_that_cannot_sign_is_let_in_by_its_auth(
    make_web: MakeWeb, auth: Any, path: str, headers: dict[str, str], status: int
) -> None:
    web = await make_web(make_routing(generation=1, auth=auth, secrets=()))
    sent, body = github_request(github_push())
    sent.pop("x-hub-signature-256")
    answer = await web.public.post(
        f"/hooks/github{path}", headers={**sent, **headers}, content=body
    )
    assert answer.status_code == status


async def test_several_updates_of_one_push_are_each_answered(make_web: MakeWeb) -> None:
    main = make_repository(name="main", hook="ci")
    tags = make_repository({"release": ["."]}, name="tags", hook="ci", ref="refs/tags/v*")
    web = await make_web(make_routing(main, tags, provider="generic", generation=1))
    moves = [
        {
            "ref": "refs/heads/main",
            "before": commit(1),
            "after": commit(2),
            "paths": ["apps/app1/x"],
        },
        {"ref": "refs/tags/v1", "before": ZERO, "after": commit(2)},
        {"ref": "refs/heads/other", "before": commit(1), "after": commit(3)},
    ]
    body = json.dumps({"repository": main.url, "updates": moves}).encode()
    signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {"x-signature": signature, "content-type": "application/json"}
    answer = await web.public.post("/hooks/ci", headers=headers, content=body)
    told = {update["ref"]: update["status"] for update in answer.json()["updates"]}
    assert answer.status_code == 202
    assert told == {
        "refs/heads/main": "routed",
        "refs/tags/v1": "routed",
        "refs/heads/other": "ignored",
    }


@settings(max_examples=examples(25), deadline=None)
@given(body=st.binary(max_size=200), is_signed=st.booleans())
def test_any_bytes_are_answered_and_never_a_traceback(body: bytes, is_signed: bool) -> None:
    async def run() -> None:
        async with AsyncExitStack() as clients:
            web = await open_web(clients=clients)
            headers, _ = github_request(body)
            if not is_signed:
                headers["x-hub-signature-256"] = "sha256=" + "0" * 64
            answer = await web.public.post("/hooks/github", headers=headers, content=body)
            assert answer.status_code in ({200, 202, 400} if is_signed else {401})
            assert "Traceback" not in answer.text

    asyncio.run(run())
