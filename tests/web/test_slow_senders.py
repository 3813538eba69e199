"""Senders that take their time are cut, on real sockets, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import ASGIApp

from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.parts import Parts
from router.flow.routing import InForce
from router.web.hooks import create_public_app
from router.web.server import create_server
from tests.builders import github_push, github_request, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore

BODY_DEADLINE_SECONDS = 0.2
PATIENCE_SECONDS = 30.0
"""How long a test waits for an answer; only a failing test waits that long."""


async def create_app(observer: RecordingObserver) -> ASGIApp:
    clock, routing = FakeClock(), make_routing(generation=1)
    store = FakeStore(clock)
    await store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
    in_force = InForce(routing)
    parts = Parts(
        replica="us",
        store=store,
        in_force=in_force,
        clock=clock,
        observer=observer,
        wake=lambda: None,
    )
    return create_public_app(
        acceptor=Acceptor(parts),
        in_force=in_force,
        observer=observer,
        monotonic=clock.monotonic,
        body_deadline_seconds=BODY_DEADLINE_SECONDS,
    )


@asynccontextmanager
async def serve(observer: RecordingObserver) -> AsyncIterator[tuple[str, int]]:
    """The public listener as the service has it, but with little patience for bodies."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = create_server(await create_app(observer))  # type: ignore[arg-type]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()
        server.should_exit = True
        await task


def head_of(headers: Mapping[str, str], size: int) -> bytes:
    lines = ["POST /hooks/github HTTP/1.1", "host: router.test", f"content-length: {size}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode()


async def read_status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    return int(head.split()[1])


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for as long as anybody takes it."""
    with suppress(ConnectionError):
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(BODY_DEADLINE_SECONDS / 10)


@pytest.mark.parametrize("senders", [1, 50])
async def test_bodies_that_come_byte_by_byte_are_cut_and_hold_nobody_up(senders: int) -> None:
    observer = RecordingObserver()
    headers, body = github_request(github_push())
    async with serve(observer) as address, asyncio.timeout(PATIENCE_SECONDS):
        slow = [await asyncio.open_connection(*address) for _ in range(senders)]
        for _, writer in slow:
            writer.write(head_of(headers, len(body) + 10_000))
        trickling = [asyncio.create_task(trickle(writer)) for _, writer in slow]
        reader, honest = await asyncio.open_connection(*address)
        honest.write(head_of(headers, len(body)) + body)
        assert await read_status(reader) == 202
        assert [await read_status(reader) for reader, _ in slow] == [408] * senders
        for writer in [honest, *(writer for _, writer in slow)]:
            writer.transport.abort()
        await asyncio.gather(*trickling)
    assert observer.rejected == [("github", 408, "timeout")] * senders
