"""Hosts and machines in trouble: each says why, and is well when the cause is gone."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.errors import GitUnavailable
from router.core.model import Secret
from router.core.routing import GitAccess
from router.demo.ports import reserve_ports
from router.remote.git.fetcher import TOO_LARGE_PAUSE_SECONDS, on_disk
from tests.fakes.clock import FakeClock
from tests.remote.git.contract import MAIN, SIDE
from tests.remote.git.host import TLS, serve_git
from tests.remote.git.repository import make_repository
from tests.remote.git.setup import Served, clones_in, served_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.remote.git.host import Mishap

NO_REPOSITORY = "no such repository"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path, stall_seconds=1) as served:
        served.repository.move(MAIN, {"a": "1"})
        yield served


async def assert_well(served: Served) -> None:
    """The next push is read, and compared with the one before."""
    (before,) = served.repository.tips(MAIN)
    after = served.repository.move(MAIN, {"a": f"not {before}"})
    git, access = served.git, served.access
    assert await git.fetch_tips(access, [MAIN]) == {MAIN: after}
    assert await git.fetch_commit(access, before)
    assert await git.changed_paths(access, before, after) == ("a",)
    await git.keep(access, "fleet", after)


@pytest.mark.parametrize(
    ("mishap", "word"),
    [
        (401, "token was refused"),
        (403, "403"),
        (404, NO_REPOSITORY),
        (429, "fewer requests"),
        (500, "error of its own"),
        ("redirect", "renamed or moved"),
        ("login page", "login page"),
        ("break", "broke"),
    ],
)
async def test_a_host_in_trouble_says_why_and_recovers(
    mishap: Mishap, word: str, served: Served
) -> None:
    served.host.mishap = mishap
    with pytest.raises(GitUnavailable, match=word):
        await served.git.fetch_tips(served.access, [MAIN])
    if mishap != "break":  # which concerns only packs
        with pytest.raises(GitUnavailable, match=word):
            await served.git.list_tips(served.access, [MAIN])
    served.host.mishap = None
    await assert_well(served)


async def test_a_host_that_hangs_later_leaves_the_clone_as_it_was(served: Served) -> None:
    await assert_well(served)
    (known,) = served.repository.tips(MAIN)
    served.repository.move(MAIN, {"a": "in between"})
    served.host.mishap = "hang"
    with pytest.raises(GitUnavailable, match="stopped sending"):
        await served.git.fetch_tips(served.access, [MAIN])
    assert await served.git.has_commit(served.access, known)
    served.host.mishap = None
    await assert_well(served)


async def test_credentials_that_are_wrong_or_missing_are_told_apart(served: Served) -> None:
    wrong = {
        "token was refused": replace(served.access, token=Secret(b"stolen")),
        "asks for a username": replace(served.access, token=None),
        "token holds a line break": replace(served.access, token=Secret(b"a\npassword=b")),
        "username holds a line break": replace(served.access, username="a\nhost=b"),
    }
    for word, access in wrong.items():
        with pytest.raises(GitUnavailable, match=word):
            await served.git.fetch_tips(access, [MAIN])
    await assert_well(served)


async def test_only_the_configured_certificates_are_trusted(served: Served) -> None:
    other = Secret((TLS / "other-ca.crt").read_bytes())
    for ca in (None, other):
        with pytest.raises(GitUnavailable, match="certificate is not trusted"):
            await served.git.list_tips(replace(served.access, ca=ca), [MAIN])
    assert served.host.requests == []
    await assert_well(served)


async def test_a_repository_that_is_not_there_is_read_once_it_is(served: Served) -> None:
    url = served.host.url("another.git")
    access = replace(served.access, url=url)
    with pytest.raises(GitUnavailable, match=NO_REPOSITORY):
        await served.git.fetch_tips(access, [MAIN])
    shutil.copytree(served.repository.path, served.repository.path.with_name("another.git"))
    assert list(await served.git.fetch_tips(access, [MAIN])) == [MAIN]
    local = GitAccess(url="/nowhere/at/all.git")
    with pytest.raises(GitUnavailable, match=NO_REPOSITORY):
        await served.git.fetch_tips(local, [MAIN])


async def test_a_host_that_is_down_is_read_once_it_is_up(served: Served, tmp_path: Path) -> None:
    with reserve_ports(1) as (port,):
        access = replace(served.access, url=f"https://127.0.0.1:{port}/fleet.git")
        with pytest.raises(GitUnavailable, match="refused"):
            await served.git.fetch_tips(access, [MAIN])
        async with serve_git(tmp_path / "host", port=port):
            assert list(await served.git.fetch_tips(access, [MAIN])) == [MAIN]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/fleet.git",
        "git://127.0.0.1/fleet.git",
        "ext::sh -c 'touch ran'",
        "-oProxyCommand=touch ran:fleet.git",
        "--upload-pack=touch ran",
        "ssh://-oProxyCommand=touch ran/fleet.git",
        "https://",
        "fleet.git",
        "https://127.0.0.1/fleet\n.git",
    ],
)
async def test_a_url_of_another_kind_is_never_given_to_git(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no git to be found
    async with clones_in(tmp_path / "clones") as git:
        for work in (git.list_tips, git.fetch_tips):
            with pytest.raises(GitUnavailable, match=r"URLs are allowed|control characters"):
                await work(GitAccess(url=url), [MAIN])


async def test_a_missing_git_command_is_said_to_be_missing(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(GitUnavailable, match="git command is not installed"):
            await served.git.fetch_tips(served.access, [MAIN])
    await assert_well(served)


async def test_a_folder_that_cannot_be_used_is_used_once_it_can(served: Served) -> None:
    served.folder.write_text("in the way")
    with pytest.raises(GitUnavailable, match="folder of clones cannot be used"):
        await served.git.fetch_tips(served.access, [MAIN])
    assert not await served.git.has_commit(served.access, "1" * 40)
    served.folder.unlink()
    await assert_well(served)


async def test_a_clone_that_cannot_be_written_to_is_written_to_once_it_can(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_well(served)
    served.repository.move(MAIN, {"a": "in between"})
    packs = served.clone / "objects" / "pack"
    packs.chmod(0o500)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(write_humble_git(tmp_path)), prepend=":")
        with pytest.raises(GitUnavailable, match="cannot be written to"):
            await served.git.fetch_tips(served.access, [MAIN])
    packs.chmod(0o700)
    await assert_well(served)


def write_humble_git(tmp_path: Path) -> Path:
    """The folder of a git that keeps to permissions, also where root runs it."""
    program = tmp_path / "humble" / "git"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable} -I\n"
        "import ctypes, os, sys\n"
        "for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH\n"
        "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP\n"
        f"os.execv({shutil.which('git')!r}, ['git', *sys.argv[1:]])\n"
    )
    program.chmod(0o755)
    return program.parent


async def test_a_full_disk_is_said_to_be_full(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.repository.move(MAIN, {f"{n}/{n * n}/{n * n * n}": f"{n}" for n in range(400)})
    # A process that may not write large files gets the same kind of error as one on a full disk.
    folder = write_git(tmp_path, "trap '' XFSZ", "ulimit -f 16")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=":")
        with pytest.raises(GitUnavailable, match="disk is full"):
            await served.git.fetch_tips(served.access, [MAIN])
        assert list(served.folder.iterdir()) == []
    served.repository.move(MAIN, {"a": "in between"})
    await assert_well(served)


def write_git(tmp_path: Path, *lines: str) -> Path:
    """The folder of a git that runs *lines* of shell before it does what it should."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("\n".join(["#!/bin/sh", *lines, f'exec {shutil.which("git")} "$@"']))
    program.chmod(0o755)
    return program.parent


