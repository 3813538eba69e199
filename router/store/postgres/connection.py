"""Connections to the server: their settings, how long anything may take, and trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from router.core.errors import StoreUnavailable
from router.store.postgres.failures import TROUBLES, unavailable

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl
    from router.ports.clock import Clock
    from router.store.postgres.statements import Connection

CONNECT_TIMEOUT_SECONDS = 10.0
"""For an attempt to connect, with TLS and the password."""

COMMAND_TIMEOUT_SECONDS = 40.0
"""For a statement as seen from here: longer than the server's own limit, for a lost network."""

SERVER_SETTINGS = {
    "application_name": "flux-router",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    # Statements are short and take arrays, of which the planner knows no length.
    "jit": "off",
}
"""What a session has unless the URL says otherwise: https://www.postgresql.org/docs/current/runtime-config-client.html."""

FIRST_PAUSE_SECONDS = 0.1
"""Between a failed attempt to connect and the next one; it doubles with each failure."""

MAX_PAUSE_SECONDS = 5.0
"""A server that is back is noticed within so long."""

_MAX_DOUBLINGS = 8


def server_settings(url: DatabaseUrl, **settings: str) -> dict[str, str]:
    """The session's settings, but for those that the URL has."""
    wanted = SERVER_SETTINGS | settings
    return {name: value for name, value in wanted.items() if name not in url.parameters}


async def connect_alone(url: DatabaseUrl) -> asyncpg.Connection[asyncpg.Record]:
    """A connection of its own for migrations, which take as long as they take."""
    return await asyncpg.connect(
        url.text,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings=server_settings(url, statement_timeout="0", lock_timeout="0"),
    )


async def create_pool(
    url: DatabaseUrl,
    clock: Clock,
    *,
    size: int,
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> asyncpg.Pool[asyncpg.Record]:
    """Connections that are kept; at least one is open when this returns.

    Raises whatever the first attempt to connect ends in.
    """
    pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
        url.text,
        # None is kept for its own sake: the pool would try to restore it by itself, and log a trace
        # for each attempt while the server is gone. Whoever needs a connection makes one.
        min_size=0,
        init_size=1,
        max_size=size,
        connect=Connector(url, clock),
        reset=_leave,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=command_timeout_seconds,
        server_settings=server_settings(url),
    )
    await pool
    return pool


async def _leave(connection: Connection) -> None:
    """A connection comes back without a transaction and without a setting changed."""


class Connector:
    """Opens connections. After one that failed nobody tries for a while, which grows."""

    def __init__(self, url: DatabaseUrl, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._failure_count = 0
        self._next_try = 0.0
        self._trouble = ""

    async def __call__(self, *args: Any, **settings: Any) -> asyncpg.Connection[asyncpg.Record]:
        """What asyncpg.connect does. Raises StoreUnavailable without asking during a pause."""
        if self._is_pausing():
            raise StoreUnavailable(self._trouble)
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                *args, **settings
            )
        except TROUBLES as error:
            if not self._is_pausing():  # else it was one of several attempts at once
                self._trouble = str(unavailable(error, self._url))
                self._pause()
            raise
        self._failure_count = 0
        return connection

    def _is_pausing(self) -> bool:
        return self._failure_count > 0 and self._clock.monotonic() < self._next_try

    def _pause(self) -> None:
        ceiling = FIRST_PAUSE_SECONDS * 2.0 ** min(self._failure_count, _MAX_DOUBLINGS)
        share = (1 + self._clock.jitter()) / 2
        self._next_try = self._clock.monotonic() + min(MAX_PAUSE_SECONDS, ceiling) * share
        self._failure_count += 1
