"""What a push that moved a ref would tell its provider, read from real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from router.core.errors import SettingsInvalid
from router.remote.git.checkout import resolve_commit
from router.remote.git.pushes import MAX_CREATED_COMMITS
from tests.remote.git.local import MAIN, URL, ZERO, Repo, make_repo

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_repo(tmp_path / "repo")


def test_each_commit_tells_its_files_oldest_first(repo: Repo) -> None:
    before = repo.commit({"a": "1\n", "b": "1\n", "old name": "x\n" * 20})
    first = repo.commit({"a": "2\n", "c": "new\n"}, "first\n\nwith a body")
    second = repo.commit({"b": None}, "second")
    repo.git("mv", "old name", "new name")
    third = repo.commit(message="third")
    push = repo.push(before, third)
    assert (push.repository_url, push.ref, push.before, push.after) == (URL, MAIN, before, third)
    assert push.forced is False
    assert [commit.id for commit in push.commits] == [first, second, third]
    changed = [(c.added, c.modified, c.removed, c.renamed) for c in push.commits]
    assert changed == [
        (("c",), ("a",), (), ()),
        ((), (), ("b",), ()),
        ((), (), (), (("old name", "new name"),)),
    ]
    told = push.commits[0]
    assert (told.message, told.author_name, told.author_email) == (
        "first\n\nwith a body",
        "Ada",
        "ada@example.org",
    )


def test_a_commit_tells_when_it_was_made(repo: Repo) -> None:
    before = repo.commit()
    moment = "2026-01-02T03:04:05+05:30"
    repo.git("commit", "-q", "--allow-empty", "-m", "later", GIT_COMMITTER_DATE=moment)
    push = repo.push(before, resolve_commit(repo.path, "HEAD"))
    assert push.commits[0].timestamp == moment


def test_a_merge_is_compared_with_its_first_parent_and_brings_its_branch(repo: Repo) -> None:
    base = repo.commit({"a": "1\n"})
    repo.git("checkout", "-q", "-b", "topic")
    on_topic = repo.commit({"topic": "t\n"})
    repo.git("checkout", "-q", "main")
    on_main = repo.commit({"a": "2\n"})
    repo.git("merge", "-q", "--no-ff", "--no-commit", "topic")
    merge = repo.commit({"only in the merge": "m\n"})
    push = repo.push(on_main, merge)
    assert [commit.id for commit in push.commits] == [on_topic, merge]
    assert push.commits[1].added == ("only in the merge", "topic")
    assert [commit.id for commit in repo.push(base, merge).commits][-1] == merge


def test_an_empty_commit_is_told_without_files(repo: Repo) -> None:
    before, after = repo.commit({"a": "1\n"}), repo.commit()
    (told,) = repo.push(before, after).commits
    assert (told.id, told.added, told.modified, told.removed) == (after, (), (), ())


def test_a_push_that_drops_commits_is_forced(repo: Repo) -> None:
    base = repo.commit({"a": "1\n"})
    dropped = repo.commit({"b": "1\n"})
    repo.git("reset", "-q", "--hard", base)
    kept = repo.commit({"c": "1\n"})
    push = repo.push(dropped, kept)
    assert push.forced is True
    assert [commit.id for commit in push.commits] == [kept]
    back = repo.push(dropped, base)
    assert (back.forced, back.commits) == (True, ())


def test_a_new_branch_tells_what_no_other_branch_has(repo: Repo) -> None:
    repo.commit({"a": "1\n"})
    repo.git("checkout", "-q", "-b", "topic")  # HEAD is the new branch, and must not count
    tip = repo.commit({"b": "1\n"})
    repo.git("update-ref", "refs/remotes/origin/topic", tip)  # nor its own copy after a push
    push = repo.push(ZERO, tip, "refs/heads/topic")
    assert [commit.id for commit in push.commits] == [tip]
    assert push.forced is False


def test_the_first_push_of_all_tells_the_root_commit(repo: Repo) -> None:
    root = repo.commit({"a": "1\n"})
    (told,) = repo.push(ZERO, root).commits
    assert (told.id, told.added) == (root, ("a",))


def test_a_new_branch_tells_no_more_commits_than_the_limit(repo: Repo) -> None:
    limit = MAX_CREATED_COMMITS
    commits = "".join(
        f"commit refs/heads/main\nmark :{number}\ncommitter A <a@b> {number} +0000\n"
        f"data 1\nx\n" + (f"from :{number - 1}\n" if number > 1 else "")
        for number in range(1, limit + 3)
    )
    subprocess.run(
        ["git", "-C", repo.path, "fast-import", "--quiet"], input=commits.encode(), check=True
    )
    tip = resolve_commit(repo.path, "main")
    push = repo.push(ZERO, tip)
    assert (len(push.commits), push.commits[-1].id) == (limit, tip)


def test_a_deleted_branch_holds_no_commits(repo: Repo) -> None:
    push = repo.push(repo.commit({"a": "1\n"}), ZERO)
    assert (push.forced, push.commits, push.after) == (False, (), ZERO)


def test_file_names_come_as_they_are(repo: Repo) -> None:
    before = repo.commit()
    names = ["späce and ünicode", 'quo"te', "tab\there", "line\nbreak", "-dash", "M", "*", "a" * 40]
    names.append(os.fsdecode(b"latin-\xe9"))
    after = repo.commit(dict.fromkeys(names, "x\n"))
    (told,) = repo.push(before, after).commits
    assert sorted(told.added) == sorted(names)


def test_a_change_of_mode_or_kind_is_a_modification(repo: Repo) -> None:
    before = repo.commit({"script": "x\n", "becomes a link": "y\n"})
    (repo.path / "script").chmod(0o755)
    (repo.path / "becomes a link").unlink()
    (repo.path / "becomes a link").symlink_to("script")
    (told,) = repo.push(before, repo.commit()).commits
    assert told.modified == ("becomes a link", "script")


def test_a_moved_submodule_is_told_whatever_its_configuration_says(repo: Repo) -> None:
    repo.write({".gitmodules": '[submodule "s"]\npath = s\nurl = ./s\nignore = all\n'})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
    repo.git("add", ".gitmodules")
    repo.git("commit", "-q", "-m", "add")
    before = resolve_commit(repo.path, "HEAD")
    repo.git("update-index", "--cacheinfo", f"160000,{'2' * 40},s")
    repo.git("commit", "-q", "-m", "move")
    (told,) = repo.push(before, resolve_commit(repo.path, "HEAD")).commits
    assert told.modified == ("s",)


def test_a_sha256_repository_is_read_too(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "--object-format=sha256")
    before, after = repo.commit({"a": "1\n"}), repo.commit({"b": "1\n"})
    assert len(after) == 64
    assert [commit.added for commit in repo.push(before, after).commits] == [("b",)]
    assert [commit.id for commit in repo.push("0" * 64, after).commits] == [before, after]


def test_an_annotated_tag_tells_the_commits_behind_it(repo: Repo) -> None:
    repo.commit({"a": "1\n"})
    repo.git("checkout", "-q", "--detach")
    tagged = repo.commit({"b": "1\n"})
    repo.git("tag", "-a", "-m", "release", "v1")
    push = repo.push(ZERO, repo.git("rev-parse", "v1"), "refs/tags/v1")
    assert [commit.id for commit in push.commits] == [tagged]


def test_a_bare_repository_is_read_from_within_a_hook(tmp_path: Path, repo: Repo) -> None:
    bare = make_repo(tmp_path / "bare.git", "--bare")
    hook = bare.path / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from router.remote.git.pushes import read_push\n"
        "before, after, ref = sys.stdin.read().split()\n"
        "push = read_push(Path(), before=before, after=after, ref=ref, repository_url='u')\n"
        "Path('told').write_text(repr([commit.added for commit in push.commits]))\n"
    )
    hook.chmod(0o755)
    repo.commit({"a": "1\n"})
    repo.git("push", "-q", str(bare.path), "main")
    repo.commit({"b": "1\n"})
    repo.git("push", "-q", str(bare.path), "main")
    assert (bare.path / "told").read_text() == "[('b',)]"


def test_variables_that_point_git_elsewhere_do_not_count(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = repo.commit({"a": "1\n"}), repo.commit({"b": "1\n"})
    other = make_repo(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'log.showRoot=false'")
    assert [commit.id for commit in repo.push(before, after).commits] == [after]


def test_the_repositorys_configuration_changes_nothing_and_runs_nothing(
    repo: Repo, tmp_path: Path
) -> None:
    before, after = repo.commit({"a": "x\n" * 9}), repo.commit({"a": "y\n" * 9})
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    settings = {
        "log.showSignature": "true",
        "gpg.program": str(program),
        "diff.external": str(program),
        "core.pager": str(program),
        "core.fsmonitor": str(program),
        "diff.noprefix": "true",
        "diff.renames": "false",
        "log.date": "relative",
        "core.quotePath": "true",
        "color.ui": "always",
    }
    for name, value in settings.items():
        repo.git("config", name, value)
    assert [commit.modified for commit in repo.push(before, after).commits] == [("a",)]
    assert not ran.exists()


@pytest.mark.parametrize(
    ("before", "after", "ref", "word"),
    [
        ("HEAD", "1" * 40, MAIN, "not a full commit id"),
        ("1" * 40, "--output=stolen", MAIN, "not a full commit id"),
        ("1" * 40, "1" * 39 + "\n", MAIN, "not a full commit id"),
        ("1" * 40, "2" * 40, "main", "not a full ref name"),
        ("1" * 40, "2" * 40, "--all", "not a full ref name"),
        ("1" * 40, "2" * 40, MAIN, "1111111"),  # git's own words: it has no such commit
        (ZERO, "2" * 40, MAIN, "2222222"),
    ],
)
def test_what_cannot_be_read_is_the_operators_to_mend(
    before: str, after: str, ref: str, word: str, repo: Repo
) -> None:
    repo.commit()
    with pytest.raises(SettingsInvalid, match=word):
        repo.push(before, after, ref)
