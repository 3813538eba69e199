"""Random operations on the fake and on PostgreSQL: whatever is asked, both answer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.postgres.clocked import open_clocked
from tests.postgres.fixtures import empty_clocked_schema
from tests.store.test_side_by_side import SideBySide, examples

if TYPE_CHECKING:
    from router.ports import Store
    from tests.postgres.server import Server


class PostgresSideBySide(SideBySide):
    server: ClassVar[Server]

    async def open(self) -> Store:
        return await open_clocked(await empty_clocked_schema(self.server), self.clock)


class TestPostgresSideBySide(PostgresSideBySide.TestCase):  # type: ignore[valid-type, misc]
    settings = examples(8)

    @pytest.fixture(autouse=True)
    def start(self, postgres: Server) -> None:
        PostgresSideBySide.server = postgres
