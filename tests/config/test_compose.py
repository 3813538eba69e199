"""Hostile and odd YAML: a problem at its place, quickly, and never a crash."""

from __future__ import annotations

import pytest

from router.config.compose import MAX_ALIAS_NODES, MAX_DEPTH, MAX_FILE_BYTES, compose
from router.config.report import Report
from router.config.tree import MappingNode, Node, child, items, plain, text


def composed(yaml_text: str) -> tuple[Node | None, list[str]]:
    report = Report("f")
    return compose(yaml_text, report), [str(problem) for problem in report.problems]


def told(yaml_text: str) -> str:
    node, problems = composed(yaml_text)
    assert node is None
    [problem] = problems
    return problem


@pytest.mark.parametrize("start", ["[", "{", "- ", "? ", "[{a: ", "- ? - ", "{? "])
def test_a_hundred_thousand_levels_do_not_crash(start: str) -> None:
    assert f"more than {MAX_DEPTH} lists and mappings" in told(start * 100_000)


def test_as_many_levels_as_allowed_are_read() -> None:
    assert composed("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] == []
    assert "inside each other" in told("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_aliases_do_not_make_a_file_deeper_than_allowed() -> None:
    half = MAX_DEPTH // 2
    lines = [f"a: &a {'[' * half}{']' * half}", f"b: {'[' * half}*a{']' * half}"]
    assert told("\n".join(lines)).startswith("f:2:")


def test_aliases_may_add_so_many_values_and_no_more() -> None:
    count = MAX_ALIAS_NODES // 1001
    anchor = f"a: &a [{'x,' * 1000}]\n"
    assert composed(f"{anchor}b: [{'*a,' * count}]")[1] == []
    assert "aliases add more than" in told(f"{anchor}b: [{'*a,' * (count + 1)}]")


def test_an_alias_is_the_value_it_stands_for() -> None:
    node, problems = composed("a: &x [1, b]\nc: *x")
    assert problems == []
    assert child(node, "a") is child(node, "c")
    assert text(items(node, "c")[1]) == "b"


@pytest.mark.parametrize("loop", ["&a [*a]", "&a {b: *a}", "a: &a {b: [c, {d: *a}]}"])
def test_an_alias_inside_its_own_value_is_a_problem(loop: str) -> None:
    assert "inside the value it stands for" in told(loop)


def test_a_file_over_the_limit_is_not_parsed() -> None:
    assert "larger than 4 MiB" in told("#" * (MAX_FILE_BYTES + 1))
    assert "larger than 4 MiB" in told("#" + "é" * (MAX_FILE_BYTES // 2))
    assert "is empty" in told("#" * MAX_FILE_BYTES)


@pytest.mark.parametrize(
    ("yaml_text", "problem"),
    [
        ("a: b\r\nc: \x07", "f:2:4: the character U+0007 is not allowed here"),
        ("é: \ud800", "f:1:4: the character U+D800 is not allowed here"),
        ("a\rb\r\x9f", "f:3:1: the character U+009F is not allowed here"),
        ("é: @", "f:1:4: this is not YAML: found character that cannot start any token"),
        ("é: \n\t- b", "f:2:1: this is not YAML: a tab stands here, and only spaces indent"),
        ("", "f:1:1: the file is empty"),
        ("---\n...\n---\n", "f:3:1: a second document starts here; the file must hold one"),
        ("%YAML 2.0\n---\na", "f:1:1: this is not YAML: found incompatible YAML document"),
        ('"\\ud800"', "f:1:4: this is not YAML: found invalid Unicode character escape code"),
    ],
)
def test_what_stops_the_reading(yaml_text: str, problem: str) -> None:
    assert told(yaml_text) == problem


def test_keys_that_cannot_be_used_are_left_out_and_told() -> None:
    node, problems = composed("a: 1\n<<: {b: c}\na: x\n[d]: e\nyes: f\n~: g\ng: h")
    assert isinstance(node, MappingNode)
    assert list(node.entries) == ["a", "g"]
    assert [problem.split(":")[1] for problem in problems] == ["2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    "word",
    [
        "no",
        "Yes",
        "on",
        "OFF",
        "1",
        "0x1f",
        "1_000",
        "1.5",
        ".inf",
        "1:30",
        "2024-01-01",
        "2024-13-45",
    ],
)
def test_what_yaml_reads_as_something_else_is_no_text(word: str) -> None:
    node, _ = composed(f"a: {word}\nb: '{word}'\nc: !!str {word}\nd: |-\n  {word}")
    assert [text(node, key) for key in "abcd"] == [None, word, word, word]


def test_true_and_false_are_booleans_and_a_tilde_is_nothing() -> None:
    node, _ = composed("[true, False, ~, null, , ]".replace(" ,", ""))
    assert node is not None
    assert plain(node) == (True, False, None, None)


def test_a_message_never_breaks_its_line() -> None:
    problem = told("*" + "a" * 500)
    assert problem.isprintable()
    assert len(problem) < 200
