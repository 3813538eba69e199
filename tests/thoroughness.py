"""How many examples a property is tried on: few in each test run, many in `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import settings

FACTORS = {"quick": 1, "thorough": 20}
"""Each run draws other examples, so that many quick runs try what one thorough run does; an example
that failed is kept and tried first."""

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
QUICK_EXAMPLES = 25


def examples(quick: int) -> int:
    """The max_examples of a property that a test run tries on *quick* of them."""
    return quick * FACTORS[PROFILE]


def load_profile() -> None:
    """For properties that do not say how often. Raises KeyError for an unknown profile."""
    settings.register_profile(PROFILE, max_examples=examples(QUICK_EXAMPLES), deadline=None)
    settings.load_profile(PROFILE)
