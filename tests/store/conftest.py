from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock

SUITES = (
    "saving",
    "planning",
    "waiting",
    "observing",
    "closing",
    "activating",
    "claiming",
    "calling",
    "history",
    "pruning",
)

pytest.register_assert_rewrite(
    "tests.store.contract", *(f"tests.store.contract_{suite}" for suite in SUITES)
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
