"""Measure calling a receiver: what HTTP clients cost that do the same work, side by side.

    python -m bench.calls
    python -m bench.calls --concurrency 1 50 500 --calls 5000 --rounds 9

Every client posts the same small body to a minimal receiver on loopback, in a process of its own,
and waits for its 200. The clients take turns in each round, so that whatever else the machine does
meets all of them alike; the medians are told. CPU time is that of the calling process alone, and
the ratio is to plain aiohttp in the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import aiohttp
import httpx
import uvloop

from router.core.model import Asked, Claim, Secret
from router.core.routing import Cluster, Receiver, Routing
from router.remote.receiver import HttpReceiverClient
from router.remote.system import SystemClock
from router.remote.transport import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from multiprocessing.connection import Connection

    Call = Callable[[], Awaitable[bool]]
    Client = Callable[[str, int], AbstractAsyncContextManager[Call]]

BODY = b'{"repository":"fleet","ref":"refs/heads/main","layers":["app1"]}'
HEADERS = {"Content-Type": "application/json"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
WARM_UP_CALLS = 200


class MinimalReceiver(asyncio.Protocol):
    """Answers every packet with 200: the requests here are small enough to come in one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(OK)  # type: ignore[attr-defined]  # uvloop's transports do not inherit


def serve(port: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(MinimalReceiver, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


@asynccontextmanager
async def plain_aiohttp(url: str, concurrency: int) -> AsyncIterator[Call]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def call() -> bool:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                await response.read()
                return response.status == 200

        yield call


@asynccontextmanager
async def over_httpx(url: str, transport: httpx.AsyncBaseTransport) -> AsyncIterator[Call]:
    async with httpx.AsyncClient(transport=transport, timeout=None) as client:

        async def call() -> bool:
            return (await client.post(url, content=BODY, headers=HEADERS)).status_code == 200

        yield call


def httpx_over_aiohttp(url: str, concurrency: int) -> AbstractAsyncContextManager[Call]:
    return over_httpx(url, AiohttpTransport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))


def stock_httpx(url: str, concurrency: int) -> AbstractAsyncContextManager[Call]:
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    return over_httpx(url, httpx.AsyncHTTPTransport(limits=limits))


@asynccontextmanager
async def receiver_client(url: str, concurrency: int) -> AsyncIterator[Call]:
    """The router's own caller as a whole: with the signature, the deadline and the outcome."""
    client = HttpReceiverClient(SystemClock(), deadline_seconds=60.0, concurrency=concurrency)
    clusters = {"prod": Cluster(name="prod", url=url)}
    await client.use(Routing(digest="", hooks={}, clusters=clusters, repositories=(), receivers={}))
    receiver = Receiver(
        cluster="prod", namespace="flux", name="app1", type="generic-hmac", token=Secret(b"made-up")
    )
    asked = Asked(layer="app1", delivery="1", repository="fleet", ref="refs/heads/main", commit="c")
    claim = Claim(
        receiver=receiver.key,
        wanted=1,
        failures=0,
        asked=(asked,),
        wanted_since=datetime(2026, 1, 1, tzinfo=UTC),
    )

    async def call() -> bool:
        return (await client.call(receiver, claim)).outcome == "notified"

    try:
        yield call
    finally:
        await client.close()


CLIENTS: dict[str, Client] = {
    "aiohttp": plain_aiohttp,
    "httpx over aiohttp": httpx_over_aiohttp,
    "httpx": stock_httpx,
    "the router's caller": receiver_client,
}


async def run_calls(call: Call, *, count: int, concurrency: int) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for _ in numbers:
            if not await call():
                raise SystemExit("a call failed")

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def measure(url: str, *, concurrency: int, calls: int, rounds: int) -> None:
    """Measure every client with so many calls at once, and print a row of the table for each."""
    cpu: dict[str, list[float]] = {name: [] for name in CLIENTS}
    rates: dict[str, list[float]] = {name: [] for name in CLIENTS}
    async with AsyncExitStack() as stack:
        ready = {
            name: await stack.enter_async_context(client(url, concurrency))
            for name, client in CLIENTS.items()
        }
        for call in ready.values():
            await run_calls(call, count=WARM_UP_CALLS, concurrency=concurrency)
        for _ in range(rounds):
            for name, call in ready.items():
                cpu_started, wall_started = process_time(), perf_counter()
                await run_calls(call, count=calls, concurrency=concurrency)
                cpu[name].append((process_time() - cpu_started) * 1e6 / calls)
                rates[name].append(calls / (perf_counter() - wall_started))
    for name in CLIENTS:
        ratio = median(ours / base for ours, base in zip(cpu[name], cpu["aiohttp"], strict=True))
        cost, rate = median(cpu[name]), median(rates[name])
        print(f"{name:<22}{concurrency:>8}{cost:>12.0f}{ratio:>8.1f}{rate:>10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    receiving, sending = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(sending,))
    server.start()
    try:
        url = f"http://127.0.0.1:{receiving.recv()}"
        print(f"{options.calls} calls a round, median of {options.rounds} rounds")
        print(f"{'client':<22}{'at once':>8}{'CPU us/call':>12}{'ratio':>8}{'calls/s':>10}")
        for concurrency in options.concurrency:
            uvloop.run(
                measure(url, concurrency=concurrency, calls=options.calls, rounds=options.rounds)
            )
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
