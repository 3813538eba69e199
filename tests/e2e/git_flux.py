"""A model of Flux: each layer holds what the tip of its branch was at the moment of its call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.core.push import Commit
    from tests.e2e.git_history import History


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a layer's call made Flux fetch."""

    commit: Commit
    known: frozenset[Commit | None]
    """What the router had planned last at that time: its cursor, and what layers were told of."""
    number: int
    """Counts fetches."""


class Flux:
    """What each layer holds. A fetch that finds no branch is made again until there is one."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._failed: dict[str, tuple[str, frozenset[Commit | None]]] = {}
        self.held: dict[str, Fetched] = {}
        self.calls: list[str] = []
        self._fetches = 0

    def notify(self, layer: str, ref: str, *, known: frozenset[Commit | None]) -> None:
        """The receiver of *layer* was called."""
        self.calls.append(layer)
        tip = self._history.refs.get(ref)
        if tip is None:
            self._failed[layer] = (ref, known)
            return
        self._failed.pop(layer, None)
        self._fetch(layer, tip, known)

    def retry(self) -> None:
        """Fetch again what failed."""
        for layer, (ref, known) in list(self._failed.items()):
            if ref in self._history.refs:
                del self._failed[layer]
                self._fetch(layer, self._history.refs[ref], known)

    def _fetch(self, layer: str, tip: Commit, known: frozenset[Commit | None]) -> None:
        self._fetches += 1
        self.held[layer] = Fetched(tip, known, self._fetches)
