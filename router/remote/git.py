"""Reading a local repository with the git command: what a push of one ref would tell its provider.

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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.errors import SettingsInvalid
from router.core.providers.interface import OutgoingCommit, OutgoingPush
from router.core.push import is_zero

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from router.core.push import Commit

DEADLINE_SECONDS = 60.0
"""How long all git commands of one reading may take together."""

MAX_CREATED_COMMITS = 5000
"""Commits told of a new branch, the newest: its history may be the whole repository's."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_LOG_FORMAT = "%H%x00%P%x00%cI%x00%an%x00%ae%x00%B"
_LOG_FIELDS = _LOG_FORMAT.count("%x00") + 1

_KEPT_VARIABLES = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_EXEC_PATH")
"""Git's own variables that are kept: a pre-receive hook sees the pushed objects only by these."""


@dataclass(slots=True)
class _Paths:
    """The file lists of one commit."""

    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Git:
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
        command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
        try:
            return subprocess.Popen(  # noqa: S603 - no shell; revisions are checked by the callers
                [*command, "-C", os.fspath(self.repo), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(os.environ),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise SettingsInvalid("the git command is not installed") from None
        except ValueError as error:
            raise SettingsInvalid(f"{os.fspath(self.repo)!r}: {error}") from None


def resolve_commit(repo: Path, name: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Commit:
    """The full id of the commit that *name* (a branch, a tag, HEAD~2 …) stands for.

    Forty or sixty-four zeros stand for "no commit" and are given back as they are.
    Raises SettingsInvalid.
    """
    if _COMMIT.fullmatch(name) and is_zero(name):
        return name
    status, output, complaint = _open(repo, deadline_seconds).try_run(
        "rev-parse", "--verify", "--end-of-options", name + "^{commit}"
    )
    commit = output.decode("ascii", "replace").strip()
    if status or not _COMMIT.fullmatch(commit):
        raise SettingsInvalid(f"{repo}: {name!r} names no commit ({complaint or 'not one commit'})")
    return commit


def read_push(
    repo: Path,
    *,
    before: Commit,
    after: Commit,
    ref: str,
    repository_url: str,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> OutgoingPush:
    """What a push that moved *ref* from *before* to *after* holds, commits oldest first.

    Each commit's files are those that differ from its first parent, also for merges. A new ref
    holds the commits that no other ref has, a deleted one none. Raises SettingsInvalid.
    """
    _check_update(before, after, ref)
    git = _open(repo, deadline_seconds)
    is_moved = not is_zero(before) and not is_zero(after)
    return OutgoingPush(
        repository_url=repository_url,
        ref=ref,
        before=before,
        after=after,
        forced=is_moved and not _is_ancestor(git, before, after),
        commits=() if is_zero(after) else _read_commits(git, _range(before, after, ref)),
    )


def _open(repo: Path, deadline_seconds: float) -> _Git:
    return _Git(repo, deadline_seconds, time.monotonic() + deadline_seconds)


def _check_update(before: Commit, after: Commit, ref: str) -> None:
    for commit in (before, after):
        if not _COMMIT.fullmatch(commit):
            raise SettingsInvalid(f"{commit!r} is not a full commit id")
    if not ref.startswith("refs/"):
        raise SettingsInvalid(f"{ref!r} is not a full ref name, e.g. refs/heads/main")


def _is_ancestor(git: _Git, before: Commit, after: Commit) -> bool:
    status, _, complaint = git.try_run("merge-base", "--is-ancestor", before, after)
    if status not in (0, 1):
        raise SettingsInvalid(f"{git.repo}: {complaint}")
    return status == 0


def _range(before: Commit, after: Commit, ref: str) -> list[str]:
    """Arguments for git log that name the commits an update brings."""
    if not is_zero(before):
        return [after, "--not", before]
    # --glob and not --all: that one would count HEAD, which may well be the new branch.
    copies = f"refs/remotes/*/{ref.removeprefix('refs/heads/')}"
    others = [f"--exclude={ref}", f"--exclude={copies}", "--glob=refs/*"]
    return [f"--max-count={MAX_CREATED_COMMITS}", after, "--not", *others]


def _read_commits(git: _Git, revisions: Sequence[str]) -> tuple[OutgoingCommit, ...]:
    listing = git.run(
        *("log", "-z", "--topo-order", "--reverse", "--no-show-signature", "--encoding=UTF-8"),
        *(f"--format={_LOG_FORMAT}", *revisions, "--"),
    )
    fields = listing.decode("utf-8", "replace").split("\0")[:-1]
    rows = [fields[at : at + _LOG_FIELDS] for at in range(0, len(fields), _LOG_FIELDS)]
    paths = _read_paths(git, ((commit, parents) for commit, parents, *_ in rows))
    return tuple(_commit(row, paths.get(row[0], _Paths())) for row in rows)


def _commit(row: Sequence[str], paths: _Paths) -> OutgoingCommit:
    commit, _, committed_at, author_name, author_email, message = row
    return OutgoingCommit(
        id=commit,
        message=message.rstrip("\n"),
        timestamp=committed_at,
        author_name=author_name,
        author_email=author_email,
        added=tuple(paths.added),
        modified=tuple(paths.modified),
        removed=tuple(paths.removed),
        renamed=tuple(paths.renamed),
    )


def _read_paths(git: _Git, commits: Iterable[tuple[str, str]]) -> dict[Commit, _Paths]:
    """The file lists of *commits* (id, parents), each against its first parent; one process."""
    lines = [" ".join([commit, *parents.split()[:1]]) for commit, parents in commits]
    if not lines:
        return {}
    output = git.run(
        *("diff-tree", "--stdin", "-z", "-r", "--root", "-M", "--name-status"),
        *("--ignore-submodules=none", "--no-ext-diff", "--no-textconv"),
        stdin="\n".join(lines).encode("ascii") + b"\n",
    )
    return _parse_name_status(output.decode("utf-8", "surrogateescape"))


def _parse_name_status(text: str) -> dict[Commit, _Paths]:
    """Split diff-tree's output: a commit id, then a status and one or two names per file."""
    found: dict[Commit, _Paths] = {}
    paths = _Paths()
    words = iter(text.split("\0")[:-1])
    for word in words:
        if _COMMIT.fullmatch(word):
            paths = found.setdefault(word, _Paths())
        else:
            _add(paths, word, words)
    return found


def _add(paths: _Paths, status: str, names: Iterator[str]) -> None:
    name = next(names)
    if status.startswith("R"):
        paths.renamed.append((name, next(names)))
    elif status == "A":
        paths.added.append(name)
    elif status == "D":
        paths.removed.append(name)
    else:  # M, or T where a file became a link or a submodule
        paths.modified.append(name)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """*variables* without what would point git elsewhere or make it behave otherwise."""
    kept = {
        name: value
        for name, value in variables.items()
        if not name.startswith(("GIT_", "LC_", "LANG")) or name in _KEPT_VARIABLES
    }
    return kept | {
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill git with whatever it started, unless it has ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _first_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").splitlines()
    return lines[0].strip() if lines else "git failed without a word"
