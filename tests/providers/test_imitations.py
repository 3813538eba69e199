"""Hosts that send the headers of others: whose webhook a delivery is decides how it is read."""

from __future__ import annotations

import pytest

from router.core.errors import MalformedPayload, UnsupportedMedia
from router.core.providers.table import PROVIDERS
from router.core.push import Push
from tests.providers.signing import SAMPLES, sample
from tests.providers.test_samples import read


@pytest.mark.parametrize("provider", ["github", "ghcr", "gogs"])
@pytest.mark.parametrize(
    ("imitator", "case"),
    [
        (folder.parent.name, folder.name)
        for name in ("forgejo", "gitea", "gogs")
        for folder in sorted((SAMPLES / name).iterdir())
    ],
)
def test_a_host_that_imitates_another_is_sent_to_its_own_provider(
    provider: str, imitator: str, case: str
) -> None:
    if provider == imitator:
        return
    headers, body = sample(imitator, case)
    assert "x-github-event" in headers
    with pytest.raises(MalformedPayload, match=f"its hook needs the provider {imitator}$"):
        read(provider, headers, body)


ALIKE = [{"gitea", "forgejo"}, {"generic", "standard-webhooks"}]
"""Providers whose payloads are the same."""


@pytest.mark.parametrize("sender", list(PROVIDERS))
@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_a_push_of_another_host_is_refused_or_ignored(provider: str, sender: str) -> None:
    if provider == sender or {provider, sender} in ALIKE:
        return
    headers, body = sample(sender, "push")
    try:
        result = read(provider, headers, body)
    except (MalformedPayload, UnsupportedMedia):
        return
    assert not isinstance(result, Push)
