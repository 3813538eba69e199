"""A repository that is named by its path on the host: all of its entries, and no other's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from router.core.naming import MAX_URL_CHARACTERS
from router.core.on_host import find_named
from router.core.providers.table import PROVIDERS
from tests.builders import make_repository


def named(provider: str, path: str, urls: Sequence[str]) -> list[str]:
    """Which of *urls* the repository *path* of a host of that kind may have."""
    entries = [make_repository({url: ["a"]}, name=url, url=url) for url in urls]
    host = PROVIDERS[provider]
    found = find_named(entries, path, url_forms=host.url_forms, ignores_case=host.ignores_case)
    return [entry.name for entry in found]


GERRIT = [
    "https://gerrit.example.com/acme/fleet",
    "https://gerrit.example.com/a/acme/fleet",
    "https://gerrit.example.com/p/acme/fleet",
    "https://gerrit.example.com/a/p/acme/fleet",
    "ssh://ci@gerrit.example.com:29418/acme/fleet",
]
BITBUCKET = [
    "https://git.example.com/scm/ops/fleet.git",
    "https://git.example.com/projects/OPS/repos/fleet",
    "ssh://git@git.example.com:7999/ops/fleet.git",
]
PERSONAL = [
    "https://git.example.com/scm/~jane/fleet.git",
    "https://git.example.com/users/jane/repos/fleet",
    "https://git.example.com/projects/~JANE/repos/fleet",
    "ssh://git@git.example.com:7999/~jane/fleet.git",
]


@pytest.mark.parametrize(
    ("provider", "path", "urls"),
    [
        ("gerrit", "acme/fleet", GERRIT),
        ("gerrit", "/acme/fleet.git", GERRIT),
        ("gerrit", "a/fleet", ["https://h.example/a/fleet", "https://h.example/a/a/fleet"]),
        ("bitbucket-server", "OPS/fleet", BITBUCKET),
        ("bitbucket-server", "~JANE/fleet", PERSONAL),
        (
            "sourcehut",
            "~acme/fleet",
            ["https://git.sr.ht/~acme/fleet", "git@git.sr.ht:~acme/fleet"],
        ),
    ],
)
def test_every_url_of_the_repository_counts_also_beside_others(
    provider: str, path: str, urls: list[str]
) -> None:
    assert named(provider, path, urls) == urls
    for url in urls:
        assert named(provider, path, [url]) == [url]


@pytest.mark.parametrize(
    ("provider", "path", "urls"),
    [
        # the host is served under a path, which the parts that it has of its own show
        ("gerrit", "acme/fleet", ["https://h.example/r/a/acme/fleet", GERRIT[2]]),
        (
            "gerrit",
            "acme/fleet",
            ["https://h.example/r/a/acme/fleet", "https://h.example/r/acme/fleet"],
        ),
        (
            "bitbucket-server",
            "OPS/fleet",
            ["https://h.example/git/scm/ops/fleet.git", BITBUCKET[2]],
        ),
        # … or nothing: then any path may be before the name
        ("gerrit", "acme/fleet", ["https://h.example/gerrit/acme/fleet"]),
        (
            "gerrit",
            "acme/fleet",
            ["https://h.example/gerrit/acme/fleet", "ssh://h.example/acme/fleet"],
        ),
        ("gerrit", "fleet", ["ssh://h.example/srv/git/fleet.git"]),
    ],
)
def test_the_path_that_a_host_is_served_under_does_not_count(
    provider: str, path: str, urls: list[str]
) -> None:
    assert named(provider, path, urls) == urls


@pytest.mark.parametrize(
    ("provider", "path", "urls", "expected"),
    [
        ("gerrit", "fleet", [*GERRIT[:2], "https://gerrit.example.com/fleet"], [2]),
        ("gerrit", "fleet", GERRIT[:2], []),  # the second shows that nothing is before the first
        ("gerrit", "fleet", ["https://h.example/r/a/fleet", "https://h.example/r/x/fleet"], [0]),
        ("gerrit", "fleet", ["https://h.example/my-fleet"], []),
        ("gerrit", "Ops/fleet", ["https://h.test/Ops/fleet", "https://h.test/OPS/fleet"], [0]),
        ("gerrit", "a" * (MAX_URL_CHARACTERS + 1), ["https://h.example/a"], []),
        ("bitbucket-server", "OPS/fleet", ["https://h.example/scm/devops/fleet"], []),
        ("bitbucket-server", "OPS/fleet", ["https://h.example/scm/x/ops/fleet.git"], []),
        ("sourcehut", "~acme/fleet", ["https://git.sr.ht/~other/fleet"], []),
    ],
)  # fmt: skip
def test_a_repository_that_is_named_alike_is_not_taken_for_it(
    provider: str, path: str, urls: list[str], expected: list[int]
) -> None:
    assert named(provider, path, urls) == [urls[number] for number in expected]
