"""Random operations on the fake and on PostgreSQL: whatever is asked, both answer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.postgres.clocked import open_clocked
from tests.postgres.fixtures import empty_clocked_schema
from tests.store.test_side_by_side import SideBySide, machine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from functools import partial

    from router.ports.store import Store
    from tests.postgres.server import Server


class PostgresSideBySide(SideBySide):
    server: ClassVar[Server]

    async def open(self) -> Store:
        return await open_clocked(await empty_clocked_schema(self.server), self.clock)

    def both_at_once(self, asked: Sequence[partial[Awaitable[Any]]]) -> None:
        """As many at once as share a transaction: the order of two of these is not promised."""
        self.both(lambda store: store.check())  # the clock is set, so that nobody waits for that
        left = list(asked)
        while left:
            keys = [key_of(ask) for ask in left]
            count = next((n for n, key in enumerate(keys) if key and key in keys[:n]), len(left))
            super().both_at_once(left[:count])
            del left[:count]


def key_of(asked: partial[Awaitable[Any]]) -> str | None:
    """What only one of a transaction may have."""
    if "delivery" in asked.keywords:
        key: str | None = asked.keywords["delivery"].provider_delivery_id
        return key
    receiver: str = asked.keywords["attempt"].receiver
    return receiver


class TestPostgresSideBySide(PostgresSideBySide.TestCase):  # type: ignore[valid-type, misc]
    settings = machine(6)

    @pytest.fixture(autouse=True)
    def start(self, postgres: Server) -> None:
        PostgresSideBySide.server = postgres
