"""Requests byte by byte, and whatever comes back."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.builders import github_push
from tests.e2e.conftest import World
from tests.edge.canaries import HOOK_SECRET

PATIENCE_SECONDS = 40.0
"""How long a test waits for an answer; only a failing test waits that long."""

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
EVENTS = {
    "github": ("x-github-event", "push"),
    "gitlab": ("x-gitlab-event", "Push Hook"),
    "gitea": ("x-gitea-event", "push"),
    "generic": ("x-none", ""),
    "by-path": ("x-github-event", "push"),
    "by-header": ("x-github-event", "push"),
}
PROOFS = {
    "github": ("x-hub-signature-256", "sha256="),
    "gitea": ("x-gitea-signature", ""),
    "generic": ("x-signature", "sha256="),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A hostile request, and its documented answer."""

    name: str
    sent: bytes
    status: int
    """0: the connection is closed without an answer."""
    error: str | None = None
    """What the answer's `error` is; None where the answer is not in our JSON."""
    is_cut: bool = False
    """Whether the sender goes away after it; else it waits for the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    """0: the connection was closed without an answer."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> str | None:
        if not self.headers.get("content-type", "").startswith(JSON):
            return None
        found = json.loads(self.body).get("error")
        return None if found is None else str(found)


def sign(body: bytes, *, secret: bytes = HOOK_SECRET, algorithm: str = "sha256") -> str:
    return hmac.digest(secret, body, algorithm).hex()


def head(line: str = "POST /hooks/github HTTP/1.1", *headers: tuple[str, str | bytes]) -> bytes:
    """A request line and headers, as they are given, with nothing added but a Host."""
    lines = [line.encode("latin-1"), b"host: router.test"]
    for name, value in headers:
        text = value if isinstance(value, bytes) else value.encode("latin-1")
        lines.append(name.encode("latin-1") + b": " + text)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def delivery(
    body: bytes | Mapping[str, Any] | None = None,
    *,
    hook: str = "github",
    path: str | None = None,
    line: str | None = None,
    changed: Mapping[str, str | bytes | None] | None = None,
    more: tuple[tuple[str, str | bytes], ...] = (),
) -> bytes:
    """A delivery as the hook's provider would send it, but for the headers that are *changed*."""
    if body is None:
        body = github_push()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    event, name = EVENTS[hook]
    headers: dict[str, str | bytes | None] = {
        "content-type": JSON,
        "content-length": str(len(content)),
        event: name,
    }
    if hook in PROOFS:
        proof, prefix = PROOFS[hook]
        headers[proof] = prefix + sign(content)
    elif hook == "gitlab":
        headers["x-gitlab-token"] = HOOK_SECRET
    headers |= changed or {}
    kept = [(key, value) for key, value in headers.items() if value is not None]
    return head(line or f"POST {path or f'/hooks/{hook}'} HTTP/1.1", *kept, *more) + content


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One answer, without those that only announce it; status 0 if the connection ends first."""
    try:
        while True:
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = top.strip().split("\r\n")
            status = int(status_line.split()[1])
            if status != 100:
                break
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(status=0, headers={}, body=b"")
    return Answer(status=status, headers=headers, body=body)


def address_of(world: World) -> tuple[str, int]:
    """Where the public side of a service listens."""
    url = world.public.base_url
    assert url.port is not None
    return url.host, url.port


async def exchange(address: tuple[str, int], sent: bytes, *, is_cut: bool = False) -> Answer:
    """Send *sent* and return the first answer; *is_cut* ends the connection for our part."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writing = asyncio.create_task(_write(writer, sent, is_cut=is_cut))
            answer = await read_answer(reader)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            return answer
    finally:
        writer.transport.abort()


async def _write(writer: asyncio.StreamWriter, sent: bytes, *, is_cut: bool) -> None:
    writer.write(sent)
    await writer.drain()
    if is_cut:
        writer.write_eof()
