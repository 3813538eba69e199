from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock
from tests.postgres.fixtures import clocked_schema, new_schema, postgres

__all__ = ["clocked_schema", "new_schema", "postgres"]

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
    "replicas",
)

pytest.register_assert_rewrite(
    "tests.store.contract", *(f"tests.store.contract_{suite}" for suite in SUITES)
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
