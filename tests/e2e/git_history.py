"""A repository on a Git host, and beside it what a test knows of it without asking git."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tests.builders import ZERO

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from router.core.push import Commit
    from tests.remote.git.repository import Repository

Files: TypeAlias = dict[str, str]
_WITH_A_NAME = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


@dataclass(frozen=True, slots=True)
class Move:
    """What a push did to a ref, as its webhook tells it; zeros stand for no commit."""

    ref: str
    before: Commit
    after: Commit


@dataclass
class History:
    """Commits with their whole trees and parents, and the refs that the host has now."""

    repository: Repository
    trees: dict[Commit, Files] = field(default_factory=dict)
    parents: dict[Commit, tuple[Commit, ...]] = field(default_factory=dict)
    refs: dict[str, Commit] = field(default_factory=dict)
    """By full name; for an annotated tag the commit it stands for."""
    zero: Commit = ZERO

    def commit(self, files: Mapping[str, str], *parents: Commit) -> Commit:
        """A commit with exactly these files; nothing leads to it yet."""
        return self._know(self.repository.commit(files, parents=parents), dict(files), parents)

    def reword(self, commit: Commit, message: str) -> Commit:
        """The same tree and parents with another message."""
        links = [word for parent in self.parents[commit] for word in ("-p", parent)]
        words = ("commit-tree", f"{commit}^{{tree}}", *links, "-m", message)
        made = self.repository.git(*_WITH_A_NAME, *words)
        return self._know(made, self.trees[commit], self.parents[commit])

    def _know(self, made: Commit, files: Files, parents: tuple[Commit, ...]) -> Commit:
        self.trees[made], self.parents[made] = files, parents
        return made

    def push(self, ref: str, commit: Commit) -> Move:
        """Point *ref* to *commit*, by force if need be."""
        before = self.refs.get(ref, self.zero)
        self.repository.point(ref, commit)
        self.refs[ref] = commit
        return Move(ref, before, commit)

    def annotate(self, ref: str, commit: Commit) -> Move:
        """Point the tag *ref* to a tag object, whose id its webhook tells."""
        before = self.refs.get(ref, self.zero)
        name = ref.removeprefix("refs/tags/")
        made = self.repository.git(*_WITH_A_NAME, "tag", "-f", "-a", "-m", "x", name, commit)
        made = self.repository.git("rev-parse", ref)
        self.refs[ref] = commit
        return Move(ref, before, made)

    def remove(self, ref: str) -> Move:
        before = self.refs.pop(ref)
        self.repository.remove(ref)
        return Move(ref, before, self.zero)

    def forget_unreachable(self) -> None:
        """Collect what no ref leads to as garbage."""
        self.repository.collect_garbage()
        alive = {commit for tip in self.refs.values() for commit in self.lineage(tip)}
        self.parents = {commit: self.parents[commit] for commit in alive}

    @property
    def known(self) -> list[Commit]:
        """The commits that the host still has, in the order in which they were made."""
        return [commit for commit in self.trees if commit in self.parents]

    def lineage(self, commit: Commit) -> set[Commit]:
        """A commit and all before it."""
        found, todo = set[str](), [commit]
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo += self.parents.get(here, ())
        return found

    def is_forced(self, move: Move) -> bool:
        """Whether a push dropped commits."""
        if self.zero in (move.before, move.after) or move.after not in self.parents:
            return False
        return move.before not in self.lineage(move.after)

    def changed(self, before: Commit, after: Commit) -> list[str]:
        """The paths that differ between two commits, or what tag objects stand for."""
        old, new = (self.trees[self._peel(each)] for each in (before, after))
        return differing(old, new)

    def _peel(self, commit: Commit) -> Commit:
        known = commit in self.trees
        return commit if known else self.repository.git("rev-parse", f"{commit}^{{commit}}")


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The paths that only one of two trees has, or that differ."""
    return sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def without(files: Mapping[str, str], gone: Collection[str]) -> Files:
    """*files* but for those that are *gone*."""
    return {path: content for path, content in files.items() if path not in gone}
