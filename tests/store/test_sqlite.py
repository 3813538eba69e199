from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.store.sqlite.store import SqliteStore
from tests.store.builders import adopt_nothing, make_activation
from tests.store.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
        store = await SqliteStore.open(tmp_path / "store.db", clock=clock)
        await store.activate(make_activation(), adopt=adopt_nothing)
        yield store
        await store.close()
