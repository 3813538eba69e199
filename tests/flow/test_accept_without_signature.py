"""What a delivery of a host that cannot sign leads to, by how much of it the payload names."""

from __future__ import annotations

import pytest

from router.core.providers.table import PROVIDERS
from router.core.push import Push
from router.flow.accept import UNKNOWN_REPOSITORY, Planned, plan_push
from tests.builders import make_repository, make_routing
from tests.providers.signing import sample

AZURE = "https://dev.azure.com/acme/Cloud Platform/_git/fleet"
OTHER = "https://dev.azure.com/acme/Other/_git/other"
CODECOMMIT = "ssh://git-codecommit.eu-central-1.amazonaws.com/v1/repos/fleet"
GERRIT = "https://gerrit.acme.example/a/acme/fleet"


async def plan(provider: str, case: str, *urls: str) -> Planned:
    """Plan a sample for entries of those URLs, named by their numbers."""
    entries = [
        make_repository({f"app{number}": ["apps/"]}, name=str(number), url=url, hook="hook")
        for number, url in enumerate(urls, start=1)
    ]
    routing = make_routing(*entries, provider=provider)
    push = PROVIDERS[provider].parse_push(*sample(provider, case))
    assert isinstance(push, Push)
    return await plan_push(routing, routing.hooks["hook"], push)


@pytest.mark.parametrize(
    ("provider", "case", "urls", "planned"),
    [
        ("azure-devops", "push", [AZURE, OTHER], {"1"}),
        ("azure-devops", "push", ["git@ssh.dev.azure.com:v3/acme/Cloud%20Platform/fleet"], {"1"}),
        # The refs were taken away, and then the repository too.
        ("azure-devops", "stripped_refs", [AZURE, OTHER], {"1"}),
        ("azure-devops", "stripped_minimal", [AZURE, OTHER], {"1", "2"}),
        ("azure-devops", "stripped_none", [AZURE, OTHER], {"1", "2"}),
        ("codecommit", "push", [CODECOMMIT, CODECOMMIT.replace("eu", "us")], {"1"}),
        ("gerrit", "push", [GERRIT, GERRIT + "-other"], {"1"}),
    ],
)
async def test_the_layers_of_the_repository_that_is_named_are_wanted_and_all_if_none_is(
    provider: str, case: str, urls: list[str], planned: set[str]
) -> None:
    result = await plan(provider, case, *urls)
    assert result.status == "routed"
    assert {record.repository for record in result.records} == planned
    assert len(result.intents) == len(planned)


async def test_the_push_of_azures_test_button_is_of_an_unknown_repository() -> None:
    result = await plan("azure-devops", "ping", AZURE)
    assert (result.status, result.reason, result.intents) == ("ignored", UNKNOWN_REPOSITORY, ())
