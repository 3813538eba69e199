from __future__ import annotations

import asyncio
import json
import logging
import logging.config
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from hmac import new as new_hmac
from typing import TYPE_CHECKING, Any

import pytest

from router import __version__
from router.core.flux import receiver_path
from router.core.model import Secret
from router.demo.receivers import FluxStandIn, StandInReceiver, serve_stand_in
from tests.fakes.clock import FakeClock
from tests.remote.wire import (
    CA_FILE,
    CANARY,
    COMMIT,
    OK,
    Connection,
    RawServer,
    answering,
    call_once,
    client_to,
    hang,
    holds_canary,
    make_claim,
    make_receiver,
    raw_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.core.model import Outcome
    from router.core.routing import ReceiverType

TYPES: tuple[ReceiverType, ...] = (
    "generic",
    "generic-hmac",
    "generic-oidc",
    "github",
    "gitlab",
    "bitbucket",
)

NOWHERE = "http://127.0.0.1:1"
"""Where nobody listens."""


@asynccontextmanager
async def flux_with(*receivers: StandInReceiver) -> AsyncIterator[tuple[FluxStandIn, str]]:
    stand_in = FluxStandIn(receivers)
    async with serve_stand_in(stand_in) as url:
        yield stand_in, url


def stand_in_receiver(kind: ReceiverType = "generic-hmac", **fields: Any) -> StandInReceiver:
    given: dict[str, Any] = {"namespace": "flux-system", "name": "app1", "token": CANARY}
    return StandInReceiver(type=kind, **given | fields)


async def test_flux_accepts_a_call_of_every_type(tmp_path: Path) -> None:
    bearer_file = tmp_path / "bearer"
    bearer_file.write_bytes(CANARY + b"\n")
    flux = [stand_in_receiver(kind, name=kind) for kind in TYPES]
    async with flux_with(*flux) as (stand_in, url), client_to(url) as client:
        for kind in TYPES:
            receiver = make_receiver(type=kind, name=kind, bearer_file=str(bearer_file))
            attempt = await client.call(receiver, make_claim())
            assert (attempt.outcome, attempt.status, attempt.detail) == ("notified", 200, "")
        seen = [(call.name, call.status, call.body["commit"]) for call in stand_in.calls]
    assert seen == [(kind, 200, COMMIT) for kind in TYPES]


async def test_the_request_is_exactly_this() -> None:
    async with raw_server(answering(OK)) as server:
        await call_once(server.url)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    digest = sha256(CANARY + b"app1flux-system").hexdigest()
    assert first == f"POST /hook/{digest} HTTP/1.1"
    assert {name.lower(): value for name, value in (line.split(": ", 1) for line in headers)} == {
        "host": server.url.removeprefix("http://"),
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"flux-router/{__version__}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-signature": "sha256=" + new_hmac(CANARY, body, sha256).hexdigest(),
    }
    assert (
        body
        == json.dumps(
            {
                "repository": "fleet",
                "ref": "refs/heads/main",
                "commit": COMMIT,
                "layers": ["app1"],
                "deliveries": ["delivery-1"],
            },
            separators=(",", ":"),
        ).encode()
    )


async def test_a_token_in_a_header_is_sent_byte_for_byte() -> None:
    token = CANARY + " tökén ✓".encode()
    async with raw_server(answering(OK)) as server:
        await call_once(server.url, make_receiver(type="gitlab", token=Secret(token)))
    assert b"x-gitlab-token: " + token + b"\r\n" in server.requests[0]


async def test_an_attempt_tells_when_it_began_how_long_it_took_and_what_it_served() -> None:
    clock = FakeClock()
    began_at = clock.now()
    async with raw_server(hang) as server, client_to(server.url, clock=clock) as client:
        call = asyncio.create_task(client.call(make_receiver(), make_claim()))
        await server.arrived.wait()
        clock.advance(2.5)
        server.released.set()
        attempt = await call
    assert (attempt.started_at, attempt.duration_seconds) == (began_at, 2.5)
    assert (attempt.receiver, attempt.wanted) == ("prod/flux-system/app1", 7)


@pytest.mark.parametrize("base", ["", "/", "/flux", "/flux/"])
async def test_a_cluster_may_be_behind_a_base_path(base: str) -> None:
    async with raw_server(answering(OK)) as server:
        await call_once(server.url + base)
    path = base.rstrip("/") + receiver_path(make_receiver())
    assert server.requests[0].startswith(f"POST {path} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"token": Secret(b"other")}, 404, "path"),  # the token is in the path as well
        ({"name": "app2"}, 404, "path"),
        ({"namespace": "other"}, 404, "path"),
        ({"type": "github"}, 400, "signature"),  # the right path, but not the type's header
        ({"type": "generic"}, 400, "signature"),
    ],
)
async def test_a_receiver_that_differs_from_flux_is_rejected_with_a_hint(
    fields: dict[str, Any], status: int, word: str
) -> None:
    async with flux_with(stand_in_receiver()) as (_, url):
        attempt = await call_once(url, make_receiver(**fields))
    assert (attempt.outcome, attempt.status) == ("rejected", status)
    assert word in attempt.detail


