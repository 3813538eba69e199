"""Reads bodies under the limits while they stream in."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from router.core.errors import BodyTimeout, BodyTooLarge, MalformedPayload, Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request


class Reservation:
    """The bytes that one request holds of the process-wide budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Hold *size_bytes* more. Raises Overloaded when the budget has no room for them."""
        if self._budget.free_bytes < size_bytes:
            raise Overloaded("too many request bodies are in flight")
        self._budget.free_bytes -= size_bytes
        self.held_bytes += size_bytes

    def release(self) -> None:
        """Give everything back."""
        self._budget.free_bytes += self.held_bytes
        self.held_bytes = 0


class BodyBudget:
    """How many bytes of bodies the process may hold at once."""

    def __init__(self, limit_bytes: int) -> None:
        self.free_bytes = limit_bytes

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """A reservation that is given back at the end of the block."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            reservation.release()


async def read_body(
    request: Request, reservation: Reservation, *, limit_bytes: int, deadline_seconds: float
) -> bytes:
    """The whole body, or BodyTooLarge, BodyTimeout, Overloaded or MalformedPayload."""
    check_length(request.headers.get("content-length"), limit_bytes=limit_bytes)
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(deadline_seconds):
            async for chunk in request.stream():
                reservation.take(len(chunk))
                if reservation.held_bytes > limit_bytes:
                    raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise BodyTimeout(f"the body did not arrive within {deadline_seconds:g} s") from None
    except ClientDisconnect:
        raise MalformedPayload("the sender went away before the body was complete") from None
    return b"".join(chunks)


def check_length(content_length: str | None, *, limit_bytes: int) -> None:
    """Refuse a body that says it is too large before a byte of it is read."""
    if content_length is None:
        return
    if not (content_length.isascii() and content_length.isdigit()):
        raise MalformedPayload("Content-Length is not a number")
    if len(content_length) > 18 or int(content_length) > limit_bytes:
        raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
