"""The table of providers."""

from __future__ import annotations

import pytest

from router.core.providers.table import KNOWN_PROVIDERS, PROVIDERS


def test_every_provider_is_listed_by_its_own_name() -> None:
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {
        name: name for name in PROVIDERS
    }


def test_every_provider_that_is_served_is_known() -> None:
    assert set(PROVIDERS) <= set(KNOWN_PROVIDERS)
    assert len(set(KNOWN_PROVIDERS)) == len(KNOWN_PROVIDERS)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PROVIDERS["github"] = PROVIDERS["gitlab"]  # type: ignore[index] # that is the point
