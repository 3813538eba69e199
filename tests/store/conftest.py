from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock

for suite in ("contract", "contract_saving", "contract_activating", "contract_calling"):
    pytest.register_assert_rewrite(f"tests.store.{suite}")
pytest.register_assert_rewrite("tests.store.contract_history")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
