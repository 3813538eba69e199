r"""The one dialect of path patterns, parsed and checked.

A pattern is anchored at the repository's root and also matches everything below what it matches.
`*`, `?` and `[…]` stay within a segment, `**` as a whole segment crosses any number of them, `\`
escapes, a leading `!` excludes. docs/patterns.md tells it to operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.globs import CharacterClass, Glob, Piece, Wildcard, build_segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Segment: TypeAlias = str | Glob | Literal[Wildcard.ANY_DEPTH]

_Character: TypeAlias = tuple[str, bool]
"""A character, and whether a backslash took its special meaning."""

_SPECIAL = frozenset("*?[{}")


class InvalidPattern(ValueError):
    """The text is no pattern; the message is one sentence with a hint, without the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One parsed pattern."""

    text: str
    """As the operator wrote it."""
    is_exclusion: bool
    segments: tuple[Segment, ...]
    """Without trailing `**`, which add nothing; empty when the pattern means everything."""


def parse_pattern(text: str) -> Pattern:
    """Parse one pattern. Raises InvalidPattern."""
    is_exclusion = text.startswith("!")
    body = text.removeprefix("!")
    _check_body(body, is_exclusion=is_exclusion)
    segments: list[Segment] = []
    for part in _parts(_characters(body)):
        segment = _parse_segment(part)
        if segment is not Wildcard.ANY_DEPTH or segments[-1:] != [Wildcard.ANY_DEPTH]:
            segments.append(segment)
    if segments[-1:] == [Wildcard.ANY_DEPTH]:
        segments.pop()
    return Pattern(text=text, is_exclusion=is_exclusion, segments=tuple(segments))


def pattern_problems(texts: Sequence[str]) -> list[tuple[int, str]]:
    """Everything wrong with one layer's patterns, as (position in the list, message).

    An empty list has no problem here: whether a layer may be without patterns is not a matter of
    the dialect.
    """
    problems: list[tuple[int, str]] = []
    for position, text in enumerate(texts):
        try:
            pattern = parse_pattern(text)
        except InvalidPattern as error:
            problems.append((position, str(error)))
        else:
            if position == 0 and pattern.is_exclusion:
                problems.append((position, _STARTS_WITH_EXCLUSION))
    return problems


_STARTS_WITH_EXCLUSION = (
    "the list starts with an exclusion, which has nothing to exclude from; "
    "put what the layer includes before it ('.' is everything)"
)


def _check_body(body: str, *, is_exclusion: bool) -> None:
    if not body.strip():
        raise InvalidPattern(
            "the exclusion is empty; write what it excludes after the '!'"
            if is_exclusion
            else "the pattern is empty; write '.' for everything"
        )
    if is_exclusion and body.startswith("!"):
        raise InvalidPattern(
            r"a second '!' has no meaning; write '!\!' to exclude a name that starts with '!'"
        )
    if "\0" in body:
        raise InvalidPattern("no path holds a NUL character; remove it")


def _characters(body: str) -> list[_Character]:
    characters: list[_Character] = []
    rest = iter(body)
    for character in rest:
        is_escaped = character == "\\"
        if is_escaped:
            character = next(rest, "")
        if is_escaped and not character:
            raise InvalidPattern(
                r"a '\' at the end escapes nothing; write '\\' for a backslash itself"
            )
        if is_escaped and character == "/":
            raise InvalidPattern(r"a '/' cannot be escaped; write it without the '\'")
        characters.append((character, is_escaped))
    for character, is_escaped in (characters[0], characters[-1]):
        if character.isspace() and not is_escaped:
            raise InvalidPattern(
                "the pattern starts or ends with a space; "
                r"remove it, or write '\' before it when the name has it"
            )
    return characters


def _parts(characters: list[_Character]) -> list[list[_Character]]:
    """Cut at the slashes, and leave out a leading `/` or `./` and a trailing `/`."""
    parts: list[list[_Character]] = [[]]
    for character in characters:
        if character[0] == "/":
            parts.append([])
        else:
            parts[-1].append(character)
    if _text(parts[0]) in ("", "."):
        parts.pop(0)
    if parts and not parts[-1]:
        parts.pop()
    return parts


def _text(part: list[_Character]) -> str:
    return "".join([character for character, _ in part])


def _check_part(text: str) -> None:
    if not text:
        raise InvalidPattern("there is nothing between two '/'; write a single '/'")
    if text == ".":
        raise InvalidPattern("'.' may only stand at the start; remove the other './'")
    if text == "..":
        raise InvalidPattern("'..' is not supported; write the path from the repository's root")


def _parse_segment(part: list[_Character]) -> Segment:
    text = _text(part)
    _check_part(text)
    if _SPECIAL.isdisjoint(text):
        return text
    if len(part) > 1 and all(character == ("*", False) for character in part):
        return Wildcard.ANY_DEPTH
    pieces: list[Piece] = []
    position = 0
    while position < len(part):
        piece, position = _parse_piece(part, position)
        pieces.append(piece)
    return build_segment(pieces)


def _parse_piece(part: list[_Character], position: int) -> tuple[Piece, int]:
    character, is_escaped = part[position]
    position += 1
    if is_escaped:
        return character, position
    if character == "*":
        return Wildcard.ANY, position
    if character == "?":
        return Wildcard.ONE, position
    if character == "[":
        return _parse_class(part, position)
    if character in "{}":
        raise InvalidPattern(
            "braces are not supported; write one pattern for each alternative, "
            rf"or '\{character}' for the brace itself"
        )
    return character, position


def _parse_class(part: list[_Character], start: int) -> tuple[Piece, int]:
    """Read a class whose `[` stands before *start*; a `]` that comes first is a member."""
    is_negated = part[start : start + 1] in ([("!", False)], [("^", False)])
    start += is_negated
    try:
        end = part.index(("]", False), start + 1)
    except ValueError:
        raise InvalidPattern(
            r"a '[' has no ']' in its segment; close it, or write '\[' for the bracket itself"
        ) from None
    members = part[start:end]
    _check_members(members)
    ranges = sorted(set(_ranges(members)))
    if not is_negated and len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return ranges[0][0], end + 1
    return CharacterClass(tuple(ranges), is_negated), end + 1


def _check_members(members: list[_Character]) -> None:
    opening, closing = [("[", False), (":", False)], [(":", False)]
    starts = (at for at in range(len(members) - 2) if members[at : at + 2] == opening)
    if members[-1:] == closing and any(True for _ in starts):
        raise InvalidPattern(
            "named classes such as [:digit:] are not supported; write the range, e.g. [0-9]"
        )


def _ranges(members: list[_Character]) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(members):
        low = high = members[position][0]
        if members[position + 1 : position + 2] == [("-", False)] and position + 2 < len(members):
            high = members[position + 2][0]
            position += 2
        if high < low:
            low, high = repr(low)[1:-1], repr(high)[1:-1]
            raise InvalidPattern(f"the range {low}-{high} is upside down; write {high}-{low}")
        yield low, high
        position += 1
