from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from router.remote.transport import KeepAliveTransport
from tests.remote.wire import OK, Connection, RawServer, answering, hang, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def open_transport(
    concurrency: int = 4, keep_alive_seconds: float = 60.0
) -> AsyncIterator[KeepAliveTransport]:
    transport = KeepAliveTransport(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        concurrency=concurrency,
        keep_alive_seconds=keep_alive_seconds,
    )
    try:
        yield transport
    finally:
        await transport.aclose()


async def post(transport: KeepAliveTransport, url: str, content: bytes = b"{}") -> int:
    request = httpx.Request("POST", url, content=content)
    return (await transport.handle_async_request(request)).status_code


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
        (OK + b"junk", 200, 3),
    ],
)
async def test_a_connection_is_kept_only_when_its_answer_ended_cleanly(
    answer: bytes, status: int, connections: int
) -> None:
    async with raw_server(answering(answer)) as server, open_transport() as transport:
        assert [await post(transport, server.url) for _ in range(3)] == [status] * 3
        assert len(server.connections) == connections


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again() -> None:
    async with (
        raw_server(answering(OK)) as server,
        open_transport(keep_alive_seconds=0) as transport,
    ):
        assert [await post(transport, server.url) for _ in range(2)] == [200, 200]
        assert len(server.connections) == 2
        await server.client_closed.wait()


async def test_what_comes_unasked_on_an_idle_connection_is_nobodys_answer() -> None:
    async def speak_unasked(server: RawServer, connection: Connection) -> None:
        await server.next_request(connection)
        await connection.send(OK)
        if len(server.connections) == 1:
            await server.released.wait()
            await connection.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        await server.next_request(connection)

    async with raw_server(speak_unasked) as server, open_transport() as transport:
        assert await post(transport, server.url) == 200
        server.released.set()
        await server.client_closed.wait()
        assert await post(transport, server.url) == 200


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found"
    async with (
        raw_server(answering(answer, then_close=True)) as server,
        open_transport() as transport,
    ):
        assert await post(transport, server.url) == 404


async def test_an_answer_may_come_a_byte_at_a_time() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"
    pieces = [bytes([byte]) for byte in answer]
    async with raw_server(answering(*pieces)) as server, open_transport() as transport:
        request = httpx.Request("POST", server.url, content=b"{}")
        response = await transport.handle_async_request(request)
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


async def test_no_more_connections_are_open_than_calls_may_run() -> None:
    async with raw_server(hang) as server, open_transport(concurrency=2) as transport:
        calls = [asyncio.create_task(post(transport, server.url)) for _ in range(5)]
        await server.arrived.wait()
        assert len(server.connections) <= 2
        server.released.set()
        assert await asyncio.gather(*calls) == [200] * 5
        assert len(server.connections) == 2


async def test_requests_cancelled_at_any_step_give_their_place_back() -> None:
    async with raw_server(hang) as server, open_transport(concurrency=2) as transport:
        for steps in range(30):
            calls = [asyncio.create_task(post(transport, server.url)) for _ in range(5)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        server.released.set()
        results = await asyncio.gather(*(post(transport, server.url) for _ in range(4)))
    assert results == [200] * 4


async def test_a_request_is_sent_again_only_if_nothing_of_its_answer_came() -> None:
    async def answer_then_break_off(server: RawServer, connection: Connection) -> None:
        await server.next_request(connection)
        await connection.send(OK)
        await server.next_request(connection)
        await connection.send(b"HTTP/1.1 200 OK\r\n")

    async with raw_server(answer_then_break_off) as server, open_transport() as transport:
        await post(transport, server.url)
        with pytest.raises(httpx.ReadError):
            await post(transport, server.url)
        assert (len(server.connections), len(server.requests)) == (1, 2)


async def test_a_large_request_arrives_whole() -> None:
    content = bytes(range(256)) * 12_000
    async with raw_server(answering(OK)) as server, open_transport() as transport:
        await post(transport, server.url, content)
        assert server.requests[0].endswith(content)


@pytest.mark.parametrize("header", [{"X-A": "one\r\nX-B: two"}, {"X-A\r\nX-B": "one"}])
async def test_a_line_break_in_a_header_sends_nothing(header: dict[str, str]) -> None:
    async with raw_server(answering(OK)) as server, open_transport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(
                httpx.Request("POST", server.url, headers=header, content=b"")
            )
        assert server.connections == []
