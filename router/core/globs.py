"""One path segment with wildcards: its pieces, and a table that finds the globs matching a segment.

A glob is kept as pieces (literal runs, `?`, `*`, classes), so that equal globs compare equal and
no glob needs backtracking: between two `*` every run has a fixed length, and its leftmost place
leaves the most room for what follows.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

GRAM_LENGTH = 4
"""Characters of a literal run by which crowded globs are told apart; four digits are one key."""


class Wildcard(Enum):
    """A wildcard of a fixed meaning, as it is written."""

    ONE = "?"
    ANY = "*"
    ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class CharacterClass:
    """`[…]`: one character that is, or is not, in one of the inclusive ranges."""

    ranges: tuple[tuple[str, str], ...]
    is_negated: bool = False

    @property
    def expression(self) -> str:
        ranges = (f"{re.escape(low)}-{re.escape(high)}" for low, high in self.ranges)
        return f"[{'^' if self.is_negated else ''}{''.join(ranges)}]"


Piece: TypeAlias = str | CharacterClass | Literal[Wildcard.ONE, Wildcard.ANY]


@dataclass(frozen=True, slots=True)
class Glob:
    """A segment with at least one wildcard; made by `build_segment`, which makes it canonical."""

    pieces: tuple[Piece, ...]

    @property
    def literals(self) -> tuple[str, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def runs(self) -> list[tuple[Piece, ...]]:
        """What stands before, between and after the `*`; n of them make n + 1 runs."""
        runs: list[tuple[Piece, ...]] = [()]
        for piece in self.pieces:
            if piece is Wildcard.ANY:
                runs.append(())
            else:
                runs[-1] += (piece,)
        return runs


ANYTHING = Glob((Wildcard.ANY,))


def build_segment(pieces: Iterable[Piece]) -> str | Glob:
    """Join *pieces* to a plain string where all are literal, else to a canonical glob.

    Neighbouring literals are joined, and in a row of `*` and `?` the `?` come first and one `*`
    is left, so that globs which mean the same are the same.
    """
    joined: list[Piece] = []
    for kind, group in groupby(pieces, key=_kind):
        row = list(group)
        if kind is str:
            joined.append("".join(piece for piece in row if isinstance(piece, str)))
        elif kind is Wildcard:
            joined += [piece for piece in row if piece is Wildcard.ONE]
            joined += [Wildcard.ANY] if Wildcard.ANY in row else []
        else:
            joined += row
    if all(isinstance(piece, str) for piece in joined):
        return "".join(map(str, joined))
    return Glob(tuple(joined))


def _kind(piece: Piece) -> type[object]:
    return type(piece)


def build_matcher(glob: Glob) -> Callable[[str], object]:
    """A function that is truthy for the segments *glob* matches, in linear time per literal run.

    Literals and `*` alone need no regex: compiling one costs more than a thousand matches do.
    """
    runs = glob.runs
    if all(isinstance(piece, str) or piece is Wildcard.ANY for piece in glob.pieces):
        return partial(_has_runs, [str(run[0]) if run else "" for run in runs])
    first, *others = ("".join(map(_expression, run)) for run in runs)
    if not others:
        return re.compile(first, re.DOTALL).fullmatch
    *middle, last = others
    # An atomic group keeps the leftmost place of each run: without it, time is exponential.
    searches = "".join(f"(?>.*?{run})" for run in middle)
    return re.compile(f"{first}{searches}.*{last}", re.DOTALL).fullmatch


def _expression(piece: Piece) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    return piece.expression if isinstance(piece, CharacterClass) else "."


def _has_runs(runs: Sequence[str], segment: str) -> bool:
    head, *middle, tail = runs
    end = len(segment) - len(tail)
    if end < len(head) or not (segment.startswith(head) and segment.endswith(tail)):
        return False
    start = len(head)
    for run in middle:
        start = segment.find(run, start, end)
        if start < 0:
            return False
        start += len(run)
    return True


_Key: TypeAlias = tuple[Literal["head", "tail", "inside"], str]


class GlobTable:
    """Finds which of many globs match a segment, without trying them all.

    Each glob is filed under the rarest literal text that a matching segment must start with, end
    with or hold; only globs whose text is found are tried. Globs are known by their position.
    """

    __slots__ = ("_always", "_heads", "_insides", "_lengths", "_matchers", "_tails")

    def __init__(self, globs: Sequence[Glob]) -> None:
        self._matchers = [build_matcher(glob) for glob in globs]
        self._always: list[int] = []
        self._heads: dict[str, list[int]] = {}
        self._tails: dict[str, list[int]] = {}
        self._insides: dict[str, list[int]] = {}
        self._file(globs)
        tables = (self._heads, self._tails, self._insides)
        self._lengths = tuple(tuple(sorted({len(text) for text in table})) for table in tables)

    def _file(self, globs: Sequence[Glob]) -> None:
        crowds = Counter(key for glob in globs for key in set(_keys(glob)))
        tables = {"head": self._heads, "tail": self._tails, "inside": self._insides}
        for number, glob in enumerate(globs):
            key = min(_keys(glob), key=crowds.__getitem__, default=None)
            if key is None:
                self._always.append(number)
            else:
                place, text = key
                tables[place].setdefault(text, []).append(number)

    def find(self, segment: str) -> tuple[int, ...]:
        """The numbers of the globs that match *segment*, each once."""
        candidates = self._always.copy()
        heads, tails, insides = self._lengths
        for length in heads:
            if numbers := self._heads.get(segment[:length]):
                candidates += numbers
        for length in tails:
            if numbers := self._tails.get(segment[-length:]):
                candidates += numbers
        for length in insides:
            for start in range(len(segment) - length + 1):
                if numbers := self._insides.get(segment[start : start + length]):
                    candidates += numbers
        # A segment shorter than the longest tail, or with a gram twice, names a glob twice.
        return tuple({n: None for n in candidates if self._matchers[n](segment)})


def _keys(glob: Glob) -> Iterator[_Key]:
    """The texts *glob* may be filed under, the ones that are cheaper to look up first."""
    first, last = glob.pieces[0], glob.pieces[-1]
    if isinstance(first, str):
        yield ("head", first)
    if isinstance(last, str):
        yield ("tail", last)
    length = min(GRAM_LENGTH, max(map(len, glob.literals), default=0))
    for literal in glob.literals:
        for start in range(len(literal) - length + 1):
            yield ("inside", literal[start : start + length])
