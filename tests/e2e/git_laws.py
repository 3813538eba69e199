"""What must hold of git mode whatever happens to it, told by a test's own trees.

Every plan that says it is exact affects the layers between two successive planned tips, and after a
fallback also those since what that told: these and no others. Where nothing is left to come, the
cursor is the branch's tip, and Flux holds that tip's content. Numbers only grow, and every wanted
number has its plan.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from tests.e2e.git_history import differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.model import SavedPlan
    from router.core.push import Commit
    from router.core.routing import Repository
    from tests.e2e.git_flux import Fetched
    from tests.e2e.git_world import GitWorld

OWNERS: Final[Mapping[tuple[str, ...], str]] = {
    ("a/",): r"a/",
    ("a/", "z/"): r"[az]/",
    ("b/",): r"b/",
    ("b/", "c/**"): r"[bc]/",
    ("/c",): r"c/",
    ("d/", "!d/**/*.md"): r"d/(?!.*\.md\Z)",
    ("a/", "b/"): r"[ab]/",
    ("**",): r"",
}
"""The pattern lists that are used here, each with what it means to a regular expression."""


def owns(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a layer with these patterns owns *path*."""
    return re.match(OWNERS[patterns], path, re.DOTALL) is not None


def count_layers(plans: Iterable[SavedPlan]) -> Counter[str]:
    """How many of *plans* affect each layer."""
    return Counter(
        match.layer for saved in plans for match in saved.plan.matches if match.is_affected
    )


class Laws:
    """Watches one service over all its lives."""

    def __init__(self, world: GitWorld) -> None:
        self._world = world
        self._cursors: dict[str, Commit] = {}
        self._told: dict[str, Commit | None] = {}
        self._planned: defaultdict[str, set[Commit]] = defaultdict(set)
        self._sequences: Counter[str] = Counter()
        self._wants: Counter[str] = Counter()
        self._wanted: dict[str, int] = {}
        self._caught_up: set[int] = set()
        """Numbers of Flux's fetches that ran ahead of the router, which then planned their tip."""
        self.is_down = False
        """The host cannot be read just now."""
        self.has_forgotten = False
        """The host has collected garbage: what was planned may be gone."""
        self._adopted: Counter[str] = Counter()

    def expect_adoption(self, entries: Sequence[Repository]) -> None:
        """A routing file with *entries* comes: new and changed layers are to be wanted once.

        If their ref was never planned, its first plan will want them.
        """
        layers = {name: each.patterns for name, each in self._world.routing.layers.items()}
        self._adopted += Counter(
            layer.name
            for entry in entries
            for layer in entry.layers
            if self._sequences[entry.name] and layers.get(layer.name) != layer.patterns
        )

    async def check(self) -> None:
        """Check what was planned since the last time, and all numbers."""
        stories = await self._world.stories()
        plans = [saved for story in stories for saved in story.plans]
        new = sorted(plans, key=lambda saved: (saved.plan.repository, saved.sequence or 0))
        for saved in new:
            if saved.sequence is None or saved.sequence > self._sequences[saved.plan.repository]:
                self._check_plan(saved)
        requested = [saved for saved in plans if saved.plan.knowledge == "requested"]
        assert count_layers(requested) == self._adopted
        self._wants = count_layers(plans)
        await self._check_numbers()
        for entry in self._world.routing.repositories:
            assert (await self._world.state(entry)).cursor == self._cursors.get(entry.name)

    def _check_plan(self, saved: SavedPlan) -> None:
        plan = saved.plan
        if plan.knowledge == "requested":
            return
        name = plan.repository
        entry = self._world.routing.entry(name)
        assert entry is not None
        assert saved.sequence == self._sequences[name] + 1
        self._sequences[name] += 1
        cursor, told = self._cursors.get(name), self._told.get(name)
        assert plan.before == (told if self.is_down else cursor)
        layers = {match.layer for match in plan.matches if match.is_affected}
        if plan.knowledge == "exact":
            assert cursor is not None
            assert told is not None
            assert plan.commit is not None
            self._check_exact(entry, plan.commit, layers, bases={cursor, told})
        else:
            is_open = cursor is None or told is None
            assert is_open or self.is_down or self.has_forgotten, plan.reason
            assert plan.knowledge == "payload" or layers == {each.name for each in entry.layers}
        self._told[name] = plan.told
        if plan.commit is not None:
            self._planned[name].add(plan.commit)
        if not self.is_down:
            assert plan.commit is not None
            self._cursors[name] = plan.commit
            self._catch_up(entry, plan.commit)

    def _check_exact(
        self, entry: Repository, tip: Commit, layers: set[str], *, bases: set[Commit]
    ) -> None:
        """A tag is compared with its own line of versions, too: with a tip planned at some time."""
        floor = set[str]().union(*(self.between(entry, base, tip) for base in bases))
        lines = self._planned[entry.name] if entry.is_wildcard else ()
        assert floor <= layers <= floor.union(*(self.between(entry, base, tip) for base in lines))

    def between(self, entry: Repository, before: Commit, after: Commit) -> set[str]:
        """The layers of an entry whose content differs between two commits."""
        paths = self._world.history.changed(before, after)
        return {
            layer.name
            for layer in entry.layers
            if any(owns(layer.patterns, path) for path in paths)
        }

    def _catch_up(self, entry: Repository, tip: Commit) -> None:
        for layer in entry.layers:
            held = self._world.flux.held.get(layer.name)
            if held is not None and held.commit == tip:
                self._caught_up.add(held.number)

    async def _check_numbers(self) -> None:
        statuses = await self._world.store.receivers()
        wanted = {status.receiver.rsplit("/", 1)[1]: status.wanted for status in statuses}
        assert wanted == dict(self._wants)
        assert all(wanted[layer] >= number for layer, number in self._wanted.items())
        assert all(status.notified <= status.wanted for status in statuses)
        self._wanted = wanted

    async def check_quiet(self) -> None:
        """Check what must hold where nothing is left to come."""
        assert not await self._world.store.waiting_repositories()
        self._world.flux.retry()
        for entry in self._world.routing.repositories:
            if entry.is_wildcard:
                await self._check_tags(entry)
            elif entry.ref in self._world.history.refs:
                await self._check_branch(entry)

    async def _check_tags(self, entry: Repository) -> None:
        tips = (await self._world.state(entry)).tips
        refs = self._world.history.refs
        assert {ref: tip for ref, tip in refs.items() if entry.tracks(ref)}.items() <= tips.items()

    async def _check_branch(self, entry: Repository) -> None:
        tip = self._world.history.refs[entry.ref]
        assert (await self._world.state(entry)).cursor == tip
        trees = self._world.history.trees
        for layer in entry.layers:
            held = self._world.flux.held[layer.name]
            stale = [
                path
                for path in differing(trees[held.commit], trees[tip])
                if owns(layer.patterns, path)
            ]
            assert not stale or self._ran_ahead(held), (layer.name, stale)

    def _ran_ahead(self, held: Fetched) -> bool:
        """Whether Flux fetched a commit that the ref left again before any look saw it there.

        A call fetches the tip of its moment, whatever it was made for. Nobody tells the router
        which one that was, and so it cannot know that the branch was moved away from there.
        """
        return held.commit not in held.known and held.number not in self._caught_up
