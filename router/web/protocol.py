"""HTTP/1.1 as uvicorn speaks it, with limits on what it leaves open.

uvicorn's httptools protocol bounds neither headers nor what is left of a body once it was answered:
one connection could hold any amount of memory outside the budget for bodies, or stay for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.web.limits import DISCARD_SECONDS, HEADERS_DEADLINE_SECONDS, MAX_HEADERS_BYTES

if TYPE_CHECKING:
    import asyncio

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)

HEADER_FRAMING_BYTES = 4
"""The colon, the space and the line end of a header."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are too large or too slow, or whose body goes on for ever.

    Around a body there may be as many bytes as in it, and those of headers: sizes and extensions of
    chunks, and trailers, which are dropped.
    """

    headers_deadline_seconds = HEADERS_DEADLINE_SECONDS
    discard_seconds = DISCARD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_headers = True
        self._header_bytes = 0
        self._is_complete = True
        """Whether the message that came last has come to its end."""
        self._spare_bytes = MAX_HEADERS_BYTES
        """How many bytes may still come that are not those of a body."""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_in(self.headers_deadline_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._spare_bytes -= len(data)
        super().data_received(data)
        if self._spare_bytes < 0:
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_headers, self._is_complete = True, False
        self._header_bytes = 0
        self._close_in(self.headers_deadline_seconds)

    def on_url(self, url: bytes) -> None:
        self._header_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_headers:
            self._header_bytes += len(name) + len(value) + HEADER_FRAMING_BYTES
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._forget_deadline()
        if self._header_bytes > MAX_HEADERS_BYTES:
            self._refuse()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._spare_bytes += 2 * len(body)
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_complete = True
        self._spare_bytes = MAX_HEADERS_BYTES
        if self.transport.is_closing():
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await_next()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_complete and self.cycle.response_complete:
            self._close_in(self.discard_seconds)

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def _await_next(self) -> None:
        """The rest of a body that was answered before has come: keep the connection as usual."""
        self._forget_deadline()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _close_in(self, seconds: float) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
