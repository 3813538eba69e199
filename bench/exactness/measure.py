"""The three ways to tell what a commit changes, held against the truth."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bench.exactness.kustomizations import Finder
from bench.exactness.render import FAILS
from router.core.kustomize.changed import read_changes
from router.core.kustomize.reader import Reader
from router.core.kustomize.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.exactness.clone import Clone
    from bench.exactness.render import WorkTree
    from router.core.kustomize.closure import Build, Closure
    from router.core.kustomize.tree import Tree

Content: TypeAlias = "tuple[Build, frozenset[tuple[str, str]]]"

SAMPLED = 1
"""Builds rendered at each commit though neither way says that they changed: only the whole work
tree can show what a closure misses."""


@dataclass(slots=True)
class Way:
    """How one way did."""

    triggered: int = 0
    needless: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def count(self, decision: str, read: Sequence[str], *, says: bool, is_true: bool) -> None:
        """Take one decision into account; *read* are the changed files that the build reads."""
        self.triggered += says
        if says and not is_true:
            self.needless.append(decision)
        if is_true and not says:
            why = f"it reads {', '.join(read)}" if read else "no changed file is known to be read"
            self.missed.append(f"{decision}: {why}")


@dataclass(slots=True)
class Figures:
    """What was counted in one repository."""

    commits: int = 0
    decisions: int = 0
    rendered: int = 0
    sampled: int = 0
    changes: int = 0
    flux: Way = field(default_factory=Way)
    prefixes: Way = field(default_factory=Way)
    closure: Way = field(default_factory=Way)
    compared: int = 0
    insufficient: list[str] = field(default_factory=list)
    """Builds whose closure alone renders something else than the whole work tree does."""
    unknown: dict[str, int] = field(default_factory=dict)
    unjudged: int = 0
    """Left out: the build works neither before nor after."""

    def add(self, other: Figures) -> None:
        """Count what *other* counted, too; its decisions keep no name of their repository."""
        for name in (
            "commits",
            "decisions",
            "rendered",
            "sampled",
            "changes",
            "compared",
            "unjudged",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, its in (
            (self.flux, other.flux),
            (self.prefixes, other.prefixes),
            (self.closure, other.closure),
        ):
            mine.triggered += its.triggered
            mine.needless += its.needless
            mine.missed += its.missed
        self.insufficient += other.insufficient


@dataclass(frozen=True, slots=True)
class _Says:
    """What the ways say of one Kustomization."""

    in_folder: bool
    by_closure: bool
    read: list[str]
    """The changed files that its closure holds, before or after."""

    @property
    def any(self) -> bool:
        return self.in_folder or self.by_closure


@dataclass(slots=True)
class Side:
    """One commit, and the closures of its Kustomizations."""

    tree: Tree
    builds: Mapping[str, Build]
    closures: Mapping[Build, Closure]

    def content(self, build: Build) -> Content:
        """What *build* reads here: the same gives the same output."""
        files = self.tree.files
        return build, frozenset(
            (path, files[path].blob) for path in self.closures[build].files if path in files
        )


class Measure:
    """Goes from commit to commit of one clone."""

    def __init__(self, clone: Clone, work: WorkTree, alone: WorkTree) -> None:
        self._clone, self._work, self._alone = clone, work, alone
        self._reader, self._finder = Reader(), Finder(clone)
        self._outputs: dict[Content, str] = {}
        self._random = random.Random(0)
        self.figures = Figures()

    def side(self, commit: str) -> Side:
        """A commit with the closures of all its Kustomizations."""
        tree = self._clone.tree(commit)
        builds = self._finder.find(tree)
        search = Search(tree, set(builds.values()), self._reader)
        for needed in search.steps():
            self._reader.add(dict(self._clone.contents(needed)))
        return Side(tree, builds, search.found)

    def step(self, commit: str, before: Side, after: Side) -> None:
        """Judge the Kustomizations that are there before and after *commit*; the work tree goes
        from one to the other."""
        paths = before.tree.files.keys() | after.tree.files.keys()
        old, new = before.tree.files, after.tree.files
        changed = {path for path in paths if old.get(path) != new.get(path)}
        both = [name for name in before.builds if after.builds.get(name) == before.builds[name]]
        says = self._ask_ways({name: before.builds[name] for name in both}, before, after, changed)
        quiet = [name for name in both if not says[name].any]
        sampled = self._random.sample(quiet, min(SAMPLED, len(quiet)))
        asked = [name for name in both if says[name].any] + sampled
        first = {name: self._output(before, before.builds[name]) for name in asked}
        self._work.write(after.tree, changed)
        self.figures.sampled += len(sampled)
        second = {
            name: self._output(after, after.builds[name], anew=name in sampled) for name in asked
        }
        for name in asked:
            if first[name] == second[name] == FAILS:  # which says nothing of what changed
                del says[name]
                self.figures.unjudged += 1
        truth = {name: first[name] != second[name] for name in says if name in first}
        self._count(commit, says, truth)

    def _ask_ways(
        self, builds: Mapping[str, Build], before: Side, after: Side, changed: set[str]
    ) -> dict[str, _Says]:
        sides = {
            name: (before.closures[build], after.closures[build]) for name, build in builds.items()
        }
        told = read_changes(sides, changed)
        for why in told.unknown.values():
            self.figures.unknown[why] = self.figures.unknown.get(why, 0) + 1
        return {
            name: _Says(
                in_folder=_holds_any(build.folders[0], changed),
                by_closure=name in told.readings or name in told.unknown,
                read=sorted({path for each in sides[name] for path in changed & each.files.keys()}),
            )
            for name, build in builds.items()
        }

    def _count(self, commit: str, says: Mapping[str, _Says], truth: Mapping[str, bool]) -> None:
        figures = self.figures
        figures.commits += 1
        figures.decisions += len(says)
        for name, said in says.items():
            is_true, decision = truth.get(name, False), f"{commit[:12]} {name}"
            figures.changes += is_true
            figures.flux.count(decision, said.read, says=True, is_true=is_true)
            figures.prefixes.count(decision, said.read, says=said.in_folder, is_true=is_true)
            figures.closure.count(decision, said.read, says=said.by_closure, is_true=is_true)

    def _output(self, side: Side, build: Build, *, anew: bool = False) -> str:
        content = side.content(build)
        if anew or content not in self._outputs:
            self.figures.rendered += 1
            self._outputs[content] = self._work.render(build)
            self._compare(side, build, self._outputs[content])
        return self._outputs[content]

    def _compare(self, side: Side, build: Build, output: str) -> None:
        """Whether the files of the closure are enough to render the same."""
        closure = side.closures[build]
        if closure.unknown:
            return
        self.figures.compared += 1
        self._alone.clear()
        self._alone.write(side.tree, closure.files)
        if self._alone.render(build) != output:
            self.figures.insufficient.append(build.folders[0])


def _holds_any(folder: str, paths: Iterable[str]) -> bool:
    return any(not folder or path.startswith(f"{folder}/") for path in paths)