@pytest.mark.parametrize(
    "status", [201, 202, 204, 304, 400, 401, 404, 413, 418, 429, 500, 502, 503, 599]
)
async def test_only_200_is_success(status: int) -> None:
    answer = f"HTTP/1.1 {status} Some\r\nContent-Length: 0\r\n\r\n".encode()
    async with raw_server(answering(answer)) as server:
        attempt = await call_once(server.url)
    assert (attempt.outcome, attempt.status) == ("rejected", status)
    assert str(status) in attempt.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with raw_server(answering(OK)) as elsewhere:
        path = receiver_path(make_receiver())
        answer = (
            f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}{path}\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        async with raw_server(answering(answer.encode())) as server:
            attempt = await call_once(server.url)
    assert (attempt.outcome, attempt.status) == ("rejected", status)
    assert "redirects are not followed" in attempt.detail
    assert elsewhere.connections == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("Retry-After: 42\r\n", 42),
        # Taken relative to the answer's own Date: the two clocks need not agree.
        (
            "Date: Fri, 02 Jan 2026 08:00:00 GMT\r\nRetry-After: Fri, 02 Jan 2026 08:00:10 GMT\r\n",
            10,
        ),
        ("Retry-After: Thu, 01 Jan 2026 00:01:00 GMT\r\n", 60),
        ("Date: nonsense\r\nRetry-After: Thu, 01 Jan 2026 00:01:00 GMT\r\n", 60),
        ("Retry-After: 99999999\r\n", 3600),
        ("Retry-After: perhaps\r\n", None),
        ("", None),
    ],
)
async def test_what_the_remote_asks_to_wait_is_reported(
    headers: str, seconds: float | None
) -> None:
    answer = f"HTTP/1.1 503 Busy\r\n{headers}Content-Length: 0\r\n\r\n".encode()
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with raw_server(answering(answer)) as server:
        attempt = await call_once(server.url, clock=clock)
    assert attempt.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "pieces",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n",),
        (b"\x15\x03\x01\x00\x02\x02\x46",),
        (b"HTTP/1.1 abc OK\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Le",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,),
        (OK + b"junk",),
        (b"",),
    ],
)
async def test_an_answer_that_is_not_whole_http_is_no_answer(pieces: tuple[bytes, ...]) -> None:
    async with raw_server(answering(*pieces, then_close=True)) as server:
        attempt = await call_once(server.url)
    assert (attempt.outcome, attempt.status) == ("unreachable", None)
    assert attempt.detail
    assert len(server.requests) == 1


async def test_a_refused_connection_is_unreachable() -> None:
    attempt = await call_once(NOWHERE)
    assert (attempt.outcome, attempt.detail) == ("unreachable", "connection refused")


async def test_an_unknown_host_is_unreachable() -> None:
    attempt = await call_once("http://no-such-host.invalid")
    assert attempt.outcome == "unreachable"
    assert "host name" in attempt.detail


