"""The listeners: bound sockets, and uvicorn on them with our limits."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from router.core.errors import SettingsInvalid
from router.web.protocol import BoundedHttpProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

HTTP_STOP_SECONDS = 5
"""How long running requests may take to end when the service stops."""

LISTEN_BACKLOG = 2048
"""Connections that may wait to be taken; what uvicorn asks for, too."""

KEEP_ALIVE_SECONDS = 75
"""Idle connections are kept longer than the 60 s after which ingress-nginx drops its own, so that
it never sends a request into a connection that we are closing."""


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to us: two of them share one process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def create_server(app: Starlette) -> QuietServer:
    """A server for one listener."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http=BoundedHttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=HTTP_STOP_SECONDS,
    )
    return QuietServer(config)


def open_listener(host: str, port: int) -> socket.socket:
    """A bound socket. Raises SettingsInvalid when the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsInvalid(
            f"cannot listen on {host}:{port}: {error.strerror} (ROUTER_PUBLIC_BIND,"
            " ROUTER_ADMIN_BIND)"
        ) from None
    return listener


async def serve_until(stop: asyncio.Event, server: QuietServer, listener: socket.socket) -> None:
    """Serve one listener; if it ends before we are told to stop, the service must not go on."""
    await server.serve(sockets=[listener])
    if not stop.is_set():
        raise RuntimeError("a listener ended by itself")
