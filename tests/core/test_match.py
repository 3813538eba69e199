"""Which layers changed paths affect, with what reason, and which paths no layer owns."""

from __future__ import annotations

import pytest

from router.core.changes import ExactPaths, UnknownPaths
from router.core.globs import Glob, GlobTable
from router.core.match import (
    UNMAPPED_SAMPLES,
    LayerIndex,
    Matched,
    Matcher,
    explain_layers,
    match_layers,
)
from router.core.model import Match
from router.core.patterns import InvalidPattern, parse_pattern

INDEX = LayerIndex(
    [
        ("bootstrap", ["bootstrap/"]),
        ("controllers", ["./controllers/", "!controllers/**/*.md"]),
        ("app1", ["apps/app1/", "apps/base"]),
        ("app2", ["apps/app2/", "apps/base", "!**/*.md"]),
    ]
)

MATCHES = "a changed path matches"
EXCLUDED = "every changed path under it is excluded"


def match(*paths: str) -> Matched:
    return match_layers(INDEX, ExactPaths(paths))


def affected(matched: Matched) -> list[str]:
    return [match.layer for match in matched.matches if match.is_affected]


def test_a_path_affects_the_layer_that_includes_it_and_no_other() -> None:
    assert match("controllers/ingress/values.yaml").matches == (
        Match(
            layer="controllers",
            is_affected=True,
            reason=MATCHES,
            path="controllers/ingress/values.yaml",
            pattern="./controllers/",
        ),
    )


def test_matches_stand_in_file_order_whatever_the_order_of_the_paths() -> None:
    paths = ("apps/app2/x", "apps/app1/x", "bootstrap/x")
    assert affected(match(*paths)) == ["bootstrap", "app1", "app2"]


def test_the_first_path_that_decides_is_named() -> None:
    (decided,) = match("bootstrap/b", "bootstrap/a").matches
    assert decided.path == "bootstrap/b"


def test_the_last_matching_pattern_is_named() -> None:
    index = LayerIndex([("all", [".", "apps/", "!apps/x", "apps/x/y"])])
    (decided,) = match_layers(index, ExactPaths(("apps/x/y/z",))).matches
    assert decided.pattern == "apps/x/y"


def test_a_layer_that_only_an_exclusion_kept_out_says_so() -> None:
    matched = match("controllers/README.md", "controllers/docs/a.md")
    assert matched.matches == (
        Match(
            layer="controllers",
            is_affected=False,
            reason=EXCLUDED,
            path="controllers/README.md",
            pattern="!controllers/**/*.md",
        ),
    )
    assert matched.unmapped_count == 0


def test_an_excluded_path_does_not_hide_another_that_is_included() -> None:
    matched = match("controllers/README.md", "controllers/a.yaml")
    assert [(m.is_affected, m.path) for m in matched.matches] == [(True, "controllers/a.yaml")]


def test_one_path_may_affect_one_layer_and_be_excluded_from_another() -> None:
    matched = match("apps/base/README.md")
    assert [(m.layer, m.is_affected) for m in matched.matches] == [("app1", True), ("app2", False)]


def test_an_exclusion_outside_of_what_a_layer_includes_concerns_nobody() -> None:
    matched = match("README.md")
    assert matched == Matched(matches=(), unmapped=("README.md",), unmapped_count=1)


def test_layers_with_the_same_name_prefix_are_kept_apart() -> None:
    index = LayerIndex([("foo", ["apps/foo"]), ("foobar", ["apps/foobar"])])
    assert affected(match_layers(index, ExactPaths(("apps/foobar/x",)))) == ["foobar"]


def test_unknown_paths_affect_every_layer_for_their_reason() -> None:
    changes = UnknownPaths("the push was forced")
    matched = match_layers(INDEX, changes)
    assert affected(matched) == list(INDEX.layers)
    assert {match.reason for match in matched.matches} == {"not known: the push was forced"}
    assert explain_layers(INDEX, changes) == matched.matches


def test_no_path_affects_no_layer() -> None:
    assert match() == Matched(matches=())


def test_paths_that_no_layer_owns_are_counted_and_the_first_ones_are_named() -> None:
    strays = tuple(f"stray/{number}" for number in range(UNMAPPED_SAMPLES + 5))
    matched = match(*strays, "bootstrap/x")
    assert matched.unmapped == strays[:UNMAPPED_SAMPLES]
    assert matched.unmapped_count == UNMAPPED_SAMPLES + 5
    assert affected(matched) == ["bootstrap"]


def test_an_unmapped_path_affects_every_layer_when_so_configured() -> None:
    changes = ExactPaths(("apps/app1/x", "go.mod", "controllers/a.md"))
    matched = match_layers(INDEX, changes, unmapped="all")
    reason = "no layer owns the changed path go.mod, and unmapped is 'all'"
    assert [(m.layer, m.is_affected, m.reason, m.path) for m in matched.matches] == [
        ("bootstrap", True, reason, "go.mod"),
        ("controllers", True, reason, "go.mod"),
        ("app1", True, MATCHES, "apps/app1/x"),
        ("app2", True, reason, "go.mod"),
    ]
    assert explain_layers(INDEX, changes, unmapped="all") == matched.matches


def test_an_excluded_path_is_owned_and_affects_nothing_when_unmapped_is_all() -> None:
    matched = match_layers(INDEX, ExactPaths(("controllers/a.md",)), unmapped="all")
    assert affected(matched) == []


