"""A real Git host on loopback: git http-backend behind https, with users and mishaps.

    async with serve_git(folder, users={"git": "token"}) as host:
        make_repository(folder / "fleet.git")
        GitAccess(url=host.url("fleet.git"), token=Secret(b"token"), ca=host.ca)

Protocol, filters and everything else are git's own. `host.mishap` makes it misbehave until it is
set to None again, `host.requests` and the counters tell what went over the wire.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from aiohttp import web

from router.core.model import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

TLS = Path(__file__).parent.parent / "tls"

Mishap: TypeAlias = Literal["hang", "break", "login page", "redirect"] | int
"""Stop in the middle of a pack, or cut it off there, or answer otherwise; a number is a status."""

_WHERE_PACKS_STOP = 60
"""Bytes of the answer that are sent before a mishap in the middle of a pack: it has begun."""


@dataclass
class GitHost:
    """The host as a test steers and watches it."""

    folder: Path
    users: Mapping[str, str]
    port: int = 0
    mishap: Mishap | None = None
    requests: list[str] = field(default_factory=list)
    """Method and path of each, in order."""
    received_bytes: int = 0
    sent_bytes: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a pack was stopped in its middle."""

    @property
    def ca(self) -> Secret:
        """What a client must trust."""
        return Secret((TLS / "ca.crt").read_bytes())

    def url(self, name: str) -> str:
        return f"https://127.0.0.1:{self.port}/{name}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append(f"{request.method} {request.path}")
        if self.users and not self._is_user(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        if isinstance(self.mishap, int):
            return web.Response(status=self.mishap, text="a mishap")
        if self.mishap == "login page":
            return web.Response(text="<html>Please log in</html>", content_type="text/html")
        if self.mishap == "redirect":
            elsewhere = request.path_qs.replace("fleet", "renamed")
            return web.Response(status=301, headers={"Location": elsewhere})
        return await self._serve(request)

    def _is_user(self, request: web.Request) -> bool:
        _, _, encoded = request.headers.get("Authorization", "").partition(" ")
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        return self.users.get(username) == password

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received_bytes += len(body)
        head, content = await self._run_backend(request, body)
        self.sent_bytes += len(content)
        response = web.StreamResponse(status=int(head.pop("Status", "200")[:3]), headers=head)
        await response.prepare(request)
        is_pack = b"packfile" in content[:4096]
        if self.mishap in ("hang", "break") and is_pack:
            start = content.index(b"packfile") + _WHERE_PACKS_STOP
            await response.write(content[:start])
            self.hanging.set()
            if self.mishap == "hang":
                await asyncio.Event().wait()
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(content)
        await response.write_eof()
        return response

    async def _run_backend(self, request: web.Request, body: bytes) -> tuple[dict[str, str], bytes]:
        """What CGI makes of the request: headers and content."""
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
        }
        finished = await asyncio.to_thread(
            subprocess.run, ["git", "http-backend"], input=body, env=variables, capture_output=True
        )
        head, _, content = finished.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().splitlines() if line]
        return {name: value for name, value in lines}, content


@asynccontextmanager
async def serve_git(
    folder: Path, *, users: Mapping[str, str] | None = None, port: int = 0
) -> AsyncIterator[GitHost]:
    """Serve the bare repositories in *folder* on 127.0.0.1, over TLS; with *users* to them only."""
    host = GitHost(folder, users or {})
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", host.handle)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, auto_decompress=False, shutdown_timeout=0.1
    )
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
    await site.start()
    host.port = runner.addresses[0][1]
    try:
        yield host
    finally:
        await runner.cleanup()