async def endless_body(server: RawServer, connection: Connection) -> None:
    """Answer 200 with far more than is read; note whether the client hung up on it."""
    await server.next_request(connection)
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    try:
        for _ in range(1000):
            await connection.send(b"x" * 1_000_000)
    except ConnectionError:
        server.client_closed.set()


@pytest.mark.parametrize("trust_env", [False, True])
async def test_a_huge_answer_is_cut_off_and_its_status_counts(trust_env: bool) -> None:
    async with (
        raw_server(endless_body) as server,
        client_to(server.url, trust_env=trust_env) as client,
    ):
        attempt = await client.call(make_receiver(), make_claim())
        assert (attempt.outcome, attempt.status) == ("notified", 200)
        await server.client_closed.wait()


async def drip(server: RawServer, connection: Connection) -> None:
    """Send a header that never ends, a byte at a time: no single read ever waits for long."""
    await server.next_request(connection)
    await connection.send(b"HTTP/1.1 200 OK\r\nX: ")
    while not server.released.is_set():
        await connection.send(b"y")
        with suppress(TimeoutError):
            await asyncio.wait_for(server.released.wait(), 0.01)


async def drip_body(server: RawServer, connection: Connection) -> None:
    await server.next_request(connection)
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    await server.released.wait()


async def mute(server: RawServer, connection: Connection) -> None:
    """Accept, and neither read nor write."""
    await server.released.wait()


@pytest.mark.parametrize("behave", [hang, drip, drip_body, mute])
@pytest.mark.parametrize("tls", [False, True])
async def test_the_deadline_bounds_every_part_of_a_call(behave: Any, tls: bool) -> None:
    ca_file = CA_FILE if tls else None
    async with raw_server(behave, tls=tls) as server, asyncio.timeout(10):
        attempt = await call_once(server.url, ca_file=ca_file, deadline_seconds=0.1)
    assert (attempt.outcome, attempt.status) == ("timed_out", None)
    assert attempt.detail == "no answer within 0.1 s"


async def test_a_tls_handshake_that_never_ends_is_bounded_too() -> None:
    async with raw_server(mute) as server, asyncio.timeout(10):
        attempt = await call_once(server.url.replace("http", "https"), deadline_seconds=0.1)
    assert attempt.outcome == "timed_out"


async def test_waiting_for_a_free_connection_is_within_the_deadline() -> None:
    async with (
        raw_server(hang) as server,
        client_to(server.url, deadline_seconds=0.2) as client,
        asyncio.timeout(10),
    ):
        calls = (client.call(make_receiver(), make_claim()) for _ in range(9))
        attempts = await asyncio.gather(*calls)
        assert {attempt.outcome for attempt in attempts} == {"timed_out"}
        server.released.set()
        assert (await client.call(make_receiver(), make_claim())).outcome == "notified"


async def test_cancellation_goes_through_and_frees_the_connection() -> None:
    async with raw_server(hang) as server, client_to(server.url) as client:
        call = asyncio.create_task(client.call(make_receiver(), make_claim()))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        server.released.set()
        assert (await client.call(make_receiver(), make_claim())).outcome == "notified"
        assert len(server.connections) == 2


async def test_calls_cancelled_at_any_step_give_their_place_back() -> None:
    async with raw_server(hang) as server, client_to(server.url) as client:
        for steps in range(40):
            calls = [
                asyncio.create_task(client.call(make_receiver(), make_claim())) for _ in range(9)
            ]
            for _ in range(steps):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        server.released.set()
        attempts = await asyncio.gather(
            *(client.call(make_receiver(), make_claim()) for _ in range(9))
        )
    assert [attempt.outcome for attempt in attempts] == ["notified"] * 9


@pytest.mark.parametrize("steps", range(20))
async def test_a_place_passed_to_a_call_that_is_given_up_goes_to_the_next(steps: int) -> None:
    async with raw_server(hang) as server, client_to(server.url, concurrency=1) as client:
        first, given_up, last = (
            asyncio.create_task(client.call(make_receiver(), make_claim())) for _ in range(3)
        )
        await server.arrived.wait()
        server.released.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        given_up.cancel()
        assert (await last).outcome == (await first).outcome == "notified"


