"""The contract of Git: every implementation passes all of it.

A test class inherits GitContract and has the fixtures `git`, `host` and `access`: an empty
repository on a host, and how to read it.
"""

from __future__ import annotations

import os
from itertools import permutations
from typing import TYPE_CHECKING, Protocol

import pytest

from router.core.errors import GitUnavailable
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.push import Commit
    from router.core.routing import GitAccess
    from router.ports.git import Git

MAIN = "refs/heads/main"
SIDE = "refs/heads/side"

LONG = "a line that makes it the same file to whoever looks for renames\n" * 9


class Host(Protocol):
    """What a test does on the host's side; see tests.remote.git.repository for the files."""

    def commit(self, files: Mapping[str, str], *, parents: Sequence[Commit] = ()) -> Commit: ...

    def move(self, ref: str, files: Mapping[str, str]) -> Commit: ...

    def point(self, ref: str, commit: Commit) -> None: ...

    def tag(self, name: str, target: str) -> str: ...

    def remove(self, ref: str) -> None: ...

    def collect_garbage(self) -> None: ...


CHANGES: Mapping[str, tuple[Mapping[str, str], Mapping[str, str], Sequence[str]]] = {
    "nothing": ({"a": "1"}, {"a": "1"}, []),
    "a new file": ({"a": "1"}, {"a": "1", "b/c/d": "1"}, ["b/c/d"]),
    "a changed file": ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, ["a"]),
    "a deleted file": ({"a": "1", "b/c": "1"}, {"a": "1"}, ["b/c"]),
    "a rename": ({"a/f": LONG, "x": "1"}, {"b/f": LONG, "x": "1"}, ["a/f", "b/f"]),
    "another case": ({"apps/App": LONG}, {"apps/app": LONG}, ["apps/App", "apps/app"]),
    "another mode": ({"a": "echo"}, {"a": "exec:echo"}, ["a"]),
    "a link to elsewhere": ({"l": "link:a"}, {"l": "link:b"}, ["l"]),
    "a file that became a link": ({"l": "a"}, {"l": "link:a"}, ["l"]),
    "a file that became a folder": ({"a": "1"}, {"a/b": "1"}, ["a", "a/b"]),
    "a submodule": ({"s": "module:" + "1" * 40}, {"s": "module:" + "2" * 40}, ["s"]),
    "a submodule that wants to be overlooked": (
        {"s": "module:" + "1" * 40, ".gitmodules": '[submodule "s"]\npath=s\nignore=all\n'},
        {"s": "module:" + "2" * 40, ".gitmodules": '[submodule "s"]\npath=s\nignore=all\n'},
        ["s"],
    ),
    "names of all kinds": (
        {},
        dict.fromkeys(["new\nline", "tab\t", 'quo"te', "-x", "ü", " ", os.fsdecode(b"\xe9")], "1"),
        sorted(["new\nline", "tab\t", 'quo"te', "-x", "ü", " ", os.fsdecode(b"\xe9")]),
    ),
    "another root": ({"a": "1"}, {"b": "1"}, ["a", "b"]),
}
"""Files before, files after, and what differs; the commits are unrelated to each other."""


