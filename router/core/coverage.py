"""How the layers of an entry share out the files of a repository: whose none is, whose several are.

Every file is walked through the trie once. What follows from the rules that hold for it is worked
out once for each set of rules, however many files have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from router.core.match import layer_numbers
from router.core.trie import Walk, join_accepted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from router.core.match import LayerIndex
    from router.core.trie import Accepted, LayerBits, Rule

NO_READS: Mapping[str, Collection[str]] = MappingProxyType({})

_by_position = attrgetter("position")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFiles:
    """Files that belong to exactly these layers, of which there are two or more."""

    layers: tuple[str, ...]
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePattern:
    """A pattern that matches no file."""

    layer: str
    position: int
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a repository's files and the patterns of an entry's layers make of each other."""

    file_count: int
    unmapped: tuple[str, ...]
    """Files that no layer owns; one that a layer includes and then excludes is owned."""
    idle: tuple[IdlePattern, ...]
    """In file order; exclusions, too."""
    shared: tuple[SharedFiles, ...]
    """The most files first."""


@dataclass(slots=True)
class _Tally:
    """The files for which the same rules hold."""

    is_owned: bool
    affected: LayerBits
    """The layers that a change of such a file affects."""
    example: str
    count: int = 0


def cover(
    index: LayerIndex,
    files: Iterable[str],
    reads: Mapping[str, Collection[str]] = NO_READS,
) -> Coverage:
    """Share out *files*, paths from the repository's root, among the layers of *index*.

    *reads* has what the builds of layers read, by the layers' names; that is theirs, too.
    """
    readers = _readers(index, reads)
    tallies: dict[tuple[Accepted, LayerBits], _Tally] = {}
    unmapped: list[str] = []
    file_count = 0
    for path, accepted in _walk(index, files):
        file_count += 1
        key = (accepted, readers.get(path, 0))
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = _tally(*key, path)
        tally.count += 1
        if not tally.is_owned:
            unmapped.append(path)
    return Coverage(
        file_count=file_count,
        unmapped=tuple(unmapped),
        idle=tuple(_idle_patterns(index, [accepted for accepted, _ in tallies])),
        shared=_shared_files(index, tallies.values()),
    )


def find_uncovered(
    index: LayerIndex, reads: Mapping[str, Collection[str]]
) -> Mapping[str, tuple[str, ...]]:
    """Of the files that each layer reads, those that none of its patterns includes, sorted.

    One that is included and then excluded is covered: somebody decided that.
    """
    readers = _readers(index, reads)
    found: dict[str, list[str]] = {}
    for path, accepted in _walk(index, sorted(readers)):
        owners: LayerBits = 0
        for rule in _rules(accepted):
            owners |= 0 if rule.is_exclusion else rule.layers
        for number in layer_numbers(readers[path] & ~owners):
            found.setdefault(index.layers[number], []).append(path)
    return {layer: tuple(paths) for layer, paths in found.items()}


def _readers(index: LayerIndex, reads: Mapping[str, Collection[str]]) -> Mapping[str, LayerBits]:
    readers: dict[str, LayerBits] = {}
    for number, layer in enumerate(index.layers):
        for path in reads.get(layer, ()):
            readers[path] = readers.get(path, 0) | 1 << number
    return readers


def _walk(index: LayerIndex, files: Iterable[str]) -> Iterator[tuple[str, Accepted]]:
    """Each file with the nodes whose rules hold for it."""
    walk = Walk(index.trie)
    steps = {"": walk.start}
    for path in files:
        folder, _, name = path.rpartition("/")
        if folder not in steps:
            steps[folder] = walk.follow(folder)
        state, accepted = steps[folder]
        if state.active:
            _, added = state.steps.get(name) or walk.step(state, name)
            accepted = join_accepted(accepted, added)
        yield path, accepted


def _tally(accepted: Accepted, readers: LayerBits, path: str) -> _Tally:
    rules = sorted(_rules(accepted), key=_by_position, reverse=True)
    owners: LayerBits = 0
    decided: LayerBits = 0
    affected: LayerBits = 0
    for rule in rules:
        winners = rule.layers & ~decided
        decided |= winners
        if not rule.is_exclusion:
            owners |= rule.layers
            affected |= winners
    affected |= readers
    return _Tally(is_owned=(owners | readers) != 0, affected=affected, example=path)


def _rules(accepted: Accepted) -> Iterator[Rule]:
    return (rule for node in accepted for rule in node.rules)


def _idle_patterns(index: LayerIndex, met: Iterable[Accepted]) -> Iterator[IdlePattern]:
    matched: dict[int, LayerBits] = {}
    """Position → the layers whose pattern there matches a file."""
    for accepted in met:
        for rule in _rules(accepted):
            matched[rule.position] = matched.get(rule.position, 0) | rule.layers
    for number, layer in enumerate(index.layers):
        for position, pattern in enumerate(index.patterns(number)):
            if not matched.get(position, 0) >> number & 1:
                yield IdlePattern(layer=layer, position=position, pattern=pattern)


def _shared_files(index: LayerIndex, tallies: Iterable[_Tally]) -> tuple[SharedFiles, ...]:
    found: dict[LayerBits, SharedFiles] = {}
    for tally in tallies:
        layers = tally.affected
        if layers & (layers - 1):  # more than one bit
            earlier = found.get(layers)
            found[layers] = SharedFiles(
                layers=earlier.layers if earlier else _names(index.layers, layers),
                count=tally.count + (earlier.count if earlier else 0),
                example=earlier.example if earlier else tally.example,
            )
    return tuple(sorted(found.values(), key=lambda shared: -shared.count))


def _names(names: Sequence[str], layers: LayerBits) -> tuple[str, ...]:
    return tuple(names[number] for number in layer_numbers(layers))
