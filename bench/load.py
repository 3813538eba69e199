"""Load on loopback: connections that send prepared requests, a receiver that notes its calls."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

PATIENCE_SECONDS = 60.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


class Messages(asyncio.Protocol):
    """Cuts what arrives into HTTP messages that say how long they are."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            stop = end + content_length(self._buffer[:end])
            if len(self._buffer) < stop:
                return
            head, body, self._buffer = (
                self._buffer[:end],
                self._buffer[end:stop],
                self._buffer[stop:],
            )
            self.message_received(head, body)

    def message_received(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request; *latency_seconds* from the moment it was due."""

    latency_seconds: float
    body: bytes


class Sender(Messages):
    """One connection that sends requests one at a time; those that must wait do."""

    def __init__(self, is_right: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._is_right = is_right
        self._waiting: deque[tuple[bytes, float, asyncio.Future[Answer]]] = deque()
        self._is_busy = False

    def send(self, request: bytes, due_at: float | None = None) -> asyncio.Future[Answer]:
        """Send *request* now, or after those that came before it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, perf_counter() if due_at is None else due_at, future))
        if not self._is_busy:
            self._is_busy = True
            self.transport.write(request)
        return future

    def message_received(self, head: bytes, body: bytes) -> None:
        _, due_at, future = self._waiting.popleft()
        if future.cancelled():
            pass  # nobody waits any more
        elif self._is_right(head):
            future.set_result(Answer(perf_counter() - due_at, body))
        else:
            future.set_exception(RuntimeError(f"answered {head[:80]!r} {body[:300]!r}"))
        self._is_busy = bool(self._waiting)
        if self._is_busy:
            self.transport.write(self._waiting[0][0])


def is_accepted(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 202")


def is_ok(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 20")


async def connect(
    port: int, count: int, is_right: Callable[[bytes], bool] = is_accepted
) -> list[Sender]:
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Sender(is_right), "127.0.0.1", port)
        for _ in range(count)
    ]
    return [sender for _, sender in opened]


async def send_in_turn(
    senders: Sequence[Sender], requests: Sequence[Sequence[bytes]]
) -> Sequence[Sequence[Answer]]:
    """Closed loop: each connection sends its requests, every one when the last was answered."""

    async def work(sender: Sender, mine: Sequence[bytes]) -> Sequence[Answer]:
        return [await sender.send(request) for request in mine]

    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(
            *(work(sender, mine) for sender, mine in zip(senders, requests, strict=True))
        )


async def send_at_rate(
    senders: Sequence[Sender],
    requests: Sequence[Sequence[bytes]],
    *,
    per_second: float,
    due_at: list[float],
) -> list[asyncio.Future[Answer]]:
    """Open loop: requests at even intervals over all connections, whatever is answered.

    *due_at* is filled with when each was to be sent.
    """
    futures = []
    start, number = perf_counter(), 0
    for row in zip(*requests, strict=True):
        for sender, request in zip(senders, row, strict=True):
            due_at.append(start + number / per_second)
            if due_at[-1] > perf_counter():
                await asyncio.sleep(due_at[-1] - perf_counter())
            futures.append(sender.send(request, due_at[-1]))
            number += 1
    await asyncio.wait(futures, timeout=PATIENCE_SECONDS)
    return futures


class Calls:
    """The calls of receivers: when each came, by the deliveries that it serves."""

    def __init__(self) -> None:
        self.count = 0
        self.last_at = 0.0
        self.arrived_at: dict[str, float] = {}
        self._expected: dict[str, asyncio.Event] = {}
        self._came = asyncio.Event()

    def note(self, body: bytes) -> None:
        self.last_at = now = perf_counter()
        self.count += 1
        self._came.set()
        for delivery in json.loads(body)["deliveries"]:
            self.arrived_at.setdefault(delivery, now)
            event = self._expected.pop(delivery, None)
            if event is not None:
                event.set()

    async def of(self, delivery: str) -> float:
        """When the first call that serves *delivery* came; waits for it."""
        if delivery not in self.arrived_at:
            event = self._expected[delivery] = asyncio.Event()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await event.wait()
        return self.arrived_at[delivery]

    async def reach(self, count: int) -> None:
        """Wait for so many calls in all."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.count < count:
                self._came.clear()
                await self._came.wait()

    async def settle(self) -> None:
        """Wait until no more calls come."""
        count = -1
        while count != self.count:
            count = self.count
            await asyncio.sleep(1.0)


class _Receiver(Messages):
    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def message_received(self, head: bytes, body: bytes) -> None:
        self._calls.note(body)
        self.transport.write(OK)


@asynccontextmanager
async def serve_receiver() -> AsyncIterator[tuple[str, Calls]]:
    """A receiver that answers 200 to everything, at the URL that is given."""
    calls = Calls()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Receiver(calls), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
