"""Raw servers and made-up receivers, to see what really goes over the wire."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.core.model import Asked, Claim, Secret
from router.core.routing import Cluster, Receiver
from router.remote.receiver import HttpReceiverClient
from router.remote.system import SystemClock
from tests.builders import make_routing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from router.core.model import Attempt
    from router.core.routing import Routing
    from router.ports.clock import Clock

TLS = Path(__file__).parent / "tls"
CA_FILE = str(TLS / "ca.crt")
OTHER_CA_FILE = str(TLS / "other-ca.crt")

CANARY = b"canary-7d1f"
COMMIT = "c" * 40

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def make_receiver(**fields: Any) -> Receiver:
    given: dict[str, Any] = {
        "cluster": "prod",
        "namespace": "flux-system",
        "name": "app1",
        "type": "generic-hmac",
        "token": Secret(CANARY),
    }
    return Receiver(**given | fields)


def make_claim() -> Claim:
    asked = Asked(
        layer="app1",
        delivery="delivery-1",
        repository="fleet",
        ref="refs/heads/main",
        commit=COMMIT,
    )
    return Claim(
        receiver="prod/flux-system/app1",
        wanted=7,
        failures=0,
        asked=(asked,),
        wanted_since=datetime(2026, 1, 1, tzinfo=UTC),
    )


def routing_to(url: str, *, ca_file: str | None = None, name: str = "prod") -> Routing:
    """A routing file with one cluster, at *url*."""
    return routing_with(Cluster(name=name, url=url, ca_file=ca_file))


def routing_with(*clusters: Cluster) -> Routing:
    return replace(make_routing(), clusters={cluster.name: cluster for cluster in clusters})


@asynccontextmanager
async def client_to(
    url: str,
    *,
    ca_file: str | None = None,
    deadline_seconds: float = 10.0,
    concurrency: int = 4,
    trust_env: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[HttpReceiverClient]:
    """The real client, with one cluster at *url*."""
    client = HttpReceiverClient(
        clock or SystemClock(),
        deadline_seconds=deadline_seconds,
        concurrency=concurrency,
        trust_env=trust_env,
    )
    await client.use(routing_to(url, ca_file=ca_file))
    try:
        yield client
    finally:
        await client.close()


async def call_once(url: str, receiver: Receiver | None = None, **options: Any) -> Attempt:
    async with client_to(url, **options) as client:
        return await client.call(receiver or make_receiver(), make_claim())


@dataclass(slots=True)
class Connection:
    """One accepted connection, as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_request(self) -> bytes:
        """One whole request, head and body; empty when the client closed before its end."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().splitlines()
                if line.startswith(b"content-length:")
            )
            return head + await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()


@dataclass(slots=True)
class RawServer:
    """A TCP or TLS server that a test gives its manners."""

    url: str = ""
    listening: asyncio.Server | None = None
    connections: list[Connection] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first request has been read."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a test, and when the server ends."""
    client_closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has closed a connection between two requests."""

    async def next_request(self, connection: Connection) -> bool:
        request = await connection.read_request()
        if not request:
            self.client_closed.set()
            return False
        self.requests.append(request)
        self.arrived.set()
        return True


@asynccontextmanager
async def raw_server(
    behave: Callable[[RawServer, Connection], Awaitable[None]], *, tls: bool = False
) -> AsyncIterator[RawServer]:
    """Serve *behave*, which is run for each connection, on a loopback port."""
    server = RawServer()
    tasks: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        connection = Connection(reader, writer)
        server.connections.append(connection)
        # Python 3.11's streams complain of a handler that ends cancelled.
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            try:
                await behave(server, connection)
            finally:
                writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=_context() if tls else None)
    server.listening = listening
    port = listening.sockets[0].getsockname()[1]
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        server.released.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
    return context


def answering(
    *pieces: bytes, then_close: bool = False
) -> Callable[[RawServer, Connection], Awaitable[None]]:
    """Answer each request with *pieces*, whatever they are."""

    async def behave(server: RawServer, connection: Connection) -> None:
        while await server.next_request(connection):
            await connection.send(*pieces)
            if then_close:
                return

    return behave


async def hang(server: RawServer, connection: Connection) -> None:
    """Answer 200 to each request, but only once the test says so."""
    while await server.next_request(connection):
        await server.released.wait()
        await connection.send(OK)


def holds_canary(texts: Iterable[object], path: str) -> list[str]:
    """Those of *texts* that show the token or the secret path."""
    shown = [str(text) for text in texts] + [repr(text) for text in texts]
    secrets = (CANARY.decode(), path, path.removeprefix("/hook/")[:16])
    return [text for text in shown if any(secret in text for secret in secrets)]
