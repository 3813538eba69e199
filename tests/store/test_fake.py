from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.core.errors import StoreUnavailable
from tests.fakes.store import FakeStore
from tests.store.builders import adopt_nothing, make_activation, save
from tests.store.contract import StoreContract

if TYPE_CHECKING:
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock


class TestFakeStore(StoreContract):
    @pytest.fixture
    async def store(self, clock: FakeClock) -> Store:
        store = FakeStore(clock)
        await store.activate(make_activation(), adopt=adopt_nothing)
        return store


async def test_a_fake_that_is_down_saves_nothing(clock: FakeClock) -> None:
    store = FakeStore(clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await save(store, clock)
    store.is_down = False
    assert list(await store.deliveries(limit=1)) == []
