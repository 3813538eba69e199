"""One HTTP/1.1 connection to a cluster: a request out, the head of its answer in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools
import httpx

MAX_ANSWER_BYTES = 64 * 1024
"""How much of an answer is read before its connection is dropped; Flux sends empty bodies."""

_FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What is kept of an answer; its body is read to its end, and dropped."""

    status: int
    headers: list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; knows at once when the other side closes it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.received_bytes = 0
        """Of the exchange that runs or ran last."""
        self._transport: asyncio.Transport | None = None
        self._can_continue = True
        self._answer: asyncio.Future[AnswerHead] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []

    @property
    def is_reusable(self) -> bool:
        """Whether another exchange may follow, as far as is known here."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and self._can_continue and not self.lost.done()

    async def exchange(self, request: bytes) -> AnswerHead:
        """Send *request* and wait for its answer to end; to be given up by cancelling.

        Raises ReadError when the connection is lost before, RemoteProtocolError when what comes
        is not HTTP.
        """
        self.received_bytes = 0
        self._status, self._headers = None, []
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        try:
            if self._transport is None or self.lost.done():
                raise httpx.ReadError("lost before it was used")
            self._transport.write(request)
            return await self._answer
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        self._can_continue = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        self._fail(httpx.ReadError("lost"), cause=exc)

    def eof_received(self) -> None:
        """Take an answer without a length as ended; the transport then closes itself."""
        has_length = any(name.lower() in _FRAMING_HEADERS for name, _ in self._headers)
        if self._is_pending and not has_length:
            self._finish(can_continue=False)
        self._can_continue = False

    def data_received(self, data: bytes) -> None:
        if not self._is_pending:  # nobody asked: whatever it is, it is not our next answer
            self.abort()
            return
        self.received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish(can_continue=False)
        except httptools.HttpParserError:
            self._fail(httpx.RemoteProtocolError("not HTTP"))
        if self.received_bytes > MAX_ANSWER_BYTES:
            self._cut_off()

    # What the parser calls while it is fed.

    def on_message_begin(self) -> None:
        if not self._is_pending:  # an answer more than was asked for
            self._can_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            self._headers.clear()  # an interim answer; the real one follows
        elif self._status is None:
            self._status = status

    def on_message_complete(self) -> None:
        if self._status is not None:
            self._finish(can_continue=self._parser.should_keep_alive())

    @property
    def _is_pending(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _cut_off(self) -> None:
        """Enough was read: a status that is known counts, a head that does not end is no HTTP."""
        if self._status is None:
            self._fail(httpx.RemoteProtocolError("head too large"))
        else:
            self._finish(can_continue=False)

    def _finish(self, *, can_continue: bool) -> None:
        if self._answer is not None and self._status is not None and self._is_pending:
            self._answer.set_result(AnswerHead(self._status, self._headers))
            self._can_continue = can_continue
        if not can_continue:
            self.abort()

    def _fail(self, error: httpx.TransportError, *, cause: BaseException | None = None) -> None:
        if self._answer is not None and self._is_pending:
            error.__cause__ = cause
            self._answer.set_exception(error)
        self.abort()
