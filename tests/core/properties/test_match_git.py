"""Comparison with git itself: `git check-ignore` reads the same patterns from .gitignore files.

Each pattern list gets a folder with a .gitignore of its own, so that one git process answers for
all of them. The dialects differ on purpose, and the comparison stays where they agree:

- a pattern without a slash matches at any depth in git: here each one gets a leading slash;
- `a/` and `a/**` do not match `a` itself in git: here no pattern ends so;
- git does not look below a folder that a list excludes, and a `!` there covers the folder alone:
  lists are compared only on paths of which no folder above is matched by any of their patterns;
- git reads bytes, where `?` is one of them: names here are ASCII.
"""

from __future__ import annotations

import os
import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.changes import ExactPaths
from router.core.match import LayerIndex, match_layers
from tests.core.properties import pattern_reference as reference
from tests.core.properties import pattern_strategies as some
from tests.thoroughness import examples

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("a", "b", "ab", "ba", "aab", "c", "-", ".a", "*", "a*", "[", "]b", "a-c", "ab-a")
SEGMENTS = ("a", "b", "*", "**", "**")

seeds = st.integers(0, 2**32)
"""Drawing each of ten thousand questions through hypothesis would take minutes."""

batches = settings(
    max_examples=examples(3),
    deadline=None,
    # One checkout serves all examples: each writes every .gitignore it asks about anew.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True, env=quiet_git())
    return tmp_path


def quiet_git() -> dict[str, str]:
    """An environment in which no configuration of this machine's user reaches git."""
    nowhere = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}
    return {"PATH": os.environ["PATH"], **nowhere}


AGREED_SEGMENTS = [segment for segment in some.ordinary_segments if "**" not in segment]
"""Git takes `**` beside other characters for `*`, too, but not always: a literal start of the
pattern is compared and cut off first, so that `a**/b` is then matched as `**/b`."""


def make_pattern(chance: Random) -> str:
    pools = (SEGMENTS, AGREED_SEGMENTS)
    segments = [chance.choice(chance.choice(pools)) for _ in range(chance.randint(0, 3))]
    return "/" + "/".join([*segments, chance.choice(AGREED_SEGMENTS)])


def make_list(chance: Random) -> list[str]:
    marks = ("", "", "!")
    return [chance.choice(marks) + make_pattern(chance) for _ in range(chance.randint(2, 5))]


def make_paths(chance: Random) -> list[str]:
    made = {"/".join(chance.choices(NAMES, k=chance.randint(1, 4))) for _ in range(40)}
    return sorted(made)


def ask_git(checkout: Path, lists: list[list[str]], paths: list[str]) -> list[list[bool]]:
    """Whether git would ignore each path, for each list."""
    for number, patterns in enumerate(lists):
        folder = checkout / f"list-{number}"
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("".join(f"{pattern}\n" for pattern in patterns))
    asked = [f"list-{number}/{path}" for number in range(len(lists)) for path in paths]
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin", "-v", "-n"],
        cwd=checkout,
        env=quiet_git(),
        input="".join(f"{path}\0" for path in asked).encode(),
        stdout=subprocess.PIPE,
        check=False,  # 1 says that no path is ignored
    )
    assert answer.returncode in (0, 1)
    fields = answer.stdout.decode().split("\0")[:-1]
    assert fields[3::4] == asked
    ignored = [pattern != "" and not pattern.startswith("!") for pattern in fields[2::4]]
    return [ignored[start : start + len(paths)] for start in range(0, len(ignored), len(paths))]


def ask_index(patterns: list[str], paths: list[str]) -> list[bool]:
    index = LayerIndex([("layer", patterns)])
    results = (match_layers(index, ExactPaths((path,))) for path in paths)
    return [any(match.is_affected for match in result.matches) for result in results]


@batches
@given(seeds)
def test_each_pattern_matches_what_it_matches_for_git(checkout: Path, seed: int) -> None:
    chance = Random(seed)
    lists = [[make_pattern(chance)] for _ in range(150)]
    paths = make_paths(chance)
    for patterns, ignored in zip(lists, ask_git(checkout, lists, paths), strict=True):
        assert dict(zip(paths, ask_index(patterns, paths), strict=True)) == dict(
            zip(paths, ignored, strict=True)
        ), patterns


@batches
@given(seeds)
def test_the_last_matching_pattern_wins_as_for_git(checkout: Path, seed: int) -> None:
    chance = Random(seed)
    lists = [make_list(chance) for _ in range(100)]
    paths = make_paths(chance)
    compared = 0
    for patterns, ignored in zip(lists, ask_git(checkout, lists, paths), strict=True):
        included = ask_index(patterns, paths)
        for path, ours, theirs in zip(paths, included, ignored, strict=True):
            if not matches_a_folder_above(patterns, path):
                assert ours is theirs, (patterns, path)
                compared += 1
    assert compared > 100


def matches_a_folder_above(patterns: list[str], path: str) -> bool:
    folder = path.rpartition("/")[0]
    return bool(folder) and any(reference.covers(pattern, folder) for pattern in patterns)
