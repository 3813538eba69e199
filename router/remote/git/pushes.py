"""Reading from a local repository what a push would tell its provider: of a ref, or an artifact.

For the command line, and so blocking.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from router.core.errors import SettingsInvalid
from router.core.providers.interface import OutgoingCommit, OutgoingPush
from router.core.providers.registry import OutgoingArtifact
from router.core.push import is_zero
from router.remote.git.checkout import DEADLINE_SECONDS, FULL_COMMIT, open_checkout, resolve_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from router.core.push import Commit
    from router.remote.git.checkout import Checkout

MAX_CREATED_COMMITS = 5000
"""Commits told of a new branch, the newest: its history may be the whole repository's."""

_LOG_FORMAT = "%H%x00%P%x00%cI%x00%an%x00%ae%x00%B"
_LOG_FIELDS = _LOG_FORMAT.count("%x00") + 1


@dataclass(slots=True)
class _Paths:
    """The file lists of one commit."""

    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)


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
    git = open_checkout(repo, deadline_seconds)
    is_moved = not is_zero(before) and not is_zero(after)
    return OutgoingPush(
        repository_url=repository_url,
        ref=ref,
        before=before,
        after=after,
        forced=is_moved and not _is_ancestor(git, before, after),
        commits=() if is_zero(after) else _read_commits(git, _range(before, after, ref)),
    )


def read_artifact(
    repo: Path,
    *,
    revision: str,
    artifact: str,
    tag: str,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> OutgoingArtifact:
    """A push of *artifact* as if it were made of the tree that *revision* stands for.

    Its digest stands for that tree: equal files have equal digests. Raises SettingsInvalid.
    """
    commit = resolve_commit(repo, revision, deadline_seconds=deadline_seconds)
    if is_zero(commit):
        raise SettingsInvalid("no artifact can be made of a ref that was deleted")
    git = open_checkout(repo, deadline_seconds)
    tree = git.run("rev-parse", "--verify", f"{commit}^{{tree}}").strip()
    return OutgoingArtifact(artifact=artifact, tag=tag, digest="sha256:" + sha256(tree).hexdigest())


def _check_update(before: Commit, after: Commit, ref: str) -> None:
    for commit in (before, after):
        if not FULL_COMMIT.fullmatch(commit):
            raise SettingsInvalid(f"{commit!r} is not a full commit id")
    if not ref.startswith("refs/"):
        raise SettingsInvalid(f"{ref!r} is not a full ref name, e.g. refs/heads/main")


def _is_ancestor(git: Checkout, before: Commit, after: Commit) -> bool:
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


def _read_commits(git: Checkout, revisions: Sequence[str]) -> tuple[OutgoingCommit, ...]:
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


def _read_paths(git: Checkout, commits: Iterable[tuple[str, str]]) -> dict[Commit, _Paths]:
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
        if FULL_COMMIT.fullmatch(word):
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
