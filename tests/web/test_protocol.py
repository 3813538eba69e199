"""Headers are bounded in size and time, on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from router.web.limits import MAX_HEADERS_BYTES
from router.web.protocol import BoundedHttpProtocol


class Server(uvicorn.Server):
    """Leaves signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HastyProtocol(BoundedHttpProtocol):
    headers_deadline_seconds = 0.05
    discard_seconds = 0.05


@asynccontextmanager
async def serve(
    protocol: type[BoundedHttpProtocol], *, keep_alive_seconds: int = 60
) -> AsyncIterator[tuple[str, int]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            PlainTextResponse("fine"),
            lifespan="off",
            http=protocol,
            log_config=None,
            timeout_keep_alive=keep_alive_seconds,
        )
        server = Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()
        server.should_exit = True
        await task


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    async with serve(BoundedHttpProtocol) as found:
        yield found


async def exchange(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send *parts*, then read until the server closes or answers."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read(100)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_ordinary_requests_are_served_one_after_the_other(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_large_body_is_no_large_header(address: tuple[str, int]) -> None:
    body = b"x" * (4 * MAX_HEADERS_BYTES)
    head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    assert (await exchange(address, head + body)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "endless",
    [b"x-a: b\r\n" * 1000, b"x-a: " + b"b" * 8000, b"/" * 8000],
    ids=["many headers", "one long header", "a long path"],
)
async def test_endless_headers_are_refused_before_they_fill_the_memory(
    address: tuple[str, int], endless: bytes
) -> None:
    start = b"GET /" if endless[:1] == b"/" else b"GET / HTTP/1.1\r\n"
    answer = await exchange(address, start, *[endless] * (MAX_HEADERS_BYTES // 8000 + 2))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n"])
async def test_headers_that_do_not_end_in_time_close_the_connection(part: bytes) -> None:
    async with serve(HastyProtocol) as address:
        assert await exchange(address, part) == b""


POST = b"POST / HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nx-a: " + b"b" * MAX_HEADERS_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x-a: bcdefg\r\n" * 8000 + b"\r\n",
        b"GET /" + b"a" * MAX_HEADERS_BYTES + b" HTTP/1.1\r\n\r\n",
        POST + b"content-length: 5\r\nx-a: " + b"b" * MAX_HEADERS_BYTES + b"\r\n\r\n12345",
    ],
    ids=["one long header", "many headers", "a long path", "before a body"],
)
async def test_large_headers_are_refused_also_when_they_come_in_one_piece(
    address: tuple[str, int], sent: bytes
) -> None:
    assert (await exchange(address, sent)).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "body",
    [
        b"2;" + b"a" * 3 * MAX_HEADERS_BYTES,
        b"1\r\nx\r\n" * MAX_HEADERS_BYTES,
        b"2\r\n{}\r\n0\r\nx-a: " + b"b" * 3 * MAX_HEADERS_BYTES,
        b"2\r\n{}\r\n0\r\n" + b"x-a: b\r\n" * MAX_HEADERS_BYTES,
    ],
    ids=["an extension", "tiny chunks", "a trailer", "trailers"],
)
async def test_what_stands_around_a_body_is_bounded(address: tuple[str, int], body: bytes) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(POST + b"transfer-encoding: chunked\r\n\r\n")
    assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")  # nothing reads the body
    writer.write(body)
    async with asyncio.timeout(30):
        rest = await _rest(reader)
    assert rest == b"" or rest.startswith(b"HTTP/1.1 431")
    writer.transport.abort()


async def test_chunks_and_trailers_of_ordinary_size_are_served(address: tuple[str, int]) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (1, 7, 4096, 200_000))
    sent = POST + b"transfer-encoding: chunked\r\n\r\n" + body + b"0\r\nx-a: b\r\n\r\n"
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(2):
        writer.write(sent)
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_body_that_goes_on_after_its_answer_closes_the_connection() -> None:
    async with serve(HastyProtocol) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(POST + b"content-length: 1000\r\n\r\n" + b"x" * 10)
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")
            assert await _rest(reader) == b""
        writer.close()


async def test_a_connection_lives_on_when_the_rest_of_an_answered_body_comes() -> None:
    async with serve(BoundedHttpProtocol) as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(POST + b"content-length: 10\r\n\r\n12345")
            assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200")
            writer.write(b"67890")
        writer.close()


async def test_an_idle_connection_ends_also_after_a_body_that_came_late() -> None:
    async with serve(BoundedHttpProtocol, keep_alive_seconds=0) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(POST + b"content-length: 10\r\n\r\n12345")
        async with asyncio.timeout(30):
            await reader.readuntil(b"fine")
            writer.write(b"67890")
            assert await _rest(reader) == b""
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
