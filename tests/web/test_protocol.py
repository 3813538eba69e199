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


@asynccontextmanager
async def serve(protocol: type[BoundedHttpProtocol]) -> AsyncIterator[tuple[str, int]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            PlainTextResponse("fine"), lifespan="off", http=protocol, log_config=None
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
