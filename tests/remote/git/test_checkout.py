"""Reading local repositories: names of commits, differences of trees, files, remotes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from router.core.errors import SettingsInvalid
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES
from router.remote.git.checkout import (
    read_blobs,
    read_changed_paths,
    read_remote_urls,
    read_tree,
    resolve_commit,
)
from tests.remote.git.local import MAIN, ZERO, Repo, make_repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_repo(tmp_path / "repo")


def test_a_folder_that_is_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="no Git repository is there"):
        resolve_commit(tmp_path, "HEAD")
    with pytest.raises(SettingsInvalid, match="no Git repository is there"):
        read_remote_urls(tmp_path)
    with pytest.raises(SettingsInvalid, match="nowhere"):
        resolve_commit(tmp_path / "nowhere", "HEAD")


def test_a_repository_that_is_empty_or_damaged_is_told_as_such(repo: Repo) -> None:
    with pytest.raises(SettingsInvalid, match="the repository has no commit yet"):
        resolve_commit(repo.path, "HEAD")
    (repo.path / ".git" / "config").write_text("[")
    with pytest.raises(SettingsInvalid, match="bad config line"):
        resolve_commit(repo.path, "HEAD")


def test_a_missing_git_command_is_an_error(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo.path))
    with pytest.raises(SettingsInvalid, match="git command is not installed"):
        resolve_commit(repo.path, "HEAD")


def test_a_git_that_hangs_is_killed_with_its_children(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    hanging = tmp_path / "bin" / "git"
    hanging.parent.mkdir()
    hanging.write_text(f"#!/bin/sh\n/bin/sleep 600 > '{pipe}' &\n/bin/sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(hanging.parent))
    with pytest.raises(SettingsInvalid, match=r"git took longer than 0\.2 s"):
        resolve_commit(repo.path, "HEAD", deadline_seconds=0.2)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # ends only when the child is gone
    os.close(reader)


def test_any_name_of_a_commit_is_resolved(repo: Repo) -> None:
    first, second = repo.commit(message="one"), repo.commit(message="two")
    repo.git("tag", "-a", "-m", "release", "v1", first)
    repo.git("branch", "--", "topic", first)
    for name, commit in {
        "HEAD": second,
        "main": second,
        "HEAD~1": first,
        "v1": first,
        "topic": first,
        first[:10]: first,
        MAIN: second,
        ZERO: ZERO,
    }.items():
        assert resolve_commit(repo.path, name) == commit


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "",
        "^HEAD",
        "HEAD..HEAD",
        "--all",
        "--git-dir",
        "HEAD:a",
        "nu\0l",
        "-x\ny",
        "@{9}",
    ],
)
def test_a_name_that_is_not_one_commit_is_refused(name: str, repo: Repo) -> None:
    repo.commit({"a": "1\n"})
    with pytest.raises(SettingsInvalid):
        resolve_commit(repo.path, name)


def changed(repo: Repo, before: str, after: str) -> tuple[str, ...]:
    return read_changed_paths(repo.path, before, after)


def test_both_sides_of_a_rename_have_changed(repo: Repo) -> None:
    before = repo.commit({"apps/a/x": "x\n" * 20, "same": "s"})
    (repo.path / "apps/b").mkdir()
    repo.git("mv", "apps/a/x", "apps/b/x")
    assert changed(repo, before, repo.commit()) == ("apps/a/x", "apps/b/x")


def test_what_was_changed_and_changed_back_has_not_changed(repo: Repo) -> None:
    before = repo.commit({"a": "1", "b": "1"})
    repo.commit({"a": "2"})
    after = repo.commit({"a": "1", "b": "2"})
    assert changed(repo, before, after) == ("b",)
    assert changed(repo, before, before) == ()


def test_two_branches_are_compared_with_each_other_and_not_with_their_base(repo: Repo) -> None:
    repo.commit({"base": "1"})
    repo.git("checkout", "-q", "-b", "topic")
    topic = repo.commit({"topic": "1"})
    repo.git("checkout", "-q", "main")
    assert changed(repo, repo.commit({"main": "1"}), topic) == ("main", "topic")


def test_modes_links_and_submodules_count(repo: Repo) -> None:
    before = repo.commit({"script": "x", "link": "y", ".gitmodules": ""})
    (repo.path / "script").chmod(0o755)
    (repo.path / "link").unlink()
    (repo.path / "link").symlink_to("script")
    config = '[submodule "s"]\npath = s\nurl = ./s\nignore = all\n'
    repo.write({".gitmodules": config})
    repo.git("add", "--all")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
    repo.git("commit", "-q", "-m", "change")
    after = resolve_commit(repo.path, "HEAD")
    assert changed(repo, before, after) == (".gitmodules", "link", "s", "script")
    assert tuple(read_tree(repo.path, after).files) == (".gitmodules", "link", "s", "script")


def test_names_come_as_they_are_whatever_their_bytes(repo: Repo) -> None:
    names = ["a\tb", "line\nbreak", 'quo"te', "späce ünicode", os.fsdecode(b"latin-\xe9"), "-x"]
    after = repo.commit(dict.fromkeys(names, "x"))
    assert changed(repo, ZERO, after) == tuple(sorted(names))
    assert tuple(read_tree(repo.path, after).files) == tuple(sorted(names))


def test_zeros_are_no_files_at_all(repo: Repo) -> None:
    tip = repo.commit({"a": "1", "b/c": "1"})
    assert changed(repo, ZERO, tip) == ("a", "b/c")
    assert changed(repo, tip, ZERO) == ("a", "b/c")
    assert changed(repo, ZERO, ZERO) == ()


def test_sha256_repositories_have_an_empty_tree_of_their_own(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "--object-format=sha256")
    before, after = repo.commit({"a": "1"}), repo.commit({"b": "1"})
    assert changed(repo, before, after) == ("b",)
    assert changed(repo, "0" * 64, after) == ("a", "b")
    assert changed(repo, ZERO, after) == ("a", "b")
    assert tuple(read_tree(repo.path, after).files) == ("a", "b")


def test_a_subfolder_a_worktree_and_a_bare_clone_tell_the_same(repo: Repo, tmp_path: Path) -> None:
    before = repo.commit({"apps/a/x": "1", "top": "1"})
    after = repo.commit({"apps/a/x": "2", "top": "2"})
    repo.git("config", "diff.relative", "true")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), before)
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    for place in (repo.path / "apps/a", tmp_path / "tree", tmp_path / "bare.git"):
        assert read_changed_paths(place, before, after) == ("apps/a/x", "top")
        assert tuple(read_tree(place, after).files) == ("apps/a/x", "top")


def test_the_repositorys_configuration_changes_no_difference(repo: Repo, tmp_path: Path) -> None:
    before, after = repo.commit({"a": "1", "b": "1"}), repo.commit({"a": "2", "b": "2"})
    (tmp_path / "order").write_text("b\n")
    for name, value in {
        "diff.external": "false",
        "diff.renames": "copies",
        "diff.orderFile": str(tmp_path / "order"),
        "core.quotePath": "true",
        "color.ui": "always",
    }.items():
        repo.git("config", name, value)
    assert changed(repo, before, after) == ("a", "b")


@pytest.mark.parametrize(
    ("before", "after"), [("HEAD", ZERO), (ZERO, "--output=stolen"), (ZERO, "2" * 40)]
)
def test_what_cannot_be_compared_is_an_error(repo: Repo, before: str, after: str) -> None:
    repo.commit()
    with pytest.raises(SettingsInvalid):
        changed(repo, before, after)


def test_contents_are_read_by_their_blobs_and_what_is_not_there_is_none(repo: Repo) -> None:
    commit = repo.commit({"a": "1", "b": "x\n\n", "large": "x" * (MAX_DOCUMENT_BYTES + 1)})
    tree = read_tree(repo.path, commit)
    blobs = {path: entry.blob for path, entry in tree.files.items()}
    assert read_blobs(repo.path, [*blobs.values(), "3" * 40]) == {
        blobs["a"]: b"1",
        blobs["b"]: b"x\n\n",
        blobs["large"]: None,
        "3" * 40: None,
    }
    assert read_blobs(repo.path, []) == {}
    with pytest.raises(SettingsInvalid):
        read_blobs(repo.path, ["HEAD:a"])


@pytest.mark.parametrize("commit", ["HEAD", "--help", "3" * 40, ZERO])
def test_files_that_cannot_be_listed_are_an_error(repo: Repo, commit: str) -> None:
    repo.commit()
    with pytest.raises(SettingsInvalid):
        read_tree(repo.path, commit)


def test_a_commit_that_a_shallow_clone_lacks_is_to_be_fetched(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    repo.git("clone", "-q", "--depth=1", repo.path.as_uri(), str(tmp_path / "shallow"))
    for name in (first, "HEAD~1"):
        with pytest.raises(SettingsInvalid, match="fetch-depth: 0"):
            resolve_commit(tmp_path / "shallow", name)


def test_a_wrong_name_in_a_whole_repository_gets_no_hint_to_fetch(repo: Repo) -> None:
    repo.commit()
    with pytest.raises(SettingsInvalid) as caught:
        resolve_commit(repo.path, "mian")
    assert "fetch" not in str(caught.value)


def test_remotes_are_told_as_they_are_configured(repo: Repo) -> None:
    assert read_remote_urls(repo.path) == ()
    repo.git("remote", "add", "origin", "https://github.com/acme/fleet")
    repo.git("remote", "add", "fork.x", "git@github.com:me/fleet.git")
    repo.git("config", "url.https://elsewhere/.insteadOf", "https://github.com/")
    assert read_remote_urls(repo.path) == (
        "https://github.com/acme/fleet",
        "git@github.com:me/fleet.git",
    )


def test_what_is_no_repository_has_no_remotes_to_tell(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid):
        read_remote_urls(tmp_path)


def test_a_partial_clone_that_lacks_a_folder_is_not_asked_to_fetch_it(
    repo: Repo, tmp_path: Path
) -> None:
    before, after = repo.commit({"a/x": "1"}), repo.commit({"a/x": "2"})
    repo.git("config", "uploadpack.allowFilter", "true")
    options = ("--no-checkout", "--filter=tree:0")
    repo.git("clone", "-q", *options, repo.path.as_uri(), str(tmp_path / "partial"))
    repo.path.rename(tmp_path / "gone")
    with pytest.raises(SettingsInvalid, match=r"fatal|error"):
        read_changed_paths(tmp_path / "partial", before, after)
