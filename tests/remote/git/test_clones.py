"""The contract over real repositories, and what is only true of real ones."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.core.errors import GitUnavailable
from router.core.routing import GitAccess
from tests.builders import make_repository as make_repository_entry
from tests.builders import make_routing
from tests.remote.git.contract import MAIN, GitContract
from tests.remote.git.repository import Repository, make_repository
from tests.remote.git.setup import Served, clones_in, served_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.core.routing import Repository as Entry
    from router.remote.git.clones import GitClones


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path) as served:
        yield served


class TestLocalRepository(GitContract):
    @pytest.fixture
    def host(self, tmp_path: Path) -> Repository:
        return make_repository(tmp_path / "100% a folder" / "fleet.git")

    @pytest.fixture
    def access(self, host: Repository) -> GitAccess:
        return GitAccess(url=str(host.path))

    @pytest.fixture
    async def git(self, tmp_path: Path) -> AsyncIterator[GitClones]:
        async with clones_in(tmp_path / "clones") as git:
            yield git


class TestHostOverHttps(GitContract):
    @pytest.fixture
    def host(self, served: Served) -> Repository:
        return served.repository

    @pytest.fixture
    def access(self, served: Served) -> GitAccess:
        return served.access

    @pytest.fixture
    def git(self, served: Served) -> GitClones:
        return served.git


@pytest.mark.parametrize("first", ["fetch_tips", "fetch_commit"])
async def test_a_sha256_repository_is_read_and_so_is_what_replaces_it(
    first: str, tmp_path: Path
) -> None:
    async with served_in(tmp_path) as served:
        git, access, path = served.git, served.access, served.repository.path
        for object_format in ("sha256", "sha1", "sha256"):
            shutil.rmtree(path)
            repository = make_repository(path, object_format=object_format)
            before, after = (repository.move(MAIN, {"a": text}) for text in "12")
            if first == "fetch_commit":
                assert await git.fetch_commit(access, before)
            assert await git.list_tips(access, [MAIN]) == {MAIN: after}
            assert await git.fetch_tips(access, [MAIN]) == {MAIN: after}
            assert await git.fetch_commit(access, before)
            await git.keep(access, "fleet", before)
            assert await git.changed_paths(access, before, after) == ("a",)


async def test_a_folder_that_is_relative_is_one_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "fleet.git")
    tip = repository.move(MAIN, {"a": "1"})
    monkeypatch.chdir(tmp_path)
    async with clones_in(Path("clones")) as git:
        access = GitAccess(url=str(repository.path))
        assert await git.fetch_tips(access, [MAIN]) == {MAIN: tip}
    assert len(list((tmp_path / "clones").iterdir())) == 1


async def test_a_host_without_filters_gives_the_same_answers(tmp_path: Path) -> None:
    async with served_in(tmp_path) as served:
        shutil.rmtree(served.repository.path)
        repository = make_repository(served.repository.path, has_filter=False)
        before, after = (repository.move(MAIN, {"a": text, "b": "1"}) for text in "12")
        assert await served.git.fetch_commit(served.access, before)
        assert await served.git.fetch_tips(served.access, [MAIN]) == {MAIN: after}
        assert await served.git.changed_paths(served.access, before, after) == ("a",)


async def test_a_push_costs_what_it_changes_and_no_contents(served: Served) -> None:
    files = {f"{n % 40}/{n}": f"{n}" * 2000 for n in range(400)}
    first = served.repository.move(MAIN, files)
    await served.git.fetch_tips(served.access, [MAIN])
    for_all = served.host.sent_bytes
    second = served.repository.move(MAIN, files | {"3/3": "changed"})
    asked = len(served.host.requests)
    await served.git.fetch_tips(served.access, [MAIN])
    assert served.host.sent_bytes - for_all < for_all / 5
    asked_once = len(served.host.requests) - asked
    assert await served.git.changed_paths(served.access, first, second) == ("3/3",)
    await served.git.keep(served.access, "fleet", second)
    assert not await served.git.has_commit(served.access, "1" * 40)
    assert len(served.host.requests) == asked + asked_once
    assert object_kinds(served.clone) == {"commit", "tree"}


def object_kinds(clone: Path) -> set[str]:
    listing = ("--batch-all-objects", "--batch-check=%(objecttype)")
    return set(Repository(clone).git("cat-file", *listing).split())


async def test_a_clone_stays_small_and_keeps_what_was_planned(tmp_path: Path) -> None:
    async with served_in(tmp_path, max_packs=3) as served:
        git, access, repository = served.git, served.access, served.repository
        planned = repository.move(MAIN, {"a": "0", "b": "0"})
        await git.fetch_tips(access, [MAIN])
        await git.keep(access, "fleet", planned)
        repository.remove(MAIN)
        for number in range(12):
            tip = repository.move(MAIN, {"a": f"{number}", "c/d": "1"})
            repository.collect_garbage()
            assert await git.fetch_tips(access, [MAIN]) == {MAIN: tip}
            differing = ("a", "b", "c/d") if number else ("b", "c/d")
            assert await git.changed_paths(access, planned, tip) == differing
            assert len(list(served.clone.glob("objects/pack/*.pack"))) <= 4
        assert len((served.clone / "shallow").read_text().split()) <= 6
        assert object_kinds(served.clone) == {"commit", "tree"}
        assert [path.name for path in served.folder.iterdir()] == [served.clone.name]


async def test_a_clone_that_cannot_be_made_small_is_used_as_it_is(tmp_path: Path) -> None:
    async with served_in(tmp_path, max_packs=1) as served:
        before = served.repository.move(MAIN, {"a": "1"})
        await served.git.fetch_tips(served.access, [MAIN])
        await served.git.keep(served.access, "fleet", before)
        (served.clone / "config").write_text("[core]\nbare = true\n[uploadpack]\nhideRefs = refs\n")
        after = served.repository.move(MAIN, {"a": "2"})
        assert await served.git.fetch_tips(served.access, [MAIN]) == {MAIN: after}
        assert await served.git.changed_paths(served.access, before, after) == ("a",)


async def test_a_tag_of_something_else_than_a_commit_is_left_out(served: Served) -> None:
    tip = served.repository.move(MAIN, {"a": "1"})
    served.repository.tag("files", f"{tip}^{{tree}}")
    served.repository.tag("file", f"{tip}:a")
    served.repository.tag("again", served.repository.tag("first", tip))  # a tag of a tag
    refs = [f"refs/tags/{name}" for name in ("files", "file", "again")]
    assert await served.git.fetch_tips(served.access, refs) == {"refs/tags/again": tip}


@pytest.mark.parametrize("commit", ["HEAD", "--all", "1" * 39, "1" * 40 + "\n", "", "A" * 40])
async def test_only_full_ids_of_commits_are_given_to_git(commit: str, served: Served) -> None:
    git, access = served.git, served.access
    for work in (
        git.fetch_commit(access, commit),
        git.has_commit(access, commit),
        git.changed_paths(access, "1" * 40, commit),
        git.keep(access, "fleet", commit),
    ):
        with pytest.raises(GitUnavailable, match="full id"):
            await work


async def test_many_at_once_on_one_clone_get_their_answers(served: Served) -> None:
    tips = {f"refs/heads/{n}": served.repository.commit({"a": f"{n}"}) for n in range(6)}
    for ref, tip in tips.items():
        served.repository.point(ref, tip)

    async def read(ref: str) -> tuple[str, ...]:
        await served.git.fetch_tips(served.access, [ref])
        assert await served.git.fetch_commit(served.access, tips["refs/heads/0"])
        await served.git.keep(served.access, f"entry-{ref[-1]}", tips[ref])
        return await served.git.changed_paths(served.access, tips["refs/heads/0"], tips[ref])

    found = await asyncio.gather(*(read(ref) for ref in tips))
    assert found == [(), *[("a",)] * 5]


async def test_clones_that_no_entry_names_are_removed_and_nothing_else(served: Served) -> None:
    served.repository.move(MAIN, {"a": "1"})
    local = GitAccess(url=str(served.repository.path))
    both = make_routing(entry("one", served.access), entry("two", local))
    await served.git.use(both)  # before there is a folder
    for access in (served.access, local):
        await served.git.fetch_tips(access, [MAIN])
    foreign = served.folder / "flux-router.db"
    foreign.write_text("not ours")
    half = served.folder / f"{served.folder_of(local).name}.new"
    half.mkdir()
    await served.git.use(both)
    assert len(list(served.folder.iterdir())) == 4
    await served.git.use(make_routing(entry("one", served.access)))
    assert sorted(served.folder.iterdir()) == sorted([foreign, served.folder_of(served.access)])
    assert served.git.clone_bytes(served.access) > 0
    assert served.git.clone_bytes(local) == 0
    await served.git.use(make_routing(make_repository_entry()))
    assert list(served.folder.iterdir()) == [foreign]
    assert list(await served.git.fetch_tips(local, [MAIN])) == [MAIN]


async def test_a_clone_in_use_is_removed_when_its_use_ends(served: Served) -> None:
    served.repository.move(MAIN, {"a": "1"})
    served.host.mishap = "hang"
    work = asyncio.ensure_future(served.git.fetch_tips(served.access, [MAIN]))
    await served.host.hanging.wait()
    await served.git.use(make_routing(make_repository_entry()))
    work.cancel()
    await asyncio.wait([work])
    assert list(served.folder.iterdir()) == []


def entry(name: str, access: GitAccess) -> Entry:
    return make_repository_entry({name: ["a"]}, name=name, git=access)
