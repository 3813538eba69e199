"""The dialect once more, as plainly as it can be said, to compare the matcher with.

It works on the text of each pattern, tries every way a wildcard can go, and knows neither tries,
nor regexes, nor tables. Only for patterns that the parser accepts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def includes(patterns: Sequence[str], path: str) -> bool:
    """Whether a layer with these patterns includes *path*."""
    included = False
    for pattern in patterns:
        if covers(pattern, path):
            included = not pattern.startswith("!")
    return included


def owns(patterns: Sequence[str], path: str) -> bool:
    """Whether one of the patterns includes *path*, whatever the others exclude."""
    return any(covers(pattern, path) for pattern in patterns if not pattern.startswith("!"))


def covers(pattern: str, path: str) -> bool:
    """Whether one pattern, its `!` aside, matches *path* or a folder above it."""
    text = pattern.removeprefix("!")
    text = text.removeprefix("./") if text.startswith("./") else text.removeprefix("/")
    text = text.removesuffix("/")
    wanted = () if text in ("", ".") else tuple(text.split("/"))
    return _covers(wanted, tuple(path.split("/")))


@cache
def _covers(wanted: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if not wanted:
        return True
    if wanted[0].strip("*") == "" and len(wanted[0]) > 1:
        return _covers(wanted[1:], segments) or (bool(segments) and _covers(wanted, segments[1:]))
    return bool(segments) and _matches(wanted[0], segments[0]) and _covers(wanted[1:], segments[1:])


@cache
def _matches(glob: str, segment: str) -> bool:
    if not glob:
        return not segment
    if glob[0] == "*":
        return _matches(glob[1:], segment) or (bool(segment) and _matches(glob, segment[1:]))
    if not segment:
        return False
    if glob[0] == "?":
        return _matches(glob[1:], segment[1:])
    if glob[0] == "[":
        is_member, rest = _read_class(glob[1:], segment[0])
        return is_member and _matches(rest, segment[1:])
    if glob[0] == "\\":
        glob = glob[1:]
    return glob[0] == segment[0] and _matches(glob[1:], segment[1:])


def _read_class(glob: str, character: str) -> tuple[bool, str]:
    """Whether *character* is in the class that *glob* starts inside of, and what follows it."""
    is_negated = glob[0] in "!^"
    rest = glob[is_negated:]
    is_member, is_first = False, True
    while rest[0] != "]" or is_first:
        is_first = False
        low, rest = _read_member(rest)
        high = low
        if rest[0] == "-" and rest[1] != "]":
            high, rest = _read_member(rest[1:])
        is_member = is_member or low <= character <= high
    return is_member != is_negated, rest[1:]


def _read_member(rest: str) -> tuple[str, str]:
    return (rest[1], rest[2:]) if rest[0] == "\\" else (rest[0], rest[1:])
