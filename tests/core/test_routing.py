from __future__ import annotations

import pytest

from router.core.naming import MAX_URL_CHARACTERS, normalize_artifact, normalize_url
from tests.builders import make_artifact, make_artifact_routing, make_repository, make_routing

SAME = [
    "https://github.com/acme/fleet",
    "https://github.com/acme/fleet.git",
    "https://github.com/acme/fleet/",
    "https://GitHub.com/acme/fleet",
    "https://user:password@github.com:443/acme/fleet.git",
    "http://github.com:8080/acme/fleet",
    "ssh://git@github.com:22/acme/fleet.git",
    "git@github.com:acme/fleet.git",
    "git@github.com:/acme/fleet",
    "git://github.com/acme/fleet.git/",
    "https://github.com/acme/%66leet",
    "ssh://git@ssh.github.com:443/acme/fleet.git",
]
OTHER = [
    "https://github.com/acme/fleet2",
    "https://github.com/acme/Fleet",
    "https://gitlab.com/acme/fleet",
    "https://github.com.evil.test/acme/fleet",
    "ssh://git@ssh.github.com.evil.test:443/acme/fleet.git",
    "ssh://git@altssh.gitlab.com:443/acme/fleet.git",
    "https://evil.test/github.com/acme/fleet",
    "https://github.com/acme/fleet/x",
    "",
    "https://[broken/acme/fleet",
    "acme/fleet",
]


@pytest.mark.parametrize("url", SAME)
def test_one_repository_is_known_by_all_its_urls(url: str) -> None:
    assert make_routing().entries("github", [url])


@pytest.mark.parametrize("url", OTHER)
def test_other_repositories_are_not_taken_for_it(url: str) -> None:
    assert not make_routing().entries("github", [url])


def test_a_repository_of_another_hook_is_not_found() -> None:
    assert not make_routing().entries("gitlab", [SAME[0]])


def test_what_is_too_long_for_a_url_names_no_repository() -> None:
    longest = "https://github.com/" + "a" * (MAX_URL_CHARACTERS - len("https://github.com/"))
    assert normalize_url(longest) == longest.removeprefix("https://")
    assert normalize_url(longest + "a") == ""
    assert make_routing().entries("github", [longest + "a", SAME[0]])  # the other names count


def test_local_paths_and_file_urls_are_the_same_repository() -> None:
    assert normalize_url("/srv/git/fleet.git") == normalize_url("file:///srv/git/fleet")


def test_entries_of_one_url_are_found_in_file_order_once_each() -> None:
    main = make_repository({"a": ["a"]}, name="main")
    tags = make_repository({"b": ["b"]}, name="tags", ref="refs/tags/v*")
    found = make_routing(main, tags).entries("github", SAME)
    assert [entry.name for entry in found] == ["main", "tags"]


@pytest.mark.parametrize("name", ["altssh.gitlab.com", "altssh.bitbucket.org"])
def test_ssh_on_the_port_of_https_leads_to_the_same_host(name: str) -> None:
    host = name.removeprefix("altssh.")
    assert normalize_url(f"ssh://git@{name}:443/acme/fleet.git") == f"{host}/acme/fleet"


def test_two_spellings_are_one_repository_where_the_host_ignores_case() -> None:
    url = "https://github.com/Acme/Fleet"
    main = make_repository({"a": ["a"]}, name="main", url=url)
    prod = make_repository({"b": ["b"]}, name="prod", url=url.lower(), ref="refs/heads/prod")
    other = make_repository({"c": ["c"]}, name="other", url=f"{url}2")
    routing = make_routing(main, prod, other)

    def found(told: str, *, ignores_case: bool) -> list[str]:
        entries = routing.entries("github", [told], ignores_case=ignores_case)
        return [entry.name for entry in entries]

    assert found(url, ignores_case=True) == ["main", "prod"]
    assert found("git@github.com:ACME/FLEET.git", ignores_case=True) == ["main", "prod"]
    assert found(url, ignores_case=False) == ["main"]
    assert found("git@github.com:ACME/FLEET.git", ignores_case=False) == []


@pytest.mark.parametrize(
    ("tracked", "ref", "expected"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/tags/main", False),  # a tag with a branch's name
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/heads/main", "refs/heads/feature/main", False),
        ("refs/tags/v*", "refs/tags/v1.0", True),
        ("refs/tags/v*", "refs/tags/release", False),
        ("refs/tags/v*", "refs/heads/v1", False),
        ("refs/heads/main", "refs/heads/MAIN", False),
        ("refs/heads/main", "refs/heads/main\n", False),
    ],
)
def test_a_ref_is_tracked_by_its_whole_name(tracked: str, ref: str, expected: bool) -> None:
    assert make_repository(ref=tracked).tracks(ref) is expected


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("oci://ghcr.io/acme/app", "ghcr.io/acme/app"),
        ("ghcr.io/Acme/App/", "ghcr.io/acme/app"),
        ("GHCR.io:443/acme/app", "ghcr.io/acme/app"),
        ("harbor.acme.example:8443/acme/app", "harbor.acme.example:8443/acme/app"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("docker.io/acme/app", "docker.io/acme/app"),
        ("oci://index.docker.io/acme/app", "docker.io/acme/app"),
        ("registry-1.docker.io/acme/app", "docker.io/acme/app"),
        ("docker.io/app", "docker.io/library/app"),
        ("oci://registry-1.docker.io:443/library/app", "docker.io/library/app"),
        ("ghcr.io/app", "ghcr.io/app"),  # only Docker Hub has a library
        (
            "oci://111122223333.dkr-ecr-fips.us-east-1.on.aws/acme/app",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/acme/app",
        ),
    ],
)
def test_an_artifact_is_known_by_all_its_names(written: str, name: str) -> None:
    assert normalize_artifact(written) == name
    routing = make_artifact_routing(make_artifact("app", written))
    assert [each.layer.name for each in routing.followers("ghcr", name)] == ["app"]


@pytest.mark.parametrize(
    "other",
    [
        "ghcr.io/acme/app2",
        "ghcr.io/acme/app/x",
        "ghcr.io:5000/acme/app",
        "evil.example/ghcr.io/acme/app",
        "ghcr.io.evil.example/acme/app",
        "acme/app",
        "",
    ],
)
def test_other_artifacts_are_not_taken_for_it(other: str) -> None:
    routing = make_artifact_routing(make_artifact("app", "ghcr.io/acme/app"))
    assert not routing.followers("ghcr", normalize_artifact(other))
    assert not routing.followers("quay", "ghcr.io/acme/app")
