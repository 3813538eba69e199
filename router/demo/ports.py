"""Ports that are reserved for servers which are started later."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reserve_ports(count: int) -> Iterator[list[int]]:
    """Different ports of 127.0.0.1 that nobody else is given until the block is left.

    Nothing listens on them. A server that sets SO_REUSEADDR, as most do, can listen on one, end
    and listen again: Linux lets such sockets share an address while none listens on it
    (https://man7.org/linux/man-pages/man7/socket.7.html).
    """
    with ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
        yield [holder.getsockname()[1] for holder in holders]
