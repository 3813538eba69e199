"""Single pushes to a real repository, and the layers whose content they change: these, exactly.

Each row makes two tips: the one planned last, and the one that the push leads to. A file list, a
first-parent log or a merge base would get some of the rows wrong; comparing the two trees does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from router.core.routing import GitAccess
from tests.builders import MAIN, make_repository
from tests.e2e.git_history import Files, History, without
from tests.e2e.git_world import GitWorld, git_world
from tests.remote.git.repository import make_repository as make_host_repository

pytestmark = pytest.mark.e2e

LAYERS = {
    "a": ["a/"],
    "b": ["b/"],
    "c": ["c/"],
    "d": ["d/"],
    "foo": ["apps/foo"],
    "foobar": ["apps/foobar/**"],
    "upper": ["A/"],
    "any-yaml": [r"e/\[x\]/*.yaml"],
}
START: Files = {
    "README.md": "0",
    **{f"{layer}/{name}": "0" for layer in ("a", "b", "c", "d") for name in ("x", "y")},
    "a/link": "link:x",
    "d/link": "link:../c/x",
    "a/module": f"module:{1:040x}",
    "apps/foo/x": "0",
    "apps/foobar/x": "0",
}
Tips: TypeAlias = tuple[str, str]
"""The tip planned last, and the next one."""


def edit(history: History, base: str, *paths: str, files: Files | None = None) -> str:
    """A commit on *base* that changes these paths, and sets those *files*."""
    old = history.trees[base]
    changed = {path: f"{old.get(path, '')}+" for path in paths}
    return history.commit(old | changed | (files or {}), base)


def keep(history: History, base: str, *gone: str, **files: str) -> str:
    """A commit on *base* without the *gone* files."""
    return history.commit(without(history.trees[base], gone) | files, base)


def two_commits(history: History, base: str) -> Tips:
    return base, edit(history, edit(history, base, "a/x"), "b/x")


def edit_and_revert(history: History, base: str) -> Tips:
    edited = edit(history, base, "a/x")
    reverted = history.commit(history.trees[base], edited)
    return base, edit(history, reverted, "b/x")


def drop_one_and_add_one(history: History, base: str) -> Tips:
    return edit(history, base, "a/x"), edit(history, base, "b/x")


def roll_back(history: History, base: str) -> Tips:
    return edit(history, base, "a/x"), base


def rename(history: History, base: str) -> Tips:
    files = without(history.trees[base], {"a/x"}) | {"b/from-a": history.trees[base]["a/x"]}
    return base, history.commit(files, base)


def merge_a_branch_that_had_merged_main(history: History, base: str) -> Tips:
    main = edit(history, base, "a/x")
    branch = edit(history, base, "b/x")
    both = history.trees[main] | {"b/x": history.trees[branch]["b/x"]}
    return main, history.commit(both, main, history.commit(both, branch, main))


def evil_merge(history: History, base: str) -> Tips:
    branch = edit(history, base, "b/x")
    return base, history.commit(history.trees[branch] | {"c/x": "evil"}, base, branch)


def older_commit_then_readme(history: History, base: str) -> Tips:
    return base, edit(history, edit(history, base, "a/x"), "README.md")


TWELVE = {
    "two commits, a then b": (two_commits, "a b"),
    "edit a, revert a, edit b": (edit_and_revert, "b"),
    "force push that drops a commit on a and adds one on b": (drop_one_and_add_one, "a b"),
    "force push back": (roll_back, "a"),
    "rename from a to b": (rename, "a b"),
    "delete only in a": (lambda h, base: (base, keep(h, base, "a/x")), "a"),
    "merge of a branch that had merged main": (merge_a_branch_that_had_merged_main, "b"),
    "empty commit": (lambda h, base: (base, h.commit(h.trees[base], base)), ""),
    "force push of a reworded message": (lambda h, base: (base, h.reword(base, "new")), ""),
    "merge that edits c by itself": (evil_merge, "b c"),
    "chmod only in a": (lambda h, base: (base, edit(h, base, files={"a/x": "exec:0"})), "a"),
    "a in an older commit, README in the newest": (older_commit_then_readme, "a"),
}


def replace_folder(history: History, base: str) -> Tips:
    moved = {path.replace("a/", "A/", 1): content for path, content in START.items()}
    return base, history.commit(moved, base)


def rename_by_case(history: History, base: str) -> Tips:
    return base, history.commit(without(START, {"a/x"}) | {"A/x": START["a/x"]}, base)


def ours(history: History, base: str) -> Tips:
    tip, other = edit(history, base, "a/x"), edit(history, base, "b/x")
    return tip, history.commit(history.trees[tip], tip, other)


def theirs(history: History, base: str) -> Tips:
    """The foxtrot: what main had is second parent, and what it changed is dropped."""
    tip, other = edit(history, base, "a/x"), edit(history, base, "b/x")
    return tip, history.commit(history.trees[other], other, tip)


def octopus(history: History, base: str) -> Tips:
    sides = [edit(history, base, f"{layer}/x") for layer in ("a", "b", "c")]
    files = {f"{layer}/x": "0+" for layer in ("a", "b", "c")}
    return base, history.commit(START | files, *sides)


def merge_back(history: History, base: str) -> Tips:
    """The branch had the change already; the merge brings only history."""
    tip = edit(history, base, "a/x")
    other = edit(history, base, "a/x", files={"README.md": "other"})
    return tip, history.commit(history.trees[tip], tip, other)


def rebase(history: History, base: str) -> Tips:
    """The same change on a newer base."""
    newer = edit(history, base, "b/x")
    return edit(history, base, "a/x"), edit(history, newer, "a/x")


def deep_reset(history: History, base: str) -> Tips:
    """Far back: a shallow clone has never seen the commit that the branch returns to."""
    old = tip = edit(history, base, "d/x")
    for _ in range(5):
        tip = edit(history, tip, "a/x", "b/y")
    return tip, old


def file_becomes_folder(history: History, base: str) -> Tips:
    return base, history.commit(without(START, {"a/x"}) | {"a/x/deep": "0"}, base)


def unchanged_but_moved_away(history: History, base: str) -> Tips:
    """Whole folder of a layer goes."""
    return base, history.commit(without(START, [path for path in START if path[:2] == "a/"]), base)


def setting(files: Files) -> Callable[[History, str], Tips]:
    return lambda history, base: (base, edit(history, base, files=files))


CASES = {
    # The numbers are those of the cases that every such service should pass, by kind.
    "6 amend": (lambda h, base: (edit(h, base, "a/x"), edit(h, base, "a/x", "c/x")), "c"),
    "6 rebase onto a newer base": (rebase, "b"),
    "6 reset over several commits": (deep_reset, "a b"),
    "10 the last file of a layer goes": (
        lambda h, base: (base, keep(h, base, "apps/foo/x")),
        "foo",
    ),
    "11 a folder becomes another layer's": (replace_folder, "a upper"),
    "12 a layer's whole folder goes": (unchanged_but_moved_away, "a"),
    "13 a file that no layer owns": (setting({"tools/x": "1", "ax": "1"}), ""),
    "14 a merge back of what is there already": (merge_back, ""),
    "15 a merge that keeps ours": (ours, ""),
    "15 a merge that takes theirs": (theirs, "a b"),
    "15 a merge of three": (octopus, "a b c"),
    "27 a folder whose name only begins alike": (setting({"apps/foobar/x": "1"}), "foobar"),
    "27 a file at a pattern's own place": (setting({"apps/foobar2": "1"}), ""),
    "27 a dotfile": (setting({"a/.hidden/.x": "1"}), "a"),
    "27 upper and lower case": (setting({"A/x": "1"}), "upper"),
    "27 a rename by case only": (rename_by_case, "a upper"),
    "27 quotes, tabs, line ends and accents": (setting({'b/é "q"\t\n\\.yaml': "1"}), "b"),
    "27 a name that is not UTF-8": (setting({"c/\udcff\udcfe": "1"}), "c"),
    "27 a folder that is not UTF-8": (setting({"c/\udce9/x": "1"}), "c"),
    "27 commas, blanks and brackets": (setting({"e/[x]/, {a}*.yaml": "1"}), "any-yaml"),
    "27 a name like an option": (setting({"b/--help": "1", "-b": "1"}), "b"),
    "27 a file with a carriage return": (setting({"d/\r": "1"}), "d"),
    "27 a mode, among changes elsewhere": (setting({"a/y": "exec:0", "README.md": "1"}), "a"),
    "27 a submodule that is bumped": (setting({"a/module": f"module:{2:040x}"}), "a"),
    "27 a submodule that goes": (lambda h, base: (base, keep(h, base, "a/module")), "a"),
    "27 a file that becomes a submodule": (setting({"d/x": f"module:{1:040x}"}), "d"),
    "27 a link that leads elsewhere": (setting({"a/link": "link:y"}), "a"),
    "27 a link's target, which is another layer's": (setting({"b/link": "link:../c/x"}), "b"),
    "27 a file that another layer's link leads to": (lambda h, b: (b, edit(h, b, "c/x")), "c"),
    "27 a file that becomes a link of the same bytes": (setting({"c/x": "link:0"}), "c"),
    "27 a file that becomes a folder": (file_becomes_folder, "a"),
    "a root without parents, and the same files": (lambda h, b: (edit(h, b), h.commit(START)), ""),
    "history rewritten to an unrelated root": (
        lambda h, base: (edit(h, base, "b/x"), h.commit(START | {"d/x": "1"})),
        "b d",
    ),
    "a tree without any file": (lambda h, base: (base, h.commit({}, base)), "a b c d foo foobar"),
}


async def planned(world: GitWorld) -> str:
    """The layers that were wanted, and proof that two trees were compared."""
    stories = await world.stories()
    assert stories[-1].plans[-1].plan.knowledge == "exact"
    return " ".join(sorted(await world.wanted()))


async def push_twice(tmp_path: Path, make: Callable[[History, str], Tips]) -> str:
    """The layers of the push from the first to the second of the tips that *make* makes."""
    history = History(make_host_repository(tmp_path / "fleet.git"))
    before, after = make(history, history.commit(START))
    history.push(MAIN, before)
    entry = make_repository(LAYERS, git=GitAccess(url=str(history.repository.path)))
    async with git_world(tmp_path, history, entry) as world:
        await world.sweep()
        assert await world.wanted() == set(LAYERS)
        saved = await world.push(history.push(MAIN, after))
        assert (await world.story(saved)).delivery.status == "routed"
        return await planned(world)


@pytest.mark.parametrize("name", TWELVE)
async def test_a_push_reaches_the_layers_whose_content_differs(name: str, tmp_path: Path) -> None:
    make, layers = TWELVE[name]
    assert await push_twice(tmp_path, make) == layers


@pytest.mark.parametrize("name", CASES)
async def test_a_hard_case_reaches_the_layers_whose_content_differs(
    name: str, tmp_path: Path
) -> None:
    make, layers = CASES[name]
    assert await push_twice(tmp_path, make) == layers
