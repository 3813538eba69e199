"""How the HTTP client reaches a cluster: few connections, kept alive, the last used first.

It replaces httpx's own pool, which does not always give back the place of a request that is
cancelled: enough calls past their deadline would fill it for ever. Its cost for a request also
grows with the number of its connections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import httpx

from router.remote.connection import Connection

if TYPE_CHECKING:
    import ssl

    from router.remote.connection import AnswerHead

KEEP_ALIVE_SECONDS = 20.0
"""Idle connections are ours to close: notification-controller closes them after 30 s."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class KeepAliveTransport(httpx.AsyncBaseTransport):
    """Serves one origin. Answers have no body: it is read up to a limit, and dropped.

    There are no timeouts in here: the caller cancels.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        concurrency: int,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._context = context
        self._keep_alive_seconds = keep_alive_seconds
        self._free = asyncio.Semaphore(concurrency)
        self._idle: deque[tuple[float, Connection]] = deque()
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        message = _encode(request, await request.aread())
        async with self._free:
            head = await self._exchange(request.url, message)
        return httpx.Response(head.status, headers=head.headers, stream=httpx.ByteStream(b""))

    async def aclose(self) -> None:
        self._is_closed = True
        connections = [connection for _, connection in self._idle]
        self._idle.clear()
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in connections))

    async def _exchange(self, url: httpx.URL, message: bytes) -> AnswerHead:
        """Send *message*, over a new connection where the kept one turns out to be closed.

        The other side may close an idle connection the moment it is used again; nothing has been
        answered then, and Flux takes no harm if it did see the first message.
        """
        kept = self._take_idle()
        if kept is not None:
            try:
                return self._keep(kept, await kept.exchange(message))
            except httpx.ReadError:
                if kept.received_bytes:
                    raise
        fresh = await self._connect(url)
        return self._keep(fresh, await fresh.exchange(message))

    def _take_idle(self) -> Connection | None:
        """The connection used last, unless it was closed or has been idle for too long."""
        self._drop_expired()
        while self._idle:
            _, connection = self._idle.pop()
            if connection.is_reusable:
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Connection, head: AnswerHead) -> AnswerHead:
        if self._is_closed or not connection.is_reusable:
            connection.abort()
        else:
            self._drop_expired()
            self._idle.append((asyncio.get_running_loop().time(), connection))
        return head

    def _drop_expired(self) -> None:
        newest = asyncio.get_running_loop().time() - self._keep_alive_seconds
        while self._idle and self._idle[0][0] <= newest:
            self._idle.popleft()[1].abort()

    async def _connect(self, url: httpx.URL) -> Connection:
        if url.scheme not in _DEFAULT_PORTS or not url.host:
            raise httpx.UnsupportedProtocol("not an http or https URL with a host")
        host = url.raw_host.decode("ascii")
        context = self._context if url.scheme == "https" else None
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, host, url.port or _DEFAULT_PORTS[url.scheme], ssl=context
            )
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError("no connection") from error
        return connection


def _encode(request: httpx.Request, body: bytes) -> bytes:
    headers = [name + b": " + value for name, value in request.headers.raw]
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path), *headers]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise httpx.LocalProtocolError("a line break in the request's head")
    return b"\r\n".join([*lines, b"", body])
