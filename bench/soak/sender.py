"""Sends the pushes of a soak at a steady pace, and notes every answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from bench.load import content_length
from bench.soak.history import Push

if TYPE_CHECKING:
    from random import Random

    from bench.soak.fleet import Fleet
    from bench.soak.pushes import Prepared, Writer

ANSWER_SECONDS = 10.0
"""What Git hosts wait for an answer."""

AGAIN_SHARE, AGAIN_SECONDS = 0.5, (0.5, 3.0)
"""How many of the pushes without a 202 are sent again, and how much later."""


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send one request on a connection of its own; the status and body of its answer.

    Raises OSError or EOFError when there is none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1]), await reader.readexactly(content_length(head))
    finally:
        writer.transport.abort()


@dataclass(kw_only=True)
class Sender:
    """Sends what a writer makes."""

    fleet: Fleet
    writer: Writer
    random: Random
    port: int
    pushes: list[Push] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, *, seconds: float, per_second: float) -> None:
        """Send for so long, at that pace on average; then wait for the last answers."""
        until = monotonic() + seconds
        while monotonic() < until:
            for push in self.writer.step():
                self._start(push)
                await asyncio.sleep(0)  # in this order
            await asyncio.sleep(self.random.expovariate(per_second))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, push: Prepared) -> None:
        task = asyncio.create_task(self._send(push))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, push: Prepared) -> None:
        noted = await self._send_once(push)
        if noted.status != 202 and self.random.random() < AGAIN_SHARE:
            await asyncio.sleep(self.random.uniform(*AGAIN_SECONDS))
            await self._send_once(push)

    async def _send_once(self, push: Prepared) -> Push:
        noted = Push(
            id=push.id,
            sent_at=monotonic(),
            changed=push.changed,
            every=self.fleet.layers(push.repository),
        )
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                status, body = await ask(self.port, push.request)
            noted = self._answered(noted, status, body)
        self.pushes.append(noted)
        return noted

    def _answered(self, push: Push, status: int, body: bytes) -> Push:
        answered = replace(push, status=status, answered_at=monotonic())
        if status != 202:
            return answered
        answer: dict[str, Any] = json.loads(body)
        layers = frozenset(
            layer["name"] for update in answer["updates"] for layer in update["layers"]
        )
        return replace(
            answered,
            delivery=answer["delivery"],
            layers=layers,
            receivers=frozenset().union(*(self.fleet.receivers[layer] for layer in layers)),
        )
