from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgres.clocked import open_clocked
from tests.store.builders import adopt_nothing, make_activation
from tests.store.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.database import DatabaseUrl
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def store(self, clocked_schema: DatabaseUrl, clock: FakeClock) -> AsyncIterator[Store]:
        store = await open_clocked(clocked_schema, clock)
        await store.activate(make_activation(), adopt=adopt_nothing)
        yield store
        await store.close()
