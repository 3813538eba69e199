"""flux-router explain on a checkout."""

from __future__ import annotations

import os

import pytest

from router.core.errors import SettingsInvalid
from tests.cli.fleet import Fleet, as_json, run
from tests.remote.git.local import ZERO


def test_two_commits_are_compared_and_every_layer_says_why(fleet: Fleet) -> None:
    [entry] = as_json(fleet.explain("HEAD~1", "HEAD", "-o", "json"))
    layers = {layer["name"]: layer for layer in entry["layers"]}
    assert [name for name, layer in layers.items() if layer["affected"]] == ["app1"]
    assert (layers["app1"]["path"], layers["app1"]["pattern"]) == ("apps/app1/x", "apps/app1/")
    assert layers["infra"]["reason"] == "it owns none of the 2 changed paths"
    assert (entry["pathCount"], entry["unmappedCount"], entry["unmapped"]) == (2, 1, ["docs/a"])
    head = fleet.repo.git("rev-parse", "HEAD", "HEAD~1").split()
    assert [entry["after"], entry["before"]] == head


def test_the_table_is_followed_by_what_no_layer_owns(fleet: Fleet) -> None:
    told = fleet.explain("main~1", "main").stdout
    assert "fleet refs/heads/main" in told
    assert told.splitlines()[-1] == "2 changed paths, 1 of no layer: docs/a"


def test_many_paths_of_no_layer_are_counted_and_the_first_ones_named(fleet: Fleet) -> None:
    fleet.repo.commit({f"docs/new-{number:02}": "1" for number in range(15)})
    last = fleet.explain("HEAD~1", "HEAD").stdout.splitlines()[-1]
    assert last.startswith("15 changed paths, 15 of no layer: docs/new-00, docs/new-01, ")
    assert last.endswith("docs/new-09 and 5 more")


def test_the_order_of_the_commits_does_not_change_what_differs(fleet: Fleet) -> None:
    [forth] = as_json(fleet.explain("HEAD~2", "HEAD", "-o", "json"))
    [back] = as_json(fleet.explain("HEAD", "HEAD~2", "-o", "json"))
    assert forth["layers"] == back["layers"]


def test_zeros_stand_for_no_files(fleet: Fleet) -> None:
    [entry] = as_json(fleet.explain(ZERO, "HEAD~2", "-o", "json"))
    assert (entry["pathCount"], entry["unmapped"]) == (3, ["README.md"])


def test_a_name_that_is_no_text_is_shown_by_its_bytes(fleet: Fleet) -> None:
    name = os.fsdecode(b"apps/app1/caf\xe9\n\x1b[31m")
    fleet.repo.commit({name: "1", os.fsdecode(b"\xff"): "1"})
    table = fleet.explain("HEAD~1", "HEAD").stdout
    assert r"apps/app1/caf\xe9\n\x1b[31m" in table
    assert table.splitlines()[-1] == r"2 changed paths, 1 of no layer: \xff"
    [entry] = as_json(fleet.explain("HEAD~1", "HEAD", "-o", "json"))
    assert entry["layers"][1]["path"] == name


def test_a_title_with_brackets_is_printed_as_it_is(fleet: Fleet) -> None:
    fleet.change("ref: main", 'ref: "refs/tags/v[a-z]*"')
    assert "fleet refs/tags/v[a-z]*" in fleet.explain("HEAD~1", "HEAD").stdout


def test_unmapped_all_calls_every_layer(fleet: Fleet) -> None:
    fleet.change("    ref: main\n", "    ref: main\n    unmapped: all\n")
    [entry] = as_json(fleet.explain("HEAD~1", "HEAD", "-o", "json"))
    assert all(layer["affected"] for layer in entry["layers"])


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("HEAD~1",),
        ("--path", "x", "HEAD~1", "HEAD"),
        ("--path", "x"),
    ],
)
def test_a_checkout_goes_with_two_commits_and_without_paths(
    fleet: Fleet, words: tuple[str, ...]
) -> None:
    assert fleet.explain(*words).exit_code == 2


@pytest.mark.parametrize("words", [(), ("HEAD~1", "HEAD"), ("--path", "x", "HEAD~1", "HEAD")])
def test_without_a_checkout_paths_are_needed_and_no_commits(
    fleet: Fleet, words: tuple[str, ...]
) -> None:
    assert run("explain", "--config", str(fleet.config), *words).exit_code == 2


def test_an_unknown_commit_is_an_error_and_not_no_change(fleet: Fleet) -> None:
    result = fleet.explain("1" * 40, "HEAD")
    assert isinstance(result.exception, SettingsInvalid)
    assert "git fetch origin" in str(result.exception)
    assert result.stdout == ""


def test_the_entries_are_those_of_the_checkout_s_remotes(fleet: Fleet) -> None:
    fleet.add_entry("other", "https://github.com/acme/other")
    fleet.add_entry("tags", "git@github.com:acme/fleet.git", "refs/tags/v*")
    refused = fleet.explain("HEAD~1", "HEAD")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--repository" in refused.stderr
    url = "https://x-access-token:canary@github.com/acme/fleet.git"
    fleet.repo.git("remote", "add", "origin", url)
    result = fleet.explain("HEAD~1", "HEAD", "-o", "json")
    assert [entry["repository"] for entry in as_json(result)] == ["fleet", "tags"]
    result = fleet.explain("HEAD~1", "HEAD", "-o", "json", "--repository", "other")
    assert [entry["repository"] for entry in as_json(result)] == ["other"]
    assert "canary" not in refused.output + result.output


def test_a_bare_repository_is_known_by_its_own_path(fleet: Fleet) -> None:
    fleet.add_entry("local", str(fleet.repo.path))
    result = fleet.explain("HEAD~1", "HEAD", "-o", "json")
    assert [entry["repository"] for entry in as_json(result)] == ["local"]


def test_where_git_reads_from_is_the_repository_too(fleet: Fleet) -> None:
    fleet.add_entry("other", "https://github.com/acme/other")
    fleet.change(
        "    ref: main\n    layers:\n", "    ref: main\n    git: {url: /mirror}\n    layers:\n"
    )
    fleet.repo.git("remote", "add", "mirror", "file:///mirror")
    result = fleet.explain("HEAD~1", "HEAD", "-o", "json")
    assert [entry["repository"] for entry in as_json(result)] == ["fleet"]
