"""HTTP/1.1 as uvicorn speaks it, with a limit on how large and how slow headers may be.

uvicorn's httptools protocol has neither: one connection could hold any amount of memory outside the
budget for bodies, or stay half open for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.web.limits import HEADERS_DEADLINE_SECONDS, MAX_HEADERS_BYTES

if TYPE_CHECKING:
    import asyncio

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too large or too slow."""

    headers_deadline_seconds = HEADERS_DEADLINE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._is_in_headers = True
        self._header_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._is_in_headers and self._header_bytes > MAX_HEADERS_BYTES:
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._header_bytes = 0
        self._forget_deadline()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._is_in_headers = True
        self._forget_deadline()
        self._header_deadline = self.loop.call_later(
            self.headers_deadline_seconds, self.transport.close
        )

    def _forget_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None
