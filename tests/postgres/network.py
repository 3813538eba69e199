"""A way to a server that can fall silent: nothing arrives any more, and nobody is told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Way:
    """A proxy before a server of this machine."""

    server_port: int
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    silent: set[asyncio.StreamWriter] = field(default_factory=set)
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether something was swallowed."""
    cut_after: bytes | None = None
    """Whoever sends this, once it has got through, is cut off before the answer comes."""

    def fall_silent(self) -> None:
        """Of all connections that there are; those that are made later get through."""
        self.silent.update(self.writers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection("127.0.0.1", self.server_port)
        self.writers += [writer, theirs[1]]
        for pump in (self._ask(reader, theirs[1], writer), self._answer(theirs[0], writer)):
            self.pumps.append(asyncio.create_task(pump))

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
    ) -> None:
        async for data in self._heard(reader, server):
            if self.cut_after is not None and self.cut_after in data:
                client.transport.abort()
            server.write(data)
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        async for data in self._heard(reader, client):
            client.write(data)
        client.close()

    async def _heard(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncIterator[bytes]:
        with suppress(OSError):
            while data := await reader.read(65536):
                if writer in self.silent:
                    self.was_asked.set()
                else:
                    yield data


@asynccontextmanager
async def silent_way(server_port: int) -> AsyncIterator[Way]:
    way = Way(server_port)
    listener = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = listener.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        listener.close()
        for writer in way.writers:
            writer.transport.abort()
        await asyncio.gather(*way.pumps)
