from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from router.remote.transport import AiohttpTransport, environment_proxy
from tests.remote.wire import OK, Connection, RawServer, answering, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def open_client(keep_alive_seconds: float = 60.0) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = AiohttpTransport(context, keep_alive_seconds=keep_alive_seconds)
    async with httpx.AsyncClient(transport=transport, timeout=None) as client:
        yield client


async def post(client: httpx.AsyncClient, url: str, content: bytes = b"{}") -> int:
    return (await client.post(url, content=content)).status_code


@pytest.mark.parametrize(
    ("answer", "status", "connections"),
    [
        (OK, 200, 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", 200, 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, 1),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, 1),
        # An interim answer is not the answer.
        (b"HTTP/1.1 103 Hints\r\nRetry-After: 9\r\n\r\n" + OK, 200, 1),
        # What ends the connection by its own word.
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 3),
        (b"HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 101, 3),
        # More than was asked for: the rest must not become the next call's answer.
        (OK + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 200, 3),
    ],
)
async def test_a_connection_is_kept_only_when_its_answer_ended_cleanly(
    answer: bytes, status: int, connections: int
) -> None:
    async with raw_server(answering(answer)) as server, open_client() as client:
        assert [await post(client, server.url) for _ in range(3)] == [status] * 3
        assert len(server.connections) == connections


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again() -> None:
    async with (
        raw_server(answering(OK)) as server,
        open_client(keep_alive_seconds=0) as client,
    ):
        assert [await post(client, server.url) for _ in range(2)] == [200, 200]
        assert len(server.connections) == 2
        await server.client_closed.wait()


async def test_what_comes_unasked_on_an_idle_connection_is_nobodys_answer() -> None:
    spoke = asyncio.Event()

    async def speak_unasked(server: RawServer, connection: Connection) -> None:
        await server.next_request(connection)
        await connection.send(OK)
        if len(server.connections) == 1:
            await server.released.wait()
            await connection.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            spoke.set()
        await server.next_request(connection)

    async with (
        raw_server(speak_unasked) as server,
        raw_server(answering(OK)) as elsewhere,
        open_client() as client,
    ):
        assert await post(client, server.url) == 200
        server.released.set()
        await spoke.wait()
        assert await post(client, elsewhere.url) == 200  # time enough for the words to arrive
        assert await post(client, server.url) == 200


async def test_a_server_that_speaks_first_is_not_tried_again() -> None:
    async def greet(server: RawServer, connection: Connection) -> None:
        await connection.send(b"220 mail.example ready\r\n")
        await server.next_request(connection)

    async with raw_server(greet) as server, open_client() as client, asyncio.timeout(10):
        with pytest.raises(httpx.TransportError):
            await post(client, server.url)
        assert len(server.connections) == 1


async def test_every_kept_connection_may_turn_out_to_be_closed() -> None:
    """As when all of them led to a process that is gone."""

    async def close_when_used_again(server: RawServer, connection: Connection) -> None:
        await server.next_request(connection)
        await server.released.wait()
        await connection.send(OK)
        await server.next_request(connection)

    async with raw_server(close_when_used_again) as server, open_client() as client:
        calls = [asyncio.create_task(post(client, server.url)) for _ in range(3)]
        await server.arrived.wait()
        server.released.set()
        assert await asyncio.gather(*calls) == [200] * 3
        assert await post(client, server.url, b"again") == 200
        again = [request for request in server.requests if request.endswith(b"again")]
        assert len(again) == len(server.connections)
        assert set(again) == {again[0]}


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found"
    async with (
        raw_server(answering(answer, then_close=True)) as server,
        open_client() as client,
    ):
        assert await post(client, server.url) == 404


async def test_an_answer_may_come_a_byte_at_a_time() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"
    pieces = [bytes([byte]) for byte in answer]
    async with raw_server(answering(*pieces)) as server, open_client() as client:
        response = await client.post(server.url, content=b"{}")
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


async def test_a_request_is_sent_again_only_if_nothing_of_its_answer_came() -> None:
    async def answer_then_break_off(server: RawServer, connection: Connection) -> None:
        await server.next_request(connection)
        await connection.send(OK)
        await server.next_request(connection)
        await connection.send(b"HTTP/1.1 200 OK\r\n")

    async with raw_server(answer_then_break_off) as server, open_client() as client:
        await post(client, server.url)
        with pytest.raises(httpx.TransportError):
            await post(client, server.url)
        assert (len(server.connections), len(server.requests)) == (1, 2)


async def test_a_large_request_arrives_whole() -> None:
    content = bytes(range(256)) * 4_000
    async with raw_server(answering(OK)) as server, open_client() as client:
        await post(client, server.url, content)
        assert server.requests[0].endswith(content)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://flux.example", None),
        ({"http_proxy": "http://proxy:3128"}, "http://flux.example/x", "http://proxy:3128"),
        ({"http_proxy": "http://proxy:3128"}, "https://flux.example", None),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://flux.example", "http://proxy:3128"),
        ({"https_proxy": "http://u:p@proxy"}, "https://flux.example", "http://u:p@proxy"),
        ({"https_proxy": "http://proxy", "no_proxy": ".example"}, "https://flux.example:8", None),
        ({"https_proxy": "http://proxy", "NO_PROXY": "*"}, "https://flux.example", None),
        ({"https_proxy": "http://proxy", "no_proxy": "example"}, "https://flux", "http://proxy"),
    ],
)
def test_the_usual_variables_name_the_proxy(
    variables: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(url) == proxy