class GitContract:
    async def test_the_tips_of_refs_and_wildcards_are_listed(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        main = host.move(MAIN, {"a": "1"})
        side = host.move(SIDE, {"a": "2"})
        host.point("refs/tags/main", side)  # of one name with the branch
        host.tag("v1", main)
        host.point("refs/heads/team/main", side)
        host.point("refs/changes/1", side)
        asked = {
            (MAIN,): {MAIN: main},
            ("refs/tags/main",): {"refs/tags/main": side},
            ("refs/tags/v*",): {"refs/tags/v1": main},
            ("refs/heads/*e*", "refs/tags/v?"): {
                SIDE: side,
                "refs/heads/team/main": side,
                "refs/tags/v1": main,
            },
            ("refs/changes/1", MAIN): {MAIN: main, "refs/changes/1": side},
            ("refs/heads/none",): {},
        }
        for refs, tips in asked.items():
            assert await git.list_tips(access, refs) == tips

    async def test_fetched_tips_are_in_the_clone_and_moved_ones_are_fetched_anew(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        first, side = host.move(MAIN, {"a": "1"}), host.move(SIDE, {"b": "1"})
        assert not await git.has_commit(access, first)
        assert await git.fetch_tips(access, [MAIN, SIDE, MAIN]) == {MAIN: first, SIDE: side}
        second = host.move(MAIN, {"a": "2"})
        assert not await git.has_commit(access, second)
        assert await git.fetch_tips(access, [MAIN]) == {MAIN: second}
        for commit in (first, second, side):
            assert await git.has_commit(access, commit)
        assert git.clone_bytes(access) > 0

    async def test_an_annotated_tag_stands_for_its_commit(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        commit = host.move(MAIN, {"a": "1"})
        tag = host.tag("v1", commit)
        assert await git.list_tips(access, ["refs/tags/v1"]) == {"refs/tags/v1": commit}
        assert not await git.has_commit(access, tag)
        assert await git.fetch_tips(access, ["refs/tags/v1"]) == {"refs/tags/v1": commit}
        assert await git.has_commit(access, tag)
        assert await git.has_commit(access, commit)

    async def test_a_ref_that_the_host_lacks_is_left_out_also_when_it_once_was_there(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        main = host.move(MAIN, {"a": "1"})
        assert await git.fetch_tips(access, ["refs/heads/none"]) == {}
        assert await git.fetch_tips(access, []) == {}
        side = host.move(SIDE, {"a": "2"})
        asked = [MAIN, "refs/heads/none", SIDE]
        assert await git.fetch_tips(access, asked) == {MAIN: main, SIDE: side}
        host.remove(SIDE)
        assert await git.fetch_tips(access, [SIDE, MAIN]) == {MAIN: main}
        below = f"{SIDE}/below"  # cannot be beside a ref of the former's name
        host.point(below, side)
        assert await git.fetch_tips(access, [below, MAIN]) == {MAIN: main, below: side}

    async def test_a_commit_that_no_ref_leads_to_is_fetched_while_the_host_has_it(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        first = host.commit({"a": "1"})
        host.point(MAIN, first)
        lost = host.commit({"a": "2"}, parents=[first])
        gone = host.commit({"a": "3"}, parents=[first])
        host.point(MAIN, lost)
        host.point(MAIN, first)
        assert await git.fetch_commit(access, lost)
        host.collect_garbage()
        assert not await git.fetch_commit(access, gone)
        assert not await git.has_commit(access, gone)
        assert await git.fetch_commit(access, lost)  # the clone has it
        assert await git.has_commit(access, lost)
        assert not await git.fetch_commit(access, "0" * len(first))

    async def test_the_changed_paths_of_two_commits_are_those_that_differ(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        asked = []
        for number, (before, after, paths) in enumerate(CHANGES.values()):
            ends = (host.commit(before), host.commit(after))
            for end, commit in zip(("before", "after"), ends, strict=True):
                host.point(f"refs/heads/{end}{number}", commit)
            asked.append((ends, tuple(paths)))
        refs = [f"refs/heads/{end}{n}" for n in range(len(asked)) for end in ("before", "after")]
        tips = await git.fetch_tips(access, refs)
        assert sorted(tips) == sorted(refs)
        for (old, new), differing in asked:
            assert await git.changed_paths(access, old, new) == differing
        assert await git.changed_paths(access, tips[refs[0]], tips[refs[0]]) == ()

    async def test_changed_entries_lead_from_one_tree_to_the_other(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        odd = os.fsdecode(b"\xe9")
        first = {"a": "1", "b/x": "1", "c": "1", "l": "link:a", odd: "1", "same": "1"}
        second = {"a": "2", "b": "1", "c": "link:a", "l": "module:" + "1" * 40, "same": "1"}
        commits = [host.move(MAIN, first), host.move(SIDE, second)]
        await git.fetch_tips(access, [MAIN, SIDE])
        trees = [await git.read_tree(access, commit) for commit in commits]
        for (before, old), (after, new) in permutations(zip(commits, trees, strict=True)):
            changes = await git.changed_entries(access, before, after)
            assert changes.keys() == set(await git.changed_paths(access, before, after))
            assert old.changed(changes).files == new.files
        with pytest.raises(GitUnavailable):
            await git.changed_entries(access, commits[0], "1" * 40)

    async def test_a_tree_tells_every_file_and_what_kind_it_is(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        odd = os.fsdecode(b"\xe9")
        files = {"a/x": "1", "b": "exec:2", "l": "link:a/x", "s": "module:" + "1" * 40, odd: "3"}
        tip = host.move(MAIN, files)
        await git.fetch_tips(access, [MAIN])
        tree = await git.read_tree(access, tip)
        kinds = {path: entry.kind for path, entry in tree.files.items()}
        expected = {"a/x": "file", "b": "file", "l": "link", "s": "submodule", odd: "file"}
        assert kinds == expected
        assert tree.files["s"].blob == "1" * 40
        with pytest.raises(GitUnavailable):
            await git.read_tree(access, "1" * 40)

    async def test_contents_are_brought_at_once_and_told_by_blob(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        large = "x" * (MAX_DOCUMENT_BYTES + 1)
        files = {"a": "one\ntwo\0", "b": "", "l": "link:a", "large": large}
        tip = host.move(MAIN, files)
        await git.fetch_tips(access, [MAIN])
        blobs = {path: e.blob for path, e in (await git.read_tree(access, tip)).files.items()}
        nowhere = "1" * len(tip)
        wanted = {*blobs.values(), nowhere}
        for asked in ({blobs["a"]}, wanted - {nowhere}, wanted):
            contents = await git.read_blobs(access, asked)
            assert contents.keys() == asked
        named = {path: contents[blob] for path, blob in blobs.items()}
        assert named == {"a": b"one\ntwo\0", "b": b"", "l": b"a", "large": None}
        assert contents[nowhere] is None
        assert await git.read_blobs(access, []) == {}

    async def test_only_the_net_change_counts_whatever_lies_between(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        base = host.commit({"a": "1", "b": "1"})
        one = host.commit({"a": "2", "b": "1"}, parents=[base])
        other = host.commit({"a": "1", "b": "2"}, parents=[base])
        ours = host.commit({"a": "2", "b": "1"}, parents=[one, other])
        reverted = host.commit({"a": "1", "b": "1"}, parents=[ours])
        for commit in (base, one, ours, reverted):
            host.point(MAIN, commit)
            assert await git.fetch_tips(access, [MAIN]) == {MAIN: commit}
        expected = {
            (one, ours): (),
            (base, ours): ("a",),
            (base, reverted): (),
            (reverted, one): ("a",),
        }
        for (before, after), paths in expected.items():
            assert await git.changed_paths(access, before, after) == paths

    async def test_a_kept_commit_is_compared_with_what_a_force_push_brings(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        dropped = host.commit({"a": "1", "b": "1"})
        host.point(MAIN, dropped)
        await git.fetch_tips(access, [MAIN])
        await git.keep(access, "fleet", dropped)
        await git.keep(access, "fleet", dropped)
        tip = host.commit({"a": "1"})
        host.point(MAIN, tip)
        host.collect_garbage()
        assert await git.fetch_tips(access, [MAIN]) == {MAIN: tip}
        assert await git.fetch_commit(access, dropped)
        assert await git.changed_paths(access, dropped, tip) == ("b",)

    async def test_a_commit_that_is_nowhere_cannot_be_compared_or_kept(
        self, git: Git, host: Host, access: GitAccess
    ) -> None:
        tip = host.move(MAIN, {"a": "1"})
        await git.fetch_tips(access, [MAIN])
        nowhere = "1" * 40
        for before, after in ((nowhere, tip), (tip, nowhere)):
            with pytest.raises(GitUnavailable):
                await git.changed_paths(access, before, after)
        with pytest.raises(GitUnavailable):
            await git.keep(access, "fleet", nowhere)
        assert await git.has_commit(access, tip)
