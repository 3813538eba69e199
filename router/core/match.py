"""Which layers a set of changed paths affects, and for each the path and pattern that decided.

A layer includes a path when the last of its patterns that matches it is no exclusion. All layers
are matched at once: what a path decides follows from the rules that hold for it, so each set of
rules is weighed once, for the first path that meets it; the others can decide nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.changes import ExactPaths, UnknownPaths
from router.core.kustomize.changed import NO_BUILDS, Builds
from router.core.model import Match
from router.core.patterns import parse_pattern
from router.core.trie import TrieBuilder, Walk, join_accepted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.core.trie import Accepted, LayerBits

Unmapped: TypeAlias = Literal["ignore", "all"]
"""What a changed path that no layer owns does: nothing but be counted, or affect every layer."""

UNMAPPED_SAMPLES = 10
"""Paths that no layer owns which a result names; the others are only counted."""

_by_position = attrgetter("position")


class LayerIndex:
    """The layers of one entry of the routing file, ready to be matched; never changes.

    Patterns must have been checked: building raises InvalidPattern for one that is wrong.
    """

    __slots__ = ("_patterns", "layers", "trie")

    def __init__(self, layers: Iterable[tuple[str, Sequence[str]]]) -> None:
        listed = [(name, tuple(texts)) for name, texts in layers]
        self.layers: tuple[str, ...] = tuple(name for name, _ in listed)
        self._patterns = tuple(texts for _, texts in listed)
        distinct = {text for texts in self._patterns for text in texts}
        parsed = {text: parse_pattern(text) for text in distinct}
        builder = TrieBuilder()
        for layer, texts in enumerate(self._patterns):
            for position, text in enumerate(texts):
                builder.add(parsed[text], layer=layer, position=position)
        self.trie = builder.build()

    def pattern(self, layer: int, position: int) -> str:
        """A layer's pattern as the operator wrote it."""
        return self._patterns[layer][position]

    def patterns(self, layer: int) -> tuple[str, ...]:
        """All patterns of the layer with that number."""
        return self._patterns[layer]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayerIndex):
            return NotImplemented
        return (self.layers, self._patterns) == (other.layers, other._patterns)

    def __hash__(self) -> int:
        return hash((self.layers, self._patterns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What a set of changed paths affects, and what of it no layer owns."""

    matches: tuple[Match, ...]
    """In file order: affected layers, and those that only an exclusion kept out."""
    unmapped: tuple[str, ...] = ()
    """The first UNMAPPED_SAMPLES paths that no layer owns."""
    unmapped_count: int = 0


class Matcher:
    """Matches paths that come in slices, so that a caller can let others run in between.

    The result is the same for any slicing, and the affected layers are the same for any order.
    """

    def __init__(
        self, index: LayerIndex, *, unmapped: Unmapped = "ignore", builds: Builds = NO_BUILDS
    ) -> None:
        """*builds* tells what the builds of layers make of all the paths that are to come."""
        self._index = index
        self._builds = builds
        self._unmapped_means = unmapped
        self._walk = Walk(index.trie)
        self._folder = ""
        """The last path's folder: changed paths mostly come sorted, so the next one shares it."""
        self._folder_step = self._walk.start
        self._owned: dict[Accepted, bool] = {}
        """Whether a layer owns the paths for which just these rules hold; each weighed once."""
        self._included: dict[int, tuple[str, int]] = {}
        """Layer → the path and the pattern's position that decided first."""
        self._undecided: LayerBits = (1 << len(index.layers)) - 1
        self._excluded: dict[int, tuple[str, int]] = {}
        self._path_count = 0
        self._unmapped: list[str] = []
        self._unmapped_count = 0

    def feed(self, paths: Iterable[str]) -> None:
        """Match some more changed paths; a `/` at either end of a path does not count."""
        owned, walk = self._owned, self._walk
        for path in paths:
            self._path_count += 1
            folder, _, name = path.strip("/").rpartition("/")
            if folder != self._folder:
                self._folder, self._folder_step = folder, walk.follow(folder)
            state, accepted = self._folder_step
            if state.active:
                _, added = state.steps.get(name) or walk.step(state, name)
                if added:
                    accepted = join_accepted(accepted, added)
            is_owned = owned.get(accepted)
            if is_owned is None:
                is_owned = owned[accepted] = self._weigh(accepted, path)
            if not is_owned:
                self._count_unmapped(path)

    def _weigh(self, accepted: Accepted, path: str) -> bool:
        """Note what *path* decides: of each layer's rules that hold for it, the last one wins.

        Returns whether a layer owns it.
        """
        rules = [rule for node in accepted for rule in node.rules]
        rules.sort(key=_by_position, reverse=True)
        owners: LayerBits = 0
        for rule in rules:
            owners |= 0 if rule.is_exclusion else rule.layers
        waiting = owners & self._undecided
        for rule in rules:
            if not waiting:
                break
            winners = rule.layers & waiting
            waiting ^= winners
            if rule.is_exclusion:
                for layer in layer_numbers(winners):
                    self._excluded.setdefault(layer, (path, rule.position))
            else:
                self._undecided ^= winners
                for layer in layer_numbers(winners):
                    self._included[layer] = (path, rule.position)
        return owners != 0

    def _count_unmapped(self, path: str) -> None:
        if path in self._builds.paths:
            return
        self._unmapped_count += 1
        if len(self._unmapped) < UNMAPPED_SAMPLES:
            self._unmapped.append(path)

    def result(self) -> Matched:
        """What the paths so far affect."""
        return Matched(
            matches=tuple(self._match(layer) for layer in self._told_layers()),
            unmapped=tuple(self._unmapped),
            unmapped_count=self._unmapped_count,
        )

    def explain(self) -> tuple[Match, ...]:
        """Every layer in file order, also those that own none of the paths so far."""
        return tuple(self._match(layer) for layer in range(len(self._index.layers)))

    def _told_layers(self) -> Iterable[int]:
        if self._affects_all():
            return range(len(self._index.layers))
        told = self._included.keys() | self._excluded.keys()
        if self._builds.readings or self._builds.unknown:
            named = self._builds.readings.keys() | self._builds.unknown.keys()
            told |= {number for number, name in enumerate(self._index.layers) if name in named}
        return sorted(told)

    def _affects_all(self) -> bool:
        return self._unmapped_means == "all" and self._unmapped_count > 0

    def _match(self, layer: int) -> Match:
        name = self._index.layers[layer]
        if layer in self._included:
            path, position = self._included[layer]
            return Match(
                layer=name,
                is_affected=True,
                reason="a changed path matches",
                path=path,
                pattern=self._index.pattern(layer, position),
            )
        built = _match_build(name, self._builds)
        if built is not None:
            return built
        if self._affects_all():
            path = self._unmapped[0]
            reason = f"no layer owns the changed path {_shown(path)}, and unmapped is 'all'"
            return Match(layer=name, is_affected=True, reason=reason, path=path)
        if layer in self._excluded:
            path, position = self._excluded[layer]
            return Match(
                layer=name,
                is_affected=False,
                reason="every changed path under it is excluded",
                path=path,
                pattern=self._index.pattern(layer, position),
            )
        return Match(layer=name, is_affected=False, reason=_no_match(self._path_count))


def _match_build(layer: str, builds: Builds) -> Match | None:
    """What a layer's build makes of the change; None where it has none, or reads nothing of it."""
    reading = builds.readings.get(layer)
    if reading is not None:
        reason = f"its build reads a changed file: {reading}"
        return Match(layer=layer, is_affected=True, reason=reason, path=reading.path)
    why = builds.unknown.get(layer)
    if why is None:
        return None
    reason = f"it is not known what its build reads: {why}"
    return Match(layer=layer, is_affected=True, reason=reason)


def match_layers(
    index: LayerIndex,
    changes: ExactPaths | UnknownPaths,
    *,
    unmapped: Unmapped = "ignore",
    builds: Builds = NO_BUILDS,
) -> Matched:
    """The layers that *changes* affect, and those that only an exclusion kept out.

    Layers that own no changed path are absent. Unknown paths affect every layer. A path is
    unmapped when no layer has a pattern that includes it, whether or not one then excludes it, and
    no build reads it; it affects every layer when *unmapped* is "all".
    """
    if isinstance(changes, UnknownPaths):
        return Matched(matches=_match_all(index, changes))
    matcher = Matcher(index, unmapped=unmapped, builds=builds)
    matcher.feed(changes.paths)
    return matcher.result()


def explain_layers(
    index: LayerIndex, changes: ExactPaths | UnknownPaths, *, unmapped: Unmapped = "ignore"
) -> tuple[Match, ...]:
    """Every layer in file order, with the reason why it is, or is not, affected by *changes*."""
    if isinstance(changes, UnknownPaths):
        return _match_all(index, changes)
    matcher = Matcher(index, unmapped=unmapped)
    matcher.feed(changes.paths)
    return matcher.explain()


def _match_all(index: LayerIndex, changes: UnknownPaths) -> tuple[Match, ...]:
    reason = f"not known: {changes.reason}"
    return tuple(Match(layer=layer, is_affected=True, reason=reason) for layer in index.layers)


def layer_numbers(layers: LayerBits) -> Iterator[int]:
    """The numbers of the layers in a set, rising."""
    while layers:
        lowest = layers & -layers
        yield lowest.bit_length() - 1
        layers ^= lowest


def _no_match(path_count: int) -> str:
    if path_count == 0:
        return "no path changed"
    if path_count == 1:
        return "it does not own the changed path"
    return f"it owns none of the {path_count} changed paths"


def _shown(path: str) -> str:
    """*path* as text that can be printed, whatever bytes its name has."""
    return path.encode("utf-8", "backslashreplace").decode()