async def test_no_more_connections_are_open_than_calls_may_run() -> None:
    async with raw_server(hang) as server, client_to(server.url) as client:
        calls = [asyncio.create_task(client.call(make_receiver(), make_claim())) for _ in range(9)]
        await server.arrived.wait()
        server.released.set()
        assert {(await call).outcome for call in calls} == {"notified"}
        assert len(server.connections) <= 4


async def test_calls_share_a_connection() -> None:
    async with raw_server(answering(OK)) as server, client_to(server.url) as client:
        for name in ("app1", "app2", "app3"):
            await client.call(make_receiver(name=name), make_claim())
        assert (len(server.connections), len(server.requests)) == (1, 3)


async def close_between(server: RawServer, connection: Connection) -> None:
    """Answer as if the connection stayed open, then close it while it is idle."""
    await server.next_request(connection)
    await connection.send(OK)


async def close_on_second_request(server: RawServer, connection: Connection) -> None:
    """Close the very moment a connection is used again: the client could not have known."""
    await server.next_request(connection)
    await connection.send(OK)
    await server.next_request(connection)


@pytest.mark.parametrize("behave", [close_between, close_on_second_request])
async def test_a_connection_closed_while_idle_fails_no_call(behave: Any) -> None:
    async with raw_server(behave) as server, client_to(server.url) as client:
        attempts = [await client.call(make_receiver(), make_claim()) for _ in range(5)]
        assert [attempt.outcome for attempt in attempts] == ["notified"] * 5
        assert len(server.connections) == 5


async def test_a_kept_connection_to_what_is_gone_is_unreachable() -> None:
    async def go(server: RawServer, connection: Connection) -> None:
        await close_on_second_request(server, connection)
        assert server.listening is not None
        server.listening.close()

    async with raw_server(go) as server, client_to(server.url) as client:
        attempts = [await client.call(make_receiver(), make_claim()) for _ in range(2)]
    assert [attempt.outcome for attempt in attempts] == ["notified", "unreachable"]
    assert attempts[1].detail == "connection refused"


async def test_a_new_connection_that_is_closed_unanswered_is_not_tried_again() -> None:
    async with raw_server(answering(then_close=True)) as server:
        attempt = await call_once(server.url)
        assert attempt.outcome == "unreachable"
        assert len(server.connections) == 1


async def test_the_second_try_is_within_the_same_deadline() -> None:
    async def then_hang(server: RawServer, connection: Connection) -> None:
        if len(server.connections) == 1:
            await close_on_second_request(server, connection)
        else:
            await hang(server, connection)

    async with (
        raw_server(then_hang) as server,
        client_to(server.url, deadline_seconds=0.3) as client,
        asyncio.timeout(10),
    ):
        assert (await client.call(make_receiver(), make_claim())).outcome == "notified"
        assert (await client.call(make_receiver(), make_claim())).outcome == "timed_out"


async def test_the_bearer_is_read_anew_for_each_call(tmp_path: Path) -> None:
    bearer_file = tmp_path / "bearer"
    receiver = make_receiver(type="generic-oidc", token=None, bearer_file=str(bearer_file))
    async with (
        flux_with(stand_in_receiver("generic-oidc", token=b"second")) as (_, url),
        client_to(url) as client,
    ):
        statuses = []
        for content in ("first", " second\n", "third"):
            bearer_file.write_text(content)
            statuses.append((await client.call(receiver, make_claim())).status)
    assert statuses == [400, 200, 400]


