"""Reading a local repository with the git command: a checkout, a part of one, or a bare repository.

For the command line, and so blocking. Diff, paging and signing programs that the repository's
configuration names are not run.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from router.core.errors import SettingsInvalid
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES
from router.core.push import is_zero
from router.remote.git.contents import parse_contents, parse_sizes, parse_tree
from router.remote.git.environment import git_environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from router.core.kustomize.tree import Tree
    from router.core.push import Commit

DEADLINE_SECONDS = 60.0
"""How long all git commands of one reading may take together."""

FULL_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_EMPTY_TREES: Final = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without files, by the length of its repository's ids; git knows it without having it."""

_OBJECT_VARIABLES = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
"""A pre-receive hook sees the pushed objects only by these."""

_FETCH_HINT = (
    "; if the host has it, fetch it first: `git fetch origin COMMIT`, or check out the whole"
    " history (actions/checkout: fetch-depth: 0)"
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The git command on one repository; all its runs share one deadline."""

    repo: Path
    deadline_seconds: float
    ends_at: float
    """On time.monotonic's clock."""

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git prints. Raises SettingsInvalid with what it complains of."""
        status, output, complaint = self.try_run(*arguments, stdin=stdin)
        if status:
            raise SettingsInvalid(f"{self.repo}: {complaint}")
        return output

    def try_run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        """Exit status, output, and the first line of standard error."""
        with self._start(arguments) as process:
            try:
                remaining = max(self.ends_at - time.monotonic(), 0.0)
                output, errors = process.communicate(stdin, timeout=remaining)
            except subprocess.TimeoutExpired:
                raise SettingsInvalid(
                    f"{self.repo}: git took longer than {self.deadline_seconds:g} s"
                ) from None
            finally:
                _end(process)
        return process.returncode, output, _first_line(errors)

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        # The operator names the repository, so that another owner (a CI checkout) is no danger.
        # Nothing is fetched; git before 2.45 knows no GIT_NO_LAZY_FETCH.
        settings = ("safe.directory=*", "core.fsmonitor=false", "protocol.allow=never")
        command = ["git", *(word for setting in settings for word in ("-c", setting))]
        try:
            return subprocess.Popen(  # noqa: S603 - no shell; revisions are checked by the callers
                [*command, "-C", os.fspath(self.repo), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=git_environment(os.environ, also=_OBJECT_VARIABLES),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise SettingsInvalid("the git command is not installed") from None
        except ValueError as error:
            raise SettingsInvalid(f"{os.fspath(self.repo)!r}: {error}") from None


def open_checkout(repo: Path, deadline_seconds: float = DEADLINE_SECONDS) -> Checkout:
    """The git command on *repo*; its deadline runs from now."""
    return Checkout(repo, deadline_seconds, time.monotonic() + deadline_seconds)


def resolve_commit(repo: Path, name: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Commit:
    """The full id of the commit that *name* (a branch, a tag, HEAD~2 …) stands for.

    Forty or sixty-four zeros stand for "no commit" and are given back as they are.
    Raises SettingsInvalid.
    """
    if FULL_COMMIT.fullmatch(name) and is_zero(name):
        return name
    git = open_checkout(repo, deadline_seconds)
    status, output, complaint = git.try_run(
        "rev-parse", "--verify", "--end-of-options", name + "^{commit}"
    )
    commit = output.decode("ascii", "replace").strip()
    if status or not FULL_COMMIT.fullmatch(commit):
        _check_repository(git, complaint)
        may_be_elsewhere = FULL_COMMIT.fullmatch(name) or (name and _is_shallow(git))
        hint = _FETCH_HINT if may_be_elsewhere else ""
        raise SettingsInvalid(f"{repo}: {name!r} names no commit{hint}")
    return commit


def read_changed_paths(
    repo: Path, before: Commit, after: Commit, *, deadline_seconds: float = DEADLINE_SECONDS
) -> tuple[str, ...]:
    """The paths that differ between the trees of two commits, sorted, as git mode compares them.

    Both sides of a rename; submodules and modes, too. Undecodable bytes are surrogates. Zeros stand
    for no files at all. Raises SettingsInvalid.
    """
    for commit in (before, after):
        _check_full(commit)
    length = len(before if is_zero(after) else after)
    trees = [_EMPTY_TREES[length] if is_zero(commit) else commit for commit in (before, after)]
    output = open_checkout(repo, deadline_seconds).run(
        *("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--ignore-submodules=none"),
        *("--no-ext-diff", "--no-textconv", "--no-relative", *trees, "--"),
    )
    return _paths(output)


def read_tree(repo: Path, commit: Commit, *, deadline_seconds: float = DEADLINE_SECONDS) -> Tree:
    """Every file of a commit, in order; submodules and links, too. Raises SettingsInvalid."""
    _check_full(commit)
    git = open_checkout(repo, deadline_seconds)
    return parse_tree(git.run("ls-tree", "-r", "-z", "--full-tree", commit, "--"))


def read_blobs(
    repo: Path, blobs: Collection[str], *, deadline_seconds: float = DEADLINE_SECONDS
) -> Mapping[str, bytes | None]:
    """Contents by blob; None for one that the repository lacks, or that is too large to be read.

    Raises SettingsInvalid.
    """
    for blob in blobs:
        _check_full(blob)
    git, wanted = open_checkout(repo, deadline_seconds), sorted(blobs)
    status, output, _ = git.try_run("cat-file", "--batch-check", stdin=_lines(wanted))
    if status:  # before git 2.45 that is what comes of asking for what a partial clone lacks
        output = git.run("cat-file", "--batch-check", "--batch-all-objects", "--unordered")
    sizes = parse_sizes(output)
    small = [blob for blob in wanted if blob in sizes and sizes[blob] <= MAX_DOCUMENT_BYTES]
    contents = parse_contents(git.run("cat-file", "--batch", stdin=_lines(small)))
    return {blob: contents.get(blob) for blob in wanted}


def read_remote_urls(repo: Path, *, deadline_seconds: float = DEADLINE_SECONDS) -> tuple[str, ...]:
    """The URLs that the repository's own configuration has for its remotes.

    They may hold credentials. Raises SettingsInvalid.
    """
    git = open_checkout(repo, deadline_seconds)
    status, output, complaint = git.try_run(
        "config", "-z", "--local", "--get-regexp", r"^remote\..*\.url$"
    )
    if status not in (0, 1):  # 1: it has none
        _check_repository(git, complaint)
        raise SettingsInvalid(f"{repo}: {complaint}")
    entries = output.decode("utf-8", "replace").split("\0")[:-1]
    return tuple(entry.partition("\n")[2] for entry in entries)


def _check_repository(git: Checkout, complaint: str) -> None:
    """Raises SettingsInvalid where nothing at all can be read, rather than what was asked for."""
    status, output, why = git.try_run("rev-list", "--max-count=1", "--all")
    if status:
        is_none = "not a git repository" in why
        raise SettingsInvalid(f"{git.repo}: {'no Git repository is there' if is_none else why}")
    if not output.strip() and "single revision" in complaint:
        raise SettingsInvalid(f"{git.repo}: the repository has no commit yet")


def _check_full(commit: Commit) -> None:
    if not FULL_COMMIT.fullmatch(commit):
        raise SettingsInvalid(f"{commit!r} is not a full commit id")


def _paths(output: bytes) -> tuple[str, ...]:
    return tuple(sorted(output.decode("utf-8", "surrogateescape").split("\0")[:-1]))


def _lines(blobs: Collection[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode("ascii")


def _is_shallow(git: Checkout) -> bool:
    status, output, _ = git.try_run("rev-parse", "--is-shallow-repository")
    return status == 0 and output.strip() == b"true"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill git with whatever it started, unless it has ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _first_line(errors: bytes) -> str:
    """What git complains of first; a warning only where that is all."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines()]
    grave = [line for line in lines if not line.startswith("warning:")]
    return next(iter(grave or lines), "git failed without a word")
