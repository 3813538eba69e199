"""The receivers of a soak: they note every call, and misbehave as they are told."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.load import Messages
from bench.soak.history import Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from random import Random

Kind: TypeAlias = Literal["200", "500", "503", "slow", "hang", "reset"]
TROUBLES: tuple[Kind, ...] = ("500", "503", "slow", "hang", "reset")

CALM_TROUBLE = 0.04
"""How many calls meet trouble when nothing special is going on."""

QUICK_SECONDS, SLOW_SECONDS = 0.03, 0.8
"""How long a receiver works at most before it answers: as usual, and when it is slow; both are far
below the router's deadline for a call."""

HANG_SECONDS = (4.0, 9.0)
"""How long one hangs: far beyond that deadline."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER such that closing resets the connection."""


@dataclass(kw_only=True)
class Weather:
    """Which receivers are in which trouble just now."""

    random: Random
    troubles: dict[str, Kind] = field(default_factory=dict)
    is_healed: bool = False

    def kind(self, receiver: str) -> Kind:
        """What the next call of *receiver* meets."""
        if self.is_healed:
            return "200"
        if receiver in self.troubles:
            return self.troubles[receiver]
        return self.random.choice(TROUBLES) if self.random.random() < CALM_TROUBLE else "200"

    def seconds(self, kind: Kind) -> float:
        """How long a receiver works on a call."""
        if kind == "hang":
            return self.random.uniform(*HANG_SECONDS)
        return self.random.uniform(0, SLOW_SECONDS if kind == "slow" else QUICK_SECONDS)


@dataclass(kw_only=True, eq=False)
class _Open:
    """A call that the receiver still works on."""

    receiver: str
    deliveries: frozenset[str]
    started_at: float
    kind: Kind
    transport: asyncio.Transport
    closed_at: float | None = None


class Book:
    """All calls, those over and those under way."""

    def __init__(self, weather: Weather) -> None:
        self.calls: list[Call] = []
        self.strangers = 0
        self.outcomes: dict[str, int] = {}
        self.weather = weather
        self._open: dict[str, list[_Open]] = {}

    @property
    def open_count(self) -> int:
        return sum(map(len, self._open.values()))

    def begin(self, receiver: str, body: bytes, transport: asyncio.Transport) -> _Open:
        """Note the start of a call, and of calls before it that the router has given up."""
        now = monotonic()
        mine = self._open.setdefault(receiver, [])
        for earlier in mine:
            if earlier.closed_at is None and _is_gone(earlier.transport):
                earlier.closed_at = now
        call = _Open(
            receiver=receiver,
            deliveries=frozenset(json.loads(body)["deliveries"]),
            started_at=now,
            kind=self.weather.kind(receiver),
            transport=transport,
        )
        mine.append(call)
        return call

    def end(self, call: _Open) -> int | None:
        """Note that the receiver is done; returns what it answers, if anybody listens."""
        now = monotonic()
        self._open[call.receiver].remove(call)
        if call.closed_at is None and _is_gone(call.transport):
            call.closed_at = now
        is_heard = call.closed_at is None and call.kind != "reset"
        status = (int(call.kind) if call.kind in {"500", "503"} else 200) if is_heard else None
        outcome = "given up" if call.closed_at is not None else call.kind
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.calls.append(
            Call(
                receiver=call.receiver,
                deliveries=call.deliveries,
                started_at=call.started_at,
                answered_at=now if is_heard else None,
                status=status,
                closed_at=now if call.closed_at is None else call.closed_at,
                worked_until=now,
            )
        )
        return status


def _is_gone(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed a connection, also when nobody was told yet."""
    if transport.is_closing():
        return True
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    with socket.socket(fileno=os.dup(descriptor)) as peeking:
        try:
            return peeking.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


class _Connection(Messages):
    """One connection of the router."""

    def __init__(self, book: Book, paths: Mapping[str, str]) -> None:
        super().__init__()
        self._book = book
        self._paths = paths
        self._call: _Open | None = None

    def message_received(self, head: bytes, body: bytes) -> None:
        receiver = self._paths.get(head.split(b" ", 2)[1].decode())
        if receiver is None:
            self._book.strangers += 1
            self._answer(404)
            return
        call = self._call = self._book.begin(receiver, body, self.transport)
        seconds = self._book.weather.seconds(call.kind)
        asyncio.get_running_loop().call_later(seconds, self._end, call)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._call is not None and self._call.closed_at is None:
            self._call.closed_at = monotonic()

    def _end(self, call: _Open) -> None:
        self._call = None
        status = self._book.end(call)
        if status is not None:
            self._answer(status)
        elif not self.transport.is_closing():
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()

    def _answer(self, status: int) -> None:
        more = "Retry-After: 1\r\n" if status == 503 else ""
        answer = f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\n{more}\r\n"
        self.transport.write(answer.encode())


@asynccontextmanager
async def serve_cluster(book: Book, cluster_paths: Mapping[str, str]) -> AsyncIterator[str]:
    """The receivers of one cluster, at the URL that is given."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(book, cluster_paths), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def choose(random: Random, keys: Collection[str], share: float) -> list[str]:
    """So many of the receivers, by chance."""
    return random.sample(sorted(keys), max(1, round(len(keys) * share)))
