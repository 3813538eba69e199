"""When a provider's file lists prove what changed, and when they do not: one row for each rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.providers.table import PROVIDERS
from router.core.push import Push, RefUpdate
from tests.providers.signing import sample_json

Change = dict[str, Any]
ZERO = "0" * 40


def update_of(provider: str, change: Change) -> RefUpdate:
    """The update of the provider's `push` sample with fields of the payload replaced."""
    headers, payload = sample_json(provider, "push")
    push = PROVIDERS[provider].parse_push(headers, json.dumps(payload | change).encode())
    assert isinstance(push, Push)
    (update,) = push.updates
    return update


def commits(count: int = 1, files: int = 1, **lists: Any) -> list[Change]:
    names = [f"apps/{number}" for number in range(files)]
    return [{"added": [], "modified": names, "removed": []} | lists for _ in range(count)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, None),
        ({"commits": commits(2047)}, None),
        ({"commits": commits(2048)}, "cut the list of commits at 2048"),
        ({"commits": commits(2049)}, "cut the list of commits at 2048"),
        ({"commits": commits(2, 2999)}, None),
        ({"commits": commits(1, 3000)}, "cut the files of a commit at 3000"),
        ({"commits": commits(1, 2998, added=["a"], removed=["b"])}, "cut the files of a commit"),
        ({"commits": commits(1, 0)}, None),  # an empty commit changes nothing, and says so
        ({"commits": []}, "listed no commits"),
        ({"commits": None}, "listed no commits"),
        ({"commits": [*commits(), {"id": "a"}]}, "left out the files of a commit"),
        ({"commits": commits(removed=None)}, "left out the files of a commit"),
        ({"created": True}, "contradicts itself"),
        ({"deleted": True}, "contradicts itself"),
        ({"before": ZERO}, "contradicts itself"),
        ({"before": ZERO, "created": True}, None),  # the zeros say enough
        # GitHub says all three; who leaves one out only imitates it.
        ({"created": None}, "does not say whether the ref was created"),
        ({"deleted": None}, "does not say whether the ref was created"),
        ({"forced": None}, "does not say whether the ref was created"),
        ({"commits": commits(modified=["a\ufffd.yaml"])}, "is not UTF-8"),
        ({"commits": commits(modified=["a", ""])}, "is not UTF-8"),
    ],
)
def test_github_lists_are_complete_unless_something_says_otherwise(
    change: Change, sentence: str | None
) -> None:
    check_incomplete(update_of("github", change).incomplete, sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, None),
        ({"commits": commits(20), "total_commits_count": 20}, None),
        ({"commits": commits(20), "total_commits_count": 21}, "listed 20 of 21 commits"),
        ({"commits": commits(2), "total_commits_count": 1}, "listed 2 of 1 commits"),
        ({"total_commits_count": None}, "does not say how many"),
        ({"commits": [], "total_commits_count": 0}, "listed no commits"),
        ({"commits": None, "total_commits_count": 0}, "listed no commits"),
        ({"commits": [{"id": "a"}], "total_commits_count": 1}, "left out the files"),
        # Any added file may be the new name of one that was renamed.
        ({"commits": commits(added=["a"]), "total_commits_count": 1}, "old name of a file"),
        (
            {"commits": [*commits(), *commits(added=["a"])], "total_commits_count": 2},
            "old name of a file",
        ),
        ({"commits": commits(modified=["\ufffd"]), "total_commits_count": 1}, "is not UTF-8"),
    ],
)
def test_gitlab_lists_are_complete_only_under_its_rules(
    change: Change, sentence: str | None
) -> None:
    check_incomplete(update_of("gitlab", change).incomplete, sentence)


@pytest.mark.parametrize("provider", ["gitea", "forgejo"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, None),
        ({"commits": commits(9), "total_commits": 9}, None),
        ({"commits": commits(5), "total_commits": 6}, "5 of 6 commits were listed"),
        ({"total_commits": None}, "does not say how many"),
        ({"commits": [], "total_commits": 0}, "no commits were listed"),
        ({"commits": None, "total_commits": 0}, "no commits were listed"),
        ({"commits": commits(added=None), "total_commits": 1}, "files of a commit were left out"),
    ],
)
def test_gitea_lists_are_complete_only_if_all_commits_are_there(
    provider: str, change: Change, sentence: str | None
) -> None:
    check_incomplete(update_of(provider, change).incomplete, sentence)


def check_incomplete(incomplete: str | None, sentence: str | None) -> None:
    if sentence is None:
        assert incomplete is None
    else:
        assert incomplete is not None
        assert sentence in incomplete
        assert "git mode would compare the two trees" in incomplete


@pytest.mark.parametrize(
    ("provider", "forced", "expected"),
    [
        ("github", True, True),
        ("github", False, False),
        ("github", None, None),
        ("gitlab", True, None),  # it has no such field
        ("gitea", True, None),
        ("forgejo", False, None),
        ("generic", True, True),
        ("generic", False, False),
        ("generic", None, None),
    ],
)
def test_forced_is_what_the_provider_says_or_unknown(
    provider: str, forced: bool | None, expected: bool | None
) -> None:
    assert update_of(provider, {"forced": forced}).forced is expected


def test_a_path_that_several_commits_touch_is_named_once_where_it_came_first() -> None:
    listed = [*commits(added=["b"], modified=["a"], removed=["c"]), *commits(modified=["c", "d"])]
    assert update_of("github", {"commits": listed}).paths == ("b", "a", "c", "d")


def test_generic_paths_are_the_whole_truth_only_if_they_are_sent() -> None:
    assert update_of("generic", {"paths": []}).incomplete is None
    assert "no paths" in (update_of("generic", {"paths": None}).incomplete or "")
