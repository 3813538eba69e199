"""Which changed files the builds of layers read, at any commit that a change leads between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.kustomize.ignored import IGNORE_FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from router.core.kustomize.closure import Closure

MAX_SHOWN_LINKS = 6
"""Files of a chain that a reason names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A changed file that a build reads."""

    path: str
    chain: tuple[str, ...]
    """The file, the kustomization file that names it, the one that names that one, and so on."""

    def __str__(self) -> str:
        """The chain from the file to the build, on one line."""
        links = [_shown(path) for path in self.chain]
        if len(links) > MAX_SHOWN_LINKS:
            links = [*links[: MAX_SHOWN_LINKS - 1], "…", links[-1]]
        return " ← ".join(links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """What the builds of an entry's layers make of a change."""

    readings: Mapping[str, Reading] = field(default_factory=dict)
    """Layer → the first changed file that its build reads; absent where it reads none."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Layer → why it is not known what its build reads."""
    paths: frozenset[str] = frozenset()
    """The changed files that some build reads."""


NO_BUILDS = Builds()


def read_changes(closures: Mapping[str, Collection[Closure]], changed: Iterable[str]) -> Builds:
    """What builds make of the *changed* paths; *closures* has those of each layer, before and
    after.

    A folder that is there at one side only reads nothing at the other; one that is at neither may
    be a slip of the pen, and is not known. An ignore file counts if it leaves out other files that
    are read than before, or if that cannot be told.
    """
    paths = set(changed)
    readings: dict[str, Reading] = {}
    unknown: dict[str, str] = {}
    owned: set[str] = set()
    has_new_rules = any(path.rpartition("/")[2] == IGNORE_FILE for path in paths)
    for layer, several in closures.items():
        never_there = frozenset.intersection(*(frozenset(each.absent) for each in several))
        is_same = has_new_rules and _leave_the_same(several)
        for closure in several:
            found = closure.files.keys() & paths
            owned |= found
            read = {path for path in found if not (is_same and closure.has_rules(path))}
            if read and layer not in readings:
                first = min(read)
                readings[layer] = Reading(path=first, chain=closure.chain(first))
            if closure.unknown is not None and (not closure.absent or never_there):
                unknown.setdefault(layer, closure.unknown)
    return Builds(readings=readings, unknown=unknown, paths=frozenset(owned))


def _leave_the_same(several: Collection[Closure]) -> bool:
    """Whether the ignore files certainly leave out the same of what is read at every commit."""
    if not all(each.ignored.is_certain for each in several):
        return False
    return len({_what_is_left(each) for each in several}) == 1


def _what_is_left(closure: Closure) -> frozenset[tuple[str, bool]]:
    """The files that are read, and whether ignore files leave them out, of Flux's artifact."""
    read = (path for path in closure.files if not closure.has_rules(path))
    return frozenset((path, path in closure.ignored) for path in read)


def unknown_builds(layers: Iterable[str], why: str) -> Builds:
    """The builds of *layers* where nothing could be read, and *why*."""
    return Builds(unknown=dict.fromkeys(layers, why))


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
