"""Reads bodies under the limits while they stream in."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from router.core.errors import BodyTimeout, BodyTooLarge, MalformedPayload, Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive

    from router.core.forms import Body


class Reservation:
    """The bytes that one request holds of a budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Hold *size_bytes* more. Raises Overloaded when the budget has no room for them."""
        self._budget.take(size_bytes)
        self.held_bytes += size_bytes

    def release(self) -> None:
        """Give everything back."""
        self._budget.give_back(self.held_bytes)
        self.held_bytes = 0


class BodyBudget:
    """How many bytes of bodies may be held at once; may be a part *within* a larger budget."""

    def __init__(self, limit_bytes: int, *, within: BodyBudget | None = None) -> None:
        self.free_bytes = limit_bytes
        self._within = within

    def take(self, size_bytes: int) -> None:
        """Raises Overloaded when there is no room, here or in the larger budget."""
        if self.free_bytes < size_bytes:
            raise Overloaded("too many request bodies are in flight")
        if self._within is not None:
            self._within.take(size_bytes)
        self.free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Make room again for what was taken."""
        self.free_bytes += size_bytes
        if self._within is not None:
            self._within.give_back(size_bytes)

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """A reservation that is given back at the end of the block."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            reservation.release()


async def collect_body(
    receive: Receive,
    reservation: Reservation,
    *,
    content_length: str | None,
    limit_bytes: int,
    deadline_seconds: float,
) -> Body:
    """The whole body, or BodyTooLarge, BodyTimeout, Overloaded or MalformedPayload.

    One that comes in parts grows in place, so that a large body is in memory once.
    """
    check_length(content_length, limit_bytes=limit_bytes)
    try:
        async with asyncio.timeout(deadline_seconds):
            part, is_whole = await _receive_part(receive, reservation, limit_bytes=limit_bytes)
            if is_whole:
                return part
            body = bytearray(part)
            while not is_whole:
                part, is_whole = await _receive_part(receive, reservation, limit_bytes=limit_bytes)
                body += part
            return body
    except TimeoutError:
        raise BodyTimeout(f"the body did not arrive within {deadline_seconds:g} s") from None


async def _receive_part(
    receive: Receive, reservation: Reservation, *, limit_bytes: int
) -> tuple[bytes, bool]:
    """The next part of a body, and whether it is the last one."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise MalformedPayload("the sender went away before the body was complete")
    part = message.get("body", b"")
    reservation.take(len(part))
    if reservation.held_bytes > limit_bytes:
        raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
    return part, not message.get("more_body", False)


def check_length(content_length: str | None, *, limit_bytes: int) -> None:
    """Refuse a body that says it is too large before a byte of it is read."""
    if content_length is None:
        return
    if not (content_length.isascii() and content_length.isdigit()):
        raise MalformedPayload("Content-Length is not a number")
    if len(content_length) > 18 or int(content_length) > limit_bytes:
        raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
