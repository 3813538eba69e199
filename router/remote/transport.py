"""How the HTTP client reaches a cluster: over aiohttp's connections, which are kept alive."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

KEEP_ALIVE_SECONDS = 20.0
"""Idle connections are ours to close: notification-controller closes them after 30 s."""

CHUNK_BYTES = 16 * 1024
"""How much of an answer is handed over at once; Flux sends none."""

_is_kept: ContextVar[bool] = ContextVar("is_kept", default=False)
"""Whether the connection that this task sends a request on was used before."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends an httpx request over aiohttp's connections, which have no limit and no timeout.

    The caller counts, and cancels: aiohttp's own limit may leave a request waiting beside a free
    place when the one that was to take it is cancelled at that moment.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        proxy: str | None = None,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(context, keep_alive_seconds=keep_alive_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            skip_auto_headers=("User-Agent",),
            proxy=proxy,
            middlewares=(_send_past_closed_connections,),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError; its cause knows more."""
        try:
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers,
                data=await request.aread(),
                allow_redirects=False,
            )
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise httpx.UnsupportedProtocol("not a URL that can be called") from error
        except aiohttp.ClientError as error:
            raise httpx.TransportError(type(error).__name__) from error
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=_AnswerStream(answer)
        )

    async def aclose(self) -> None:
        await self._session.close()


class _AnswerStream(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_chunked(CHUNK_BYTES):
                yield chunk
        except aiohttp.ClientError as error:
            raise httpx.ReadError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Keeps the connection if the answer was read to its end, and drops it otherwise."""
        self._answer.close()


def environment_proxy(url: str) -> str | None:
    """The proxy that the usual variables name for *url*.

    aiohttp would read them itself, but then send what ~/.netrc holds for the host as well.
    """
    target = urlsplit(url)
    proxy = getproxies().get(target.scheme)
    if not proxy or proxy_bypass(target.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class _Connector(aiohttp.TCPConnector):
    """Tells whether a connection is a kept one, and drops kept ones that spoke unasked.

    aiohttp would take what came unasked for the answer to the next request.
    """

    def __init__(self, context: ssl.SSLContext, *, keep_alive_seconds: float) -> None:
        super().__init__(ssl=context, limit=0, keepalive_timeout=keep_alive_seconds)
        self._used: WeakSet[BaseProtocol] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        while True:
            _is_kept.set(False)
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            _is_kept.set(protocol in self._used)
            if not (_is_kept.get() and protocol.should_close):
                self._used.add(protocol)
                return connection
            connection.close()


async def _send_past_closed_connections(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send *request* anew while kept connections turn out to be closed.

    The other side may close an idle connection the moment it is used again; nothing has been
    answered then, and Flux takes no harm if it did see the request. aiohttp does this for GET, not
    for POST. Every try uses up one connection, and a new one is tried only once.
    """
    while True:
        try:
            return await send(request)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not _is_kept.get() or _began_to_answer(error):
                raise


def _began_to_answer(error: aiohttp.ClientConnectionError) -> bool:
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