@pytest.mark.parametrize(
    ("fields", "content", "word"),
    [
        ({"bearer_file": None}, None, "no bearer file"),
        ({}, None, "cannot be read: no such file"),
        ({}, b"", "is empty"),
        ({}, b" \n", "is empty"),
        ({}, CANARY + b"\nsecond line", "cannot be an HTTP header"),
        ({"type": "gitlab", "token": Secret(CANARY + b"\n")}, None, "cannot be an HTTP header"),
        ({"type": "gitlab", "token": Secret(CANARY + b"\xfc")}, None, "has to be text in UTF-8"),
        ({"cluster": "gone"}, None, "not in the routing file"),
    ],
)
async def test_what_cannot_be_sent_is_misconfigured_and_nothing_is_sent(
    fields: dict[str, Any], content: bytes | None, word: str, tmp_path: Path
) -> None:
    bearer_file = tmp_path / "bearer"
    if content is not None:
        bearer_file.write_bytes(content)
    given = {"type": "generic-oidc", "token": None, "bearer_file": str(bearer_file)}
    async with raw_server(answering(OK)) as server:
        attempt = await call_once(server.url, make_receiver(**given | fields))
    assert (attempt.outcome, attempt.status) == ("misconfigured", None)
    assert word in attempt.detail
    assert CANARY.decode() not in attempt.detail
    assert server.connections == []


@pytest.mark.parametrize("url", ["ftp://flux", "flux-system", "http://host:port", "http://", ""])
async def test_a_url_that_cannot_be_called_is_misconfigured(url: str) -> None:
    attempt = await call_once(url)
    assert attempt.outcome == "misconfigured"
    assert "url" in attempt.detail


async def test_proxy_variables_count_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    outcomes: dict[bool, Outcome] = {}
    async with raw_server(answering(OK)) as server:
        for trust_env in (False, True):
            outcomes[trust_env] = (await call_once(server.url, trust_env=trust_env)).outcome
    assert outcomes == {False: "notified", True: "unreachable"}


@pytest.mark.parametrize("kind", ["generic-hmac", "generic-oidc"])
async def test_a_proxy_is_told_its_own_credentials_and_the_remote_none_of_ours(
    kind: ReceiverType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc, bearer_file = tmp_path / "netrc", tmp_path / "bearer"
    netrc.write_text("default login ours password ours")
    bearer_file.write_text("bearer")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    receiver = make_receiver(type=kind, bearer_file=str(bearer_file))
    async with raw_server(answering(OK)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:word@"))
        attempt = await call_once("http://flux.example", receiver, trust_env=True)
    assert attempt.outcome == "notified"
    head = proxy.requests[0].partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"post http://flux.example/hook/")
    assert b"\r\nproxy-authorization: basic " in head
    assert (b"\r\nauthorization: bearer bearer" in head) is (kind == "generic-oidc")
    assert b"\r\nauthorization: basic" not in head


async def test_after_closing_a_call_is_given_up() -> None:
    async with raw_server(answering(OK)) as server, client_to(server.url) as client:
        await client.close()
        assert (await client.call(make_receiver(), make_claim())).outcome == "cancelled"
        assert server.connections == []


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /hook/x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: =;=\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"junk\r\n\r\n",
        b"",
        None,
    ],
)
async def test_token_and_path_are_shown_nowhere(
    answer: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    # An application that sets logging up after the client exists, and as loudly as it can.
    receiver, path = make_receiver(), receiver_path(make_receiver())
    behave = hang if answer is None else answering(answer, then_close=True)
    deadline_seconds = 1.0 if answer is None else 10.0
    async with (
        raw_server(behave) as server,
        client_to(server.url, deadline_seconds=deadline_seconds) as client,
    ):
        asyncio.get_running_loop().set_debug(True)
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        for name in ("", "asyncio", "httpx", "aiohttp.client", "aiohttp.internal"):
            caplog.set_level(logging.DEBUG, logger=name)
        attempt = await client.call(receiver, make_claim())
        server.released.set()
        shown = [attempt, client, vars(client), receiver, caplog.text]
        assert holds_canary(shown, path) == []
        assert path.encode() in server.requests[0]  # it was there to be leaked


async def test_a_call_that_is_cancelled_shows_nothing_either() -> None:
    async with raw_server(hang) as server, client_to(server.url) as client:
        call = asyncio.create_task(client.call(make_receiver(), make_claim()))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        shown = [caught.value, call, caught.value.__context__, caught.value.__cause__]
        assert holds_canary(shown, receiver_path(make_receiver())) == []
