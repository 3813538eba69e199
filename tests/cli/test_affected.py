"""flux-router affected, as a CI job uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.core.errors import ConfigInvalid, SettingsInvalid
from tests.cli.fleet import Fleet, run
from tests.remote.git.local import ZERO


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("names", "app1\napp2\n"),
        ("json", '["app1", "app2"]\n'),
        ("matrix", '{"include":[{"layer":"app1"},{"layer":"app2"}]}\n'),
    ],
)
def test_layers_are_listed_in_the_order_of_the_file(fleet: Fleet, output: str, told: str) -> None:
    result = fleet.affected("--base", "HEAD~2", "--head", "HEAD", "-o", output)
    assert (result.exit_code, result.stdout) == (0, told)
    assert "fleet: 2 of 3 layers affected by 3 changed paths, 1 of no layer" in result.stderr


@pytest.mark.parametrize(
    ("output", "told"), [("names", ""), ("json", "[]\n"), ("matrix", '{"include":[]}\n')]
)
def test_nothing_is_listed_where_nothing_is_affected(fleet: Fleet, output: str, told: str) -> None:
    fleet.repo.commit({"docs/b": "1", "infra/README.md": "1"})
    result = fleet.affected("--base", "HEAD~1", "-o", output)
    assert (result.exit_code, result.stdout) == (0, told)
    assert "0 of 3 layers" in result.stderr


@pytest.mark.parametrize("zeros", [ZERO, "0" * 64])
def test_a_new_branch_lists_every_layer_and_says_why(fleet: Fleet, zeros: str) -> None:
    result = fleet.affected("--base", zeros, "-o", "json")
    assert json.loads(result.stdout) == ["infra", "app1", "app2"]
    assert "nothing can be compared" in result.stderr


def test_a_deleted_branch_is_an_error(fleet: Fleet) -> None:
    result = fleet.affected("--base", "HEAD", "--head", ZERO)
    assert isinstance(result.exception, SettingsInvalid)
    assert result.stdout == ""


def test_a_base_that_a_shallow_checkout_lacks_is_an_error_with_the_way_out(
    fleet: Fleet, tmp_path: Path
) -> None:
    base = fleet.repo.git("rev-parse", "HEAD~1")
    shallow = tmp_path / "shallow"
    fleet.repo.git("clone", "-q", "--depth=1", fleet.repo.path.as_uri(), str(shallow))
    words = ("affected", "--config", str(fleet.config), "--repo", str(shallow), "--base", base)
    result = run(*words, "-o", "matrix")
    assert isinstance(result.exception, SettingsInvalid)
    assert "fetch-depth: 0" in str(result.exception)
    assert result.stdout == ""
    assert result.exit_code == 1
    git = ["-C", str(shallow), "fetch", "-q", "--depth=1", "origin", base]
    fleet.repo.git(*git)
    assert run(*words).stdout == "app1\n"


def test_a_base_without_a_name_is_an_error(fleet: Fleet) -> None:
    assert isinstance(fleet.affected("--base", "").exception, SettingsInvalid)
    assert run("affected", "--config", str(fleet.config)).exit_code == 2


def test_entries_are_listed_one_after_the_other_and_one_can_be_picked(fleet: Fleet) -> None:
    fleet.add_entry("tags", "https://github.com/acme/fleet", "refs/tags/v*")
    assert fleet.affected("--base", "HEAD~1").stdout == "app1\ntags-all\n"
    assert fleet.affected("--base", "HEAD~1", "--repository", "tags").stdout == "tags-all\n"
    assert fleet.affected("--base", "HEAD~1", "--repository", "nope").exit_code == 2


def test_a_file_that_is_not_sound_lists_nothing(fleet: Fleet) -> None:
    fleet.change("infra/,", "../infra,")
    result = fleet.affected("--base", "HEAD~1")
    assert isinstance(result.exception, ConfigInvalid)
    assert result.stdout == ""
