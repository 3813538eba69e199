"""The pushes of a soak: exact, forced, sent twice, out of order, in bursts, and some never sent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.pushes import github_request
from bench.soak.fleet import SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from bench.soak.fleet import Fleet

MAX_CHANGED = 3
"""Layers that one push changes at most."""

BURST = (10, 40)
"""Pushes of one burst, all of one repository, one right after the other."""

KINDS = {"exact": 60, "forced": 8, "twice": 10, "reordered": 8, "lost": 4, "burst": 3}
"""How often each kind of step is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A push that is ready to be sent."""

    id: str
    repository: int
    request: bytes
    changed: frozenset[str]


@dataclass(kw_only=True)
class Writer:
    """Makes the pushes of all repositories, each starting where the one before it ended."""

    fleet: Fleet
    random: Random
    _numbers: dict[int, int] = field(default_factory=dict)
    _last: dict[int, Prepared] = field(default_factory=dict)

    def step(self) -> Sequence[Prepared]:
        """The pushes of one step, in the order to send them."""
        (kind,) = self.random.choices(list(KINDS), list(KINDS.values()))
        repository = self.random.randrange(self.fleet.repositories)
        match kind:
            case "burst":
                return [self._next(repository) for _ in range(self.random.randint(*BURST))]
            case "reordered":
                first, second = self._next(repository), self._next(repository)
                return [second, first]
            case "twice":
                again = self._last.get(repository) or self._next(repository)
                return [again] if self.random.random() < 0.5 else [self._next(repository)] * 2
            case "lost":
                self._next(repository)
                return []
        return [self._next(repository, is_forced=kind == "forced")]

    def _next(self, repository: int, *, is_forced: bool = False) -> Prepared:
        number = self._numbers[repository] = self._numbers.get(repository, 0) + 1
        count = self.random.randint(1, MAX_CHANGED)
        layers = self.random.sample(range(self.fleet.layers_each), count)
        push = Prepared(
            id=f"{repository}-{number}",
            repository=repository,
            request=github_request(
                json.dumps(_payload(repository, number, layers, is_forced)).encode(),
                delivery=f"{repository}-{number}",
                secret=SECRET,
            ),
            changed=frozenset(self.fleet.layer(repository, layer) for layer in layers),
        )
        self._last[repository] = push
        return push


def _payload(
    repository: int, number: int, layers: Sequence[int], is_forced: bool
) -> dict[str, object]:
    """The body of a GitHub push, as far as it is used."""
    url = f"https://github.com/acme/repo-{repository}"
    before, after = (f"{repository:08x}{each:032x}" for each in (number - 1, number))
    paths = [f"apps/app{layer}/part-{number}.yaml" for layer in layers]
    return {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "created": False,
        "deleted": False,
        "forced": is_forced,
        "commits": [{"id": after, "added": [], "modified": paths, "removed": []}],
        "repository": {"html_url": url, "clone_url": f"{url}.git"},
    }
