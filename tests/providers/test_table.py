"""The table of providers."""

from __future__ import annotations

import pytest

from router.core.providers.table import PROVIDERS, REGISTRIES, SERVED


def test_every_provider_is_listed_by_its_own_name() -> None:
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {
        name: name for name in PROVIDERS
    }


def test_no_name_is_both_a_git_host_s_and_a_registry_s() -> None:
    assert len(SERVED) == len(PROVIDERS) + len(REGISTRIES)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PROVIDERS["github"] = PROVIDERS["gitlab"]  # type: ignore[index] # that is the point
