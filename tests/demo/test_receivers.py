from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from hashlib import sha256
from hmac import new as new_hmac
from typing import TYPE_CHECKING, Any, Literal, get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.flux import call_headers, receiver_path
from router.core.model import Secret
from router.core.routing import Receiver, ReceiverType
from router.demo.receivers import MAX_BODY_BYTES, FluxStandIn, StandInReceiver, serve_stand_in
from router.demo.validation import is_accepted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b'{"commit":"c"}'
TOKEN = b"token"


def make_receiver(kind: ReceiverType = "generic-hmac", **fields: Any) -> StandInReceiver:
    given: dict[str, Any] = {"namespace": "flux-system", "name": "app1", "token": TOKEN}
    return StandInReceiver(type=kind, **given | fields)


def sign(body: bytes = BODY, *, digest: str = "sha256", token: bytes = TOKEN) -> str:
    return f"{digest}={new_hmac(token, body, digest).hexdigest()}"


SIGNED = {"X-Signature": sign()}


@asynccontextmanager
async def client_to(stand_in: FluxStandIn) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to the application without a socket."""
    transport = httpx.ASGITransport(app=stand_in)
    async with httpx.AsyncClient(transport=transport, base_url="http://flux") as client:
        yield client


async def post(
    stand_in: FluxStandIn, path: str, headers: dict[str, str] | None = None, body: bytes = BODY
) -> int:
    async with client_to(stand_in) as client:
        return (await client.post(path, content=body, headers=headers)).status_code


def test_the_path_is_the_one_flux_publishes_for_its_own_example() -> None:
    receiver = make_receiver(name="receiver-secret", namespace="my-namespace", token=b"test-token")
    assert receiver.path.startswith("/hook/106120121d366c2f")


def test_the_token_is_no_part_of_a_generic_oidc_path() -> None:
    digest = sha256(b"app1flux-system").hexdigest()
    assert make_receiver("generic-oidc").path == f"/hook/{digest}"


JSON = {"Content-Type": "application/json"}
PUSH = {"X-GitHub-Event": "push"}


@pytest.mark.parametrize(
    ("kind", "events", "headers", "status"),
    [
        ("generic", (), {}, 200),
        ("generic-hmac", (), {"X-Signature": sign()}, 200),
        ("generic-hmac", (), {"X-Signature": sign(digest="sha1")}, 200),
        ("generic-hmac", (), {"X-Signature": sign(digest="sha512")}, 200),
        ("generic-hmac", (), {"X-Signature": sign(digest="md5")}, 400),
        ("generic-hmac", (), {"X-Signature": sign().partition("=")[2]}, 400),
        ("generic-hmac", (), {"X-Signature": "sha256=zz"}, 400),
        ("generic-hmac", (), {"X-Signature": sign(token=b"other")}, 400),
        ("generic-hmac", (), {"X-Signature": sign(b"other body")}, 400),
        ("generic-hmac", (), {}, 400),
        ("generic-oidc", (), {"Authorization": "Bearer token"}, 200),
        ("generic-oidc", (), {"Authorization": "token"}, 400),
        ("generic-oidc", (), {"Authorization": "Bearer other"}, 400),
        ("generic-oidc", (), {}, 400),
        ("github", (), {**JSON, "X-Hub-Signature-256": sign()}, 200),
        ("github", (), {**JSON, "X-Hub-Signature": sign(digest="sha1")}, 200),
        ("github", (), {**JSON, "X-Hub-Signature-256": sign(token=b"other")}, 400),
        ("github", (), JSON, 400),
        ("github", ("Push",), {**JSON, **PUSH, "X-Hub-Signature-256": sign()}, 200),
        ("github", ("ping",), {**JSON, **PUSH, "X-Hub-Signature-256": sign()}, 400),
        ("github", ("push",), {**JSON, "X-Hub-Signature-256": sign()}, 400),
        (
            "github",
            (),
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Hub-Signature-256": sign(),
            },
            200,
        ),
        (
            "github",
            (),
            {"Content-Type": "application/json; charset=utf-8", "X-Hub-Signature-256": sign()},
            200,
        ),
        ("github", (), {"Content-Type": "text/plain", "X-Hub-Signature-256": sign()}, 400),
        ("github", (), {"X-Hub-Signature-256": sign()}, 400),
        ("gitlab", (), {"X-Gitlab-Token": "token"}, 200),
        ("gitlab", (), {"X-Gitlab-Token": "other"}, 400),
        ("gitlab", (), {}, 400),
        (
            "gitlab",
            ("push hook",),
            {"X-Gitlab-Token": "token", "X-Gitlab-Event": "Push Hook"},
            200,
        ),
        ("gitlab", ("tag push hook",), {"X-Gitlab-Token": "token"}, 400),
        ("bitbucket", (), {**JSON, "X-Hub-Signature": sign()}, 200),
        ("bitbucket", (), {**JSON, "X-Hub-Signature": sign(token=b"other")}, 400),
        (
            "bitbucket",
            ("repo:refs_changed",),
            {**JSON, "X-Hub-Signature": sign(), "X-Event-Key": "repo:refs_changed"},
            200,
        ),
        ("bitbucket", ("pr:opened",), {**JSON, "X-Hub-Signature": sign()}, 400),
    ],
)
async def test_each_type_checks_what_flux_checks(
    kind: ReceiverType, events: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    receiver = make_receiver(kind, events=events)
    assert await post(FluxStandIn([receiver]), receiver.path, headers) == status


async def test_an_empty_token_lets_the_github_type_pass_unsigned_as_flux_does() -> None:
    receiver = make_receiver("github", token=b"")
    assert await post(FluxStandIn([receiver]), receiver.path, JSON) == 200


@given(st.sampled_from(get_args(ReceiverType)), st.binary(min_size=1), st.binary())
def test_whatever_the_router_sends_the_stand_in_accepts(
    kind: ReceiverType, token: bytes, body: bytes
) -> None:
    if kind in {"gitlab", "generic-oidc"}:  # tokens that travel in a header
        token = token.hex().encode()
    ours = Receiver(
        cluster="prod", namespace="flux-system", name="app1", type=kind, token=Secret(token)
    )
    theirs = make_receiver(kind, token=token)
    headers = call_headers(ours, body, bearer=token)
    lower = {name.lower(): value for name, value in headers.items()}
    assert is_accepted(theirs, lower, body)
    assert receiver_path(ours) == theirs.path


@pytest.mark.parametrize(
    "variant", ["{}?", "{}?a=b", "{}/", "/{}", "{}x", "/hook/", "/other", "/", "/hook"]
)
async def test_any_variant_of_the_path_is_unknown(variant: str) -> None:
    receiver = make_receiver("generic")
    stand_in = FluxStandIn([receiver])
    path = variant.format(receiver.path)
    status = await post(stand_in, path)
    # An empty query cannot be told from none in an ASGI application.
    assert status == (200 if path.endswith("?") else 404)


async def test_a_percent_encoded_path_is_unknown() -> None:
    receiver = make_receiver("generic")
    first = receiver.path.removeprefix("/hook/")[0]
    encoded = receiver.path.replace(f"/hook/{first}", f"/hook/%{ord(first):02x}")
    assert await post(FluxStandIn([receiver]), encoded) == 404


async def test_every_method_is_taken() -> None:
    receiver = make_receiver("generic")
    async with client_to(FluxStandIn([receiver])) as client:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            assert (await client.request(method, receiver.path)).status_code == 200


async def test_a_body_over_the_limit_is_refused_before_the_path_is_looked_up() -> None:
    receiver = make_receiver("generic")
    stand_in = FluxStandIn([receiver])
    large = b"x" * MAX_BODY_BYTES
    assert await post(stand_in, receiver.path, body=large) == 200
    assert await post(stand_in, receiver.path, body=large + b"x") == 413
    assert await post(stand_in, "/hook/unknown", body=large + b"x") == 413


async def test_answers_have_no_body() -> None:
    receiver = make_receiver()
    async with client_to(FluxStandIn([receiver])) as client:
        for path, headers in (
            (receiver.path, SIGNED),
            (receiver.path, {}),
            ("/hook/unknown", SIGNED),
        ):
            response = await client.post(path, content=BODY, headers=headers)
            assert (response.content, response.headers["content-length"]) == (b"", "0")


async def test_a_suspended_receiver_answers_503_even_to_a_bad_signature() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    stand_in.suspend("app1")
    assert await post(stand_in, receiver.path, SIGNED) == 503
    assert await post(stand_in, receiver.path) == 503
    stand_in.suspend("app1", False)
    assert await post(stand_in, receiver.path, SIGNED) == 200


async def test_failures_are_counted_or_last_until_told_otherwise() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])

    async def statuses() -> list[int]:
        return [await post(stand_in, receiver.path, SIGNED) for _ in range(3)]

    stand_in.fail("app1", times=2)
    assert await statuses() == [500, 500, 200]
    stand_in.fail("app1", status=502)
    assert await statuses() == [502, 502, 502]
    stand_in.fail("app1", times=0)
    assert await statuses() == [200, 200, 200]


async def test_only_valid_calls_use_up_failures() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    stand_in.fail("app1", times=1)
    headers: list[dict[str, str]] = [{}, SIGNED, SIGNED]
    assert [await post(stand_in, receiver.path, given) for given in headers] == [400, 500, 200]


async def test_calls_are_recorded_with_their_status_and_parsed_body() -> None:
    receiver, other = make_receiver(), make_receiver("generic", name="app2")
    stand_in = FluxStandIn([receiver, other])
    await post(stand_in, receiver.path, SIGNED)
    await post(stand_in, receiver.path)
    await post(stand_in, other.path, body=b"\xff")
    await post(stand_in, "/hook/unknown")
    calls = await stand_in.wait_for_calls(3)
    seen = [(call.namespace, call.name, call.status, call.body) for call in calls]
    assert seen == [
        ("flux-system", "app1", 200, json.loads(BODY)),
        ("flux-system", "app1", 400, json.loads(BODY)),
        ("flux-system", "app2", 200, None),
    ]
    assert [call.at for call in calls] == sorted(call.at for call in calls)
    assert stand_in.missed_count == 1


async def test_a_waiter_is_woken_by_the_call_it_waits_for() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    waiter = asyncio.create_task(stand_in.wait_for_calls(2))
    await post(stand_in, receiver.path, SIGNED)
    assert not waiter.done()
    await post(stand_in, receiver.path, SIGNED)
    assert len(await waiter) == 2


async def test_of_two_receivers_with_one_path_the_first_is_found() -> None:
    # Flux joins token, name and namespace without a separator.
    first = make_receiver("generic", name="ab", namespace="c")
    second = make_receiver("generic", name="a", namespace="bc")
    assert first.path == second.path
    stand_in = FluxStandIn([first, second])
    await post(stand_in, second.path)
    assert [call.name for call in stand_in.calls] == ["ab"]


@pytest.mark.parametrize("how", ["release", "release_all", "seconds"])
async def test_a_hanging_receiver_answers_in_the_end(
    how: Literal["release", "release_all", "seconds"],
) -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    async with serve_stand_in(stand_in) as url, httpx.AsyncClient() as client:
        stand_in.hang("app1", seconds=0.01 if how == "seconds" else None)
        call = asyncio.create_task(client.post(url + receiver.path, content=BODY, headers=SIGNED))
        if how != "seconds":
            await stand_in.wait_for_hanging("app1")
            assert (stand_in.calls, call.done()) == ([], False)
            stand_in.release("app1") if how == "release" else stand_in.release_all()
        assert (await call).status_code == 200
        assert stand_in.hanging == []


async def test_a_caller_that_goes_away_while_it_hangs_is_not_a_call() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    async with serve_stand_in(stand_in) as url, httpx.AsyncClient() as client:
        stand_in.hang("app1")
        call = asyncio.create_task(client.post(url + receiver.path, content=BODY, headers=SIGNED))
        await stand_in.wait_for_hanging("app1")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        stand_in.hang("app1", seconds=0)
        again = await client.post(url + receiver.path, content=BODY, headers=SIGNED)
        assert again.status_code == 200
    assert [call.status for call in stand_in.calls] == [200]


async def test_it_is_served_on_a_loopback_port_of_its_own_for_a_block() -> None:
    receiver = make_receiver()
    one, two = FluxStandIn([receiver]), FluxStandIn([receiver])
    async with httpx.AsyncClient() as client:
        async with serve_stand_in(one) as first, serve_stand_in(two) as second:
            assert first != second
            for url in (first, second):
                response = await client.post(url + receiver.path, content=BODY, headers=SIGNED)
                assert response.status_code == 200
            outside = await client.get(first + "/elsewhere")
            assert (outside.status_code, outside.text) == (404, "404 page not found\n")
        with pytest.raises(httpx.ConnectError):
            await client.post(first + receiver.path, content=BODY)


async def test_it_stops_while_a_call_hangs() -> None:
    receiver = make_receiver()
    stand_in = FluxStandIn([receiver])
    async with httpx.AsyncClient() as client:
        async with serve_stand_in(stand_in) as url:
            stand_in.hang("app1")
            call = asyncio.create_task(
                client.post(url + receiver.path, content=BODY, headers=SIGNED)
            )
            await stand_in.wait_for_hanging("app1")
        assert (await call).status_code == 200


def test_the_token_is_not_shown() -> None:
    assert "canary" not in repr(make_receiver(token=b"canary"))
