"""The dialect: what each pattern means, and what is no pattern."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from router.core.changes import ExactPaths
from router.core.match import LayerIndex, match_layers
from router.core.patterns import InvalidPattern, parse_pattern, pattern_problems

VECTORS = yaml.safe_load((Path(__file__).parent / "pattern_vectors.yaml").read_text("utf-8"))

EMPTY = "the pattern is empty; write '.' for everything"
EMPTY_EXCLUSION = "the exclusion is empty; write what it excludes after the '!'"
SECOND_MARK = r"a second '!' has no meaning; write '!\!' to exclude a name that starts with '!'"
NUL = "no path holds a NUL character; remove it"
TRAILING_BACKSLASH = r"a '\' at the end escapes nothing; write '\\' for a backslash itself"
ESCAPED_SLASH = r"a '/' cannot be escaped; write it without the '\'"
SPACE = (
    "the pattern starts or ends with a space; "
    r"remove it, or write '\' before it when the name has it"
)
EMPTY_SEGMENT = "there is nothing between two '/'; write a single '/'"
DOT = "'.' may only stand at the start; remove the other './'"
DOT_DOT = "'..' is not supported; write the path from the repository's root"
OPENING_BRACE = (
    "braces are not supported; write one pattern for each alternative, "
    r"or '\{' for the brace itself"
)
CLOSING_BRACE = OPENING_BRACE.replace("{", "}")
OPEN_CLASS = r"a '[' has no ']' in its segment; close it, or write '\[' for the bracket itself"
NAMED_CLASS = "named classes such as [:digit:] are not supported; write the range, e.g. [0-9]"
STARTS_WITH_EXCLUSION = (
    "the list starts with an exclusion, which has nothing to exclude from; "
    "put what the layer includes before it ('.' is everything)"
)

INVALID = [
    ("", EMPTY),
    ("   ", EMPTY),
    ("\t\n", EMPTY),
    ("!", EMPTY_EXCLUSION),
    ("! ", EMPTY_EXCLUSION),
    ("!!a", SECOND_MARK),
    ("a\0b", NUL),
    ("a\\", TRAILING_BACKSLASH),
    ("!a\\", TRAILING_BACKSLASH),
    ("\\", TRAILING_BACKSLASH),
    ("a\\\\\\", TRAILING_BACKSLASH),
    (r"a\/b", ESCAPED_SLASH),
    (" a", SPACE),
    ("a ", SPACE),
    ("a\\\\ ", SPACE),  # the backslash is escaped, the space is not
    ("! a", SPACE),
    ("a\n", SPACE),
    ("a/ ", SPACE),
    ("//", EMPTY_SEGMENT),
    ("//a", EMPTY_SEGMENT),
    ("a//b", EMPTY_SEGMENT),
    ("a//", EMPTY_SEGMENT),
    (".//a", EMPTY_SEGMENT),
    ("a/./b", DOT),
    ("a/.", DOT),
    ("././a", DOT),
    ("/./a", DOT),
    (r"a/\.", DOT),
    ("..", DOT_DOT),
    ("../a", DOT_DOT),
    ("a/../b", DOT_DOT),
    ("a/..", DOT_DOT),
    ("!..", DOT_DOT),
    (r"a/\.\.", DOT_DOT),
    ("{a,b}", OPENING_BRACE),
    ("a.{yaml,yml}", OPENING_BRACE),
    ("a}", CLOSING_BRACE),
    ("[ab", OPEN_CLASS),
    ("a[", OPEN_CLASS),
    ("[]", OPEN_CLASS),
    ("[!]", OPEN_CLASS),
    ("[^]", OPEN_CLASS),
    (r"[a\]", OPEN_CLASS),
    ("[a/b]", OPEN_CLASS),  # a class never holds a slash
    ("[[:alpha:]]", NAMED_CLASS),
    ("[[::]", NAMED_CLASS),
    ("[a[:digit:]]", NAMED_CLASS),
    ("[z-a]", "the range z-a is upside down; write a-z"),
    ("[a-\n]", r"the range a-\n is upside down; write \n-a"),
    ("[!b-a]", "the range b-a is upside down; write a-b"),
]


def includes(patterns: list[str], path: str) -> bool:
    matched = match_layers(LayerIndex([("layer", patterns)]), ExactPaths((path,)))
    return any(match.is_affected for match in matched.matches)


@pytest.mark.parametrize(("patterns", "path", "expected", "idea"), VECTORS)
def test_a_pattern_list_includes_what_the_vectors_say(
    patterns: list[str], path: str, expected: bool, idea: str
) -> None:
    assert pattern_problems(patterns) == []
    assert includes(patterns, path) is expected, idea


def test_there_is_a_vector_for_every_rule() -> None:
    assert len(VECTORS) >= 120
    assert len({(tuple(row[0]), row[1]) for row in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_what_is_no_pattern_is_refused_with_a_hint(text: str, message: str) -> None:
    with pytest.raises(InvalidPattern) as error:
        parse_pattern(text)
    assert str(error.value) == message


def test_an_invalid_pattern_is_a_value_error() -> None:
    assert issubclass(InvalidPattern, ValueError)


def test_every_problem_is_reported_at_its_place_in_the_list() -> None:
    assert pattern_problems(["a", "a//b", "!c", "..", "[", "d"]) == [
        (1, EMPTY_SEGMENT),
        (3, DOT_DOT),
        (4, OPEN_CLASS),
    ]


def test_a_list_may_not_start_with_an_exclusion() -> None:
    assert pattern_problems(["!a", "b"]) == [(0, STARTS_WITH_EXCLUSION)]


def test_an_exclusion_that_is_no_pattern_has_one_problem() -> None:
    assert pattern_problems(["!..", "b"]) == [(0, DOT_DOT)]


def test_a_list_that_starts_with_an_escaped_mark_is_fine() -> None:
    assert pattern_problems([r"\!a", "!b"]) == []


def test_an_empty_list_has_no_problem() -> None:
    assert pattern_problems([]) == []


def test_patterns_keep_their_text_and_say_whether_they_exclude() -> None:
    including, excluding = parse_pattern("./apps/*"), parse_pattern("!/apps/old/")
    assert (including.text, including.is_exclusion) == ("./apps/*", False)
    assert (excluding.text, excluding.is_exclusion) == ("!/apps/old/", True)
    assert excluding.segments == ("apps", "old")


@pytest.mark.parametrize(
    "spellings",
    [
        ("apps/app1", "apps/app1/", "apps/app1/**", "/apps/app1", "./apps/app1/**/", r"apps/app\1"),
        (".", "./", "/", "**", "/**", "./**", "**/", "**/**", "***"),
        ("a*b", "a**b", "a***b"),
        ("?*", "*?", "*?*", "**?"),
        ("[ab]", "[ba]", "[aab]", r"[\a\b]"),
        ("[!a]", "[^a]"),
        (r"\*", "[*]", r"[\*]"),
        ("a/**/b", "a/**/**/b"),
    ],
)
def test_spellings_of_the_same_meaning_parse_to_the_same_segments(spellings: list[str]) -> None:
    assert len({parse_pattern(spelling).segments for spelling in spellings}) == 1