async def test_a_clone_is_not_given_up_for_one_that_could_not_be_finished(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_well(served)
    (planned,) = served.repository.tips(MAIN)
    tip = served.repository.commit({"a": "unrelated"})
    served.repository.point(MAIN, tip)
    served.repository.collect_garbage()
    shallow = served.clone / "shallow"
    content = shallow.read_text()
    shallow.write_text("nonsense")
    full = 'case "$*" in *refs/planned/*) echo "error: No space left on device" >&2; exit 1;; esac'
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(write_git(tmp_path, full)), prepend=":")
        with pytest.raises(GitUnavailable, match="disk is full"):
            await served.git.fetch_tips(served.access, [MAIN])
    shallow.write_text(content)
    assert await served.git.fetch_tips(served.access, [MAIN]) == {MAIN: tip}
    assert await served.git.changed_paths(served.access, planned, tip) == ("a",)


async def test_a_fetched_tip_that_cannot_be_read_makes_the_clone_anew(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_well(served)
    tips = served.repository.tips(MAIN)
    once = f'case "$*" in *batch-check*) mkdir {tmp_path}/once && echo "x missing" && exit;; esac'
    monkeypatch.setenv("PATH", str(write_git(tmp_path, once)), prepend=":")
    before = served.clone.stat().st_ino
    assert await served.git.fetch_tips(served.access, [MAIN]) == {MAIN: tips[0]}
    assert served.clone.stat().st_ino != before


async def test_work_on_the_disk_is_finished_also_when_nobody_waits_for_it() -> None:
    begun, may_end, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait()
        ended.set()

    task = asyncio.ensure_future(on_disk(work))
    await begun.wait()
    task.cancel()
    loop.call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_clone_that_would_be_too_large_is_not_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    async with served_in(tmp_path, limit_bytes=60_000, clock=clock) as served:
        await assert_large_is_refused(served)
        assert list(served.folder.iterdir()) == []
        asked = len(served.host.requests)
        await assert_large_is_refused(served)
        assert len(served.host.requests) == asked  # it does not come down again and again
        clock.advance(TOO_LARGE_PAUSE_SECONDS)
        served.repository.remove(MAIN)
        served.repository.move(MAIN, {"a": "1"})
        await assert_well(served)
        await assert_large_is_refused(served)
        assert served.git.clone_bytes(served.access) > 0
        clock.advance(TOO_LARGE_PAUSE_SECONDS)
        served.repository.remove(MAIN)
        served.repository.move(MAIN, {"a": "2"})
        await assert_well(served)


async def assert_large_is_refused(served: Served) -> None:
    served.repository.move(MAIN, {f"{n}/{n * n}/{n * n * n}": f"{n}" for n in range(1500)})
    with pytest.raises(GitUnavailable, match="would be larger than 60000 bytes"):
        await served.git.fetch_tips(served.access, [MAIN])


def _lose_head(clone: Path) -> None:
    (clone / "HEAD").unlink()


def _lose_packs(clone: Path) -> None:
    for pack in (clone / "objects" / "pack").iterdir():
        pack.unlink()


def _spoil_packs(clone: Path) -> None:
    for pack in (clone / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        content = pack.read_bytes()
        pack.write_bytes(content[:12] + bytes(len(content) - 32) + content[-20:])


def _empty_packs(clone: Path) -> None:
    for pack in (clone / "objects" / "pack").iterdir():
        pack.chmod(0o600)
        pack.write_bytes(b"")


def _spoil_refs(clone: Path) -> None:
    for ref in clone.glob("refs/*/*"):
        ref.write_text("nonsense\n")


def _point_refs_nowhere(clone: Path) -> None:
    for ref in clone.glob("refs/*/*"):
        ref.write_text("1" * 40 + "\n")


def _spoil_configuration(clone: Path) -> None:
    (clone / "config").write_text("[core\n")


def _lose_configuration(clone: Path) -> None:
    (clone / "config").write_text("[core]\nbare = true\n")


def _spoil_shallow(clone: Path) -> None:
    (clone / "shallow").write_text("nonsense\n")


def _lose_shallow(clone: Path) -> None:
    (clone / "shallow").unlink()


def _lose_everything(clone: Path) -> None:
    shutil.rmtree(clone)


def _lose_what_is_in_it(clone: Path) -> None:
    shutil.rmtree(clone)
    clone.mkdir()


def _put_a_file_in_its_place(clone: Path) -> None:
    shutil.rmtree(clone)
    clone.write_text("in the way")


DAMAGES: list[Callable[[Path], None]] = [
    _lose_head,
    _lose_packs,
    _spoil_packs,
    _empty_packs,
    _spoil_refs,
    _point_refs_nowhere,
    _spoil_configuration,
    _lose_configuration,
    _spoil_shallow,
    _lose_shallow,
    _lose_everything,
    _lose_what_is_in_it,
    _put_a_file_in_its_place,
]
SEVERE = [_lose_head, _lose_packs, _spoil_packs, _point_refs_nowhere]


@pytest.mark.parametrize(
    ("damage", "first"),
    [
        *((damage, "fetch") for damage in DAMAGES),
        *((damage, first) for first in ("compare", "keep") for damage in SEVERE),
    ],
)
async def test_a_damaged_clone_is_mended_by_whoever_meets_it(
    damage: Callable[[Path], None], first: str, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "fleet.git")
    access = GitAccess(url=str(repository.path))
    async with clones_in(tmp_path / "clones") as git:
        before, after = (repository.move(MAIN, {"a": text}) for text in "12")
        side = repository.move(SIDE, {"a": "3"})
        await git.fetch_tips(access, [MAIN])
        await git.fetch_commit(access, before)
        await git.keep(access, "fleet", before)
        (clone,) = (tmp_path / "clones").iterdir()
        damage(clone)
        if first == "fetch":
            assert await git.fetch_tips(access, [MAIN, SIDE]) == {MAIN: after, SIDE: side}
        elif first == "keep":
            await git.keep(access, "fleet", after)
        assert await git.changed_paths(access, before, after) == ("a",)
        assert await git.fetch_tips(access, [SIDE]) == {SIDE: side}
        await git.keep(access, "fleet", side)
        assert await git.changed_paths(access, after, side) == ("a",)


@pytest.mark.parametrize("is_swapping", [False, True])
async def test_what_a_killed_process_left_is_tidied_when_the_next_one_starts(
    is_swapping: bool, served: Served
) -> None:
    await assert_well(served)
    (kept,) = served.repository.tips(MAIN)
    clone = served.clone
    for name in ("shallow.lock", "packed-refs.lock", "objects/pack/tmp_pack_1", "config.lock"):
        (clone / name).write_text("left")
    for ref in clone.glob("refs/*/*"):
        ref.with_name(ref.name + ".lock").write_text("left")
    (clone.with_name(clone.name + ".new") / "objects").mkdir(parents=True)
    if is_swapping:
        clone.rename(clone.with_name(clone.name + ".old"))
    served.repository.move(MAIN, {"a": "in between"})
    served.repository.collect_garbage()
    async with clones_in(served.folder) as git:
        served.git = git
        await assert_well(served)
        assert await git.has_commit(served.access, kept)
    assert not list(served.folder.glob("**/*.lock"))
    assert not list(served.folder.glob("**/tmp_*"))
    assert list(served.folder.iterdir()) == [clone]


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(served: Served) -> None:
    await assert_well(served)
    served.repository.move(MAIN, {"a": "in between"})
    served.host.mishap = "hang"
    work = asyncio.ensure_future(served.git.fetch_tips(served.access, [MAIN]))
    await served.host.hanging.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    served.host.mishap = None
    await assert_well(served)
    assert not list(served.folder.glob("**/*.lock"))
    assert not list(served.folder.glob("**/tmp_*"))


async def test_whoever_reads_while_the_host_hangs_is_not_kept_waiting(served: Served) -> None:
    before = served.repository.tips(MAIN)[0]
    await assert_well(served)
    (after,) = served.repository.tips(MAIN)
    served.repository.move(MAIN, {"a": "in between"})
    served.host.mishap = "hang"
    work = asyncio.ensure_future(served.git.fetch_tips(served.access, [MAIN]))
    await served.host.hanging.wait()
    assert await served.git.changed_paths(served.access, before, after) == ("a",)
    assert await served.git.list_tips(served.access, [SIDE]) == {}
    assert not work.done()
    work.cancel()
    await asyncio.wait([work])


async def test_stopping_ends_what_runs_and_refuses_what_comes(served: Served) -> None:
    await assert_well(served)
    served.repository.move(MAIN, {"a": "in between"})
    served.host.mishap = "hang"
    work = asyncio.ensure_future(served.git.fetch_tips(served.access, [MAIN]))
    await served.host.hanging.wait()
    await served.git.close()
    for attempt in (work, served.git.list_tips(served.access, [MAIN])):
        with pytest.raises(GitUnavailable, match="stopping"):
            await attempt
    async with clones_in(served.folder) as git:
        served.git, served.host.mishap = git, None
        await assert_well(served)
