"""How the HTTP client reaches a cluster: over aiohttp's connections, which are kept alive."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from httpx_aiohttp import AiohttpTransport

if TYPE_CHECKING:
    import ssl

    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

KEEP_ALIVE_SECONDS = 20.0
"""Idle connections are ours to close: notification-controller closes them after 30 s."""

_is_kept: ContextVar[bool] = ContextVar("is_kept", default=False)
"""Whether the connection that this task sends a request on was used before."""


def open_transport(
    context: ssl.SSLContext,
    *,
    proxy: str | None = None,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
) -> AiohttpTransport:
    """Connections without a limit or a timeout: the caller counts, and cancels.

    aiohttp's own limit may leave a request waiting beside a free place when the one that was to
    take it is cancelled at that moment.
    """
    session = aiohttp.ClientSession(
        connector=_Connector(context, keep_alive_seconds=keep_alive_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
        middlewares=(_send_past_closed_connections,),
    )
    return AiohttpTransport(verify=context, client=session)


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
