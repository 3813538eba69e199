"""Collects problems while a routing file is checked, and hands them out in file order."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

from router.config.tree import shown
from router.core.model import Problem

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_HINTS = 50
"""How many "did you mean" one report looks for: each one compares with every known name."""


class Place(Protocol):
    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class Report:
    """Every problem of one routing file; the same one at the same place counts once."""

    def __init__(self, file_name: str) -> None:
        self._file = file_name
        self._found: dict[Problem, None] = {}
        self._hints_left = MAX_HINTS

    def error(self, place: Place, message: str) -> None:
        self._add(place, message, is_warning=False)

    def warn(self, place: Place, message: str) -> None:
        self._add(place, message, is_warning=True)

    def hint(self, name: str, known: Collection[str]) -> str:
        """`; did you mean …?` when *name* looks like one of *known*, else nothing."""
        if self._hints_left == 0:
            return ""
        self._hints_left -= 1
        return did_you_mean(name, known)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._sorted() if not problem.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._sorted() if problem.is_warning)

    def _add(self, place: Place, message: str, *, is_warning: bool) -> None:
        problem = Problem(
            file=self._file,
            line=place.line,
            column=place.column,
            message=message,
            is_warning=is_warning,
        )
        self._found[problem] = None

    def _sorted(self) -> list[Problem]:
        return sorted(self._found, key=lambda problem: (problem.line, problem.column))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean …?` with the most similar of *known*, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {shown(close[0])}?" if close else ""