def test_a_reason_can_be_printed_whatever_bytes_the_path_has() -> None:
    changes = ExactPaths(("caf\udce9",))
    (decided, *_) = match_layers(INDEX, changes, unmapped="all").matches
    assert r"caf\udce9" in decided.reason.encode().decode()
    assert decided.path == "caf\udce9"


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ((), "no path changed"),
        (("x",), "it does not own the changed path"),
        (("x", "y"), "it owns none of the 2 changed paths"),
    ],
)
def test_explain_says_of_every_layer_why_it_is_not_affected(
    paths: tuple[str, ...], reason: str
) -> None:
    explained = explain_layers(INDEX, ExactPaths(paths))
    assert [match.layer for match in explained] == list(INDEX.layers)
    assert {(match.is_affected, match.reason) for match in explained} == {(False, reason)}


def test_explain_agrees_with_match_where_that_has_something_to_say() -> None:
    changes = ExactPaths(("controllers/a.md", "apps/base/x", "stray"))
    explained = explain_layers(INDEX, changes)
    assert len(explained) == 4
    assert tuple(m for m in explained if m.path is not None) == match_layers(INDEX, changes).matches


def test_a_matcher_can_be_asked_before_all_slices_are_fed() -> None:
    matcher = Matcher(INDEX)
    matcher.feed(["apps/app1/x"])
    assert affected(matcher.result()) == ["app1"]
    matcher.feed(["bootstrap/x"])
    assert affected(matcher.result()) == ["bootstrap", "app1"]


def test_matching_leaves_the_index_as_it_was() -> None:
    first = match("apps/app1/x", "stray", "controllers/a.md")
    match("bootstrap/x")
    assert match("apps/app1/x", "stray", "controllers/a.md") == first


def test_a_slash_at_either_end_of_a_path_does_not_count() -> None:
    assert affected(match("apps/app1/")) == ["app1"]
    assert affected(match("/apps/app1/x")) == ["app1"]


def test_an_index_without_layers_owns_nothing() -> None:
    matched = match_layers(LayerIndex([]), ExactPaths(("a",)), unmapped="all")
    assert matched == Matched(matches=(), unmapped=("a",), unmapped_count=1)


def test_a_layer_without_patterns_owns_nothing() -> None:
    assert match_layers(LayerIndex([("none", [])]), ExactPaths(("a",))).matches == ()


def test_an_index_refuses_what_is_no_pattern() -> None:
    with pytest.raises(InvalidPattern):
        LayerIndex([("layer", ["a//b"])])


def test_indexes_of_the_same_layers_and_patterns_are_equal() -> None:
    same = LayerIndex(iter([("a", ("x", "!y"))]))
    assert same == LayerIndex([("a", ["x", "!y"])])
    assert hash(same) == hash(LayerIndex([("a", ["x", "!y"])]))
    assert same != LayerIndex([("a", ["x", "y"])])
    assert same != LayerIndex([("b", ["x", "!y"])])
    assert same != "a"


def test_ten_thousand_layers_that_share_everything_are_matched_on_many_paths() -> None:
    index = LayerIndex((f"l{n}", ["**", "!**/*.md", f"only-{n}"]) for n in range(10_000))
    paths = tuple(f"docs/{n}/page.md" for n in range(10_000))
    matched = match_layers(index, ExactPaths((*paths, "only-7/a.md")))
    assert affected(matched) == ["l7"]
    assert len(matched.matches) == 10_000


def test_stars_against_a_long_name_do_not_explode() -> None:
    index = LayerIndex([("bad", ["*a*a*a*a*a*a*a*a*b", "*[a]?*[ab]?*[ab]*[ab]*[ab]*[ab]*c"])])
    assert match_layers(index, ExactPaths(("a" * 5_000,))).matches == ()


def test_many_deep_wildcards_against_a_deep_path_do_not_explode() -> None:
    index = LayerIndex([("bad", ["**/a/" * 30 + "b", "**/a*/" * 30 + "b"])])
    assert match_layers(index, ExactPaths(("a/" * 2_000 + "c",))).matches == ()


def test_a_crowd_of_globs_is_told_apart_by_what_is_rare_in_them() -> None:
    index = LayerIndex((f"l{n}", [f"**/*-svc{n}-*.yaml"]) for n in range(2_000))
    assert affected(match_layers(index, ExactPaths(("a/x-svc1234-y.yaml",)))) == ["l1234"]


@pytest.mark.parametrize(
    ("texts", "segment", "found"),
    [
        (["a*", "ab*"], "abc", {0, 1}),  # by head, of two lengths
        (["*c", "*bc"], "abc", {0, 1}),  # by tail
        (["*bcdef*", "*x*"], "abcdefg", {0}),  # by a gram inside, of two lengths
        (["*ab*"], "abab", {0}),  # met twice, named once
        (["*abc", "*bc"], "bc", {1}),  # shorter than the longest tail
        (["?", "??", "[ab]"], "a", {0, 2}),  # nothing to file them under
        (["a*b*c"], "abc", {0}),
        (["a*b*c"], "acb", set()),
    ],
)
def test_a_glob_table_finds_just_the_globs_that_match(
    texts: list[str], segment: str, found: set[int]
) -> None:
    globs = [parse_pattern(text).segments[0] for text in texts]
    table = GlobTable([glob for glob in globs if isinstance(glob, Glob)])
    numbers = table.find(segment)
    assert set(numbers) == found
    assert len(numbers) == len(found)
