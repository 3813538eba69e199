"""What must hold for any patterns and any changed paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from router.core.changes import ExactPaths, UnknownPaths
from router.core.match import LayerIndex, Matcher, explain_layers, match_layers
from router.core.patterns import InvalidPattern, parse_pattern, pattern_problems
from tests.core.properties import pattern_reference as reference
from tests.core.properties import pattern_strategies as some

if TYPE_CHECKING:
    from router.core.match import Unmapped

Layers = list[tuple[str, list[str]]]

unmapped = st.sampled_from(["ignore", "all"])


def affected(layers: Layers, paths: list[str], unmapped: Unmapped = "ignore") -> set[str]:
    matched = match_layers(LayerIndex(layers), ExactPaths(tuple(paths)), unmapped=unmapped)
    return {match.layer for match in matched.matches if match.is_affected}


@given(some.layers, some.path_lists)
def test_the_trie_agrees_with_the_plain_reading_of_each_pattern(
    layers: Layers, paths: list[str]
) -> None:
    matched = match_layers(LayerIndex(layers), ExactPaths(tuple(paths)))
    told = {match.layer: match.is_affected for match in matched.matches}
    assert told == {
        name: any(reference.includes(patterns, path) for path in paths)
        for name, patterns in layers
        if any(reference.owns(patterns, path) for path in paths)
    }
    strays = [path for path in paths if not any(reference.owns(texts, path) for _, texts in layers)]
    assert (list(matched.unmapped), matched.unmapped_count) == (strays[:10], len(strays))


@given(some.layers, some.path_lists)
def test_the_path_and_pattern_that_are_named_do_decide(layers: Layers, paths: list[str]) -> None:
    patterns_of = dict(layers)
    for match in match_layers(LayerIndex(layers), ExactPaths(tuple(paths))).matches:
        assert match.path is not None
        patterns = patterns_of[match.layer]
        deciding = [text for text in patterns if reference.covers(text, match.path)][-1]
        assert match.pattern == deciding
        owned = [path for path in paths if reference.owns(patterns, path)]
        included = [path for path in owned if reference.includes(patterns, path)]
        assert match.path == (included or owned)[0]


@given(some.layers, some.path_lists, some.path_lists, unmapped)
def test_more_changed_paths_never_give_fewer_layers(
    layers: Layers, some_paths: list[str], more: list[str], unmapped: Unmapped
) -> None:
    fewer = affected(layers, some_paths, unmapped)
    assert fewer <= affected(layers, some_paths + more, unmapped)


@given(some.layers, some.path_lists, unmapped)
def test_unknown_paths_affect_whatever_any_paths_would(
    layers: Layers, paths: list[str], unmapped: Unmapped
) -> None:
    matched = match_layers(LayerIndex(layers), UnknownPaths("lost"), unmapped=unmapped)
    assert affected(layers, paths, unmapped) <= {match.layer for match in matched.matches}


@given(st.data(), some.layers, some.path_lists, unmapped)
def test_the_order_of_the_paths_does_not_matter(
    data: st.DataObject, layers: Layers, paths: list[str], unmapped: Unmapped
) -> None:
    shuffled = data.draw(st.permutations(paths))
    assert affected(layers, paths, unmapped) == affected(layers, shuffled, unmapped)


@given(some.layers, some.path_lists, unmapped, st.integers(1, 4))
def test_slices_give_the_same_as_the_whole(
    layers: Layers, paths: list[str], unmapped: Unmapped, size: int
) -> None:
    index = LayerIndex(layers)
    matcher = Matcher(index, unmapped=unmapped)
    for start in range(0, len(paths), size):
        matcher.feed(iter(paths[start : start + size]))
    changes = ExactPaths(tuple(paths))
    assert matcher.result() == match_layers(index, changes, unmapped=unmapped)
    assert matcher.explain() == explain_layers(index, changes, unmapped=unmapped)


@given(st.data(), some.layers, some.path_lists, unmapped)
def test_the_order_of_the_layers_changes_only_the_order_of_the_matches(
    data: st.DataObject, layers: Layers, paths: list[str], unmapped: Unmapped
) -> None:
    changes = ExactPaths(tuple(paths))
    permuted = data.draw(st.permutations(layers))
    straight = match_layers(LayerIndex(layers), changes, unmapped=unmapped)
    mixed = match_layers(LayerIndex(permuted), changes, unmapped=unmapped)
    assert set(mixed.matches) == set(straight.matches)
    assert mixed.unmapped == straight.unmapped
    position = [name for name, _ in permuted].index
    assert [m.layer for m in mixed.matches] == sorted(
        (m.layer for m in mixed.matches), key=position
    )


@given(some.layers, some.path_lists, unmapped)
def test_explain_tells_of_every_layer_and_never_something_else_than_match(
    layers: Layers, paths: list[str], unmapped: Unmapped
) -> None:
    index, changes = LayerIndex(layers), ExactPaths(tuple(paths))
    explained = explain_layers(index, changes, unmapped=unmapped)
    assert tuple(match.layer for match in explained) == index.layers
    told = match_layers(index, changes, unmapped=unmapped).matches
    assert tuple(match for match in explained if match in told) == told
    assert not any(match.is_affected for match in explained if match not in told)


@given(st.text(max_size=12) | st.text(alphabet="ab/\\!*?[]-^:{}. \0", max_size=12))
def test_any_text_is_a_pattern_or_an_invalid_pattern(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except InvalidPattern as error:
        assert pattern_problems([".", text]) == [(1, str(error))]
        assert "\n" not in str(error)
        assert str(error)
    else:
        assert pattern.text == text
        assert pattern_problems([".", text]) == []
        LayerIndex([("layer", [".", text])])


@given(some.names)
def test_a_name_with_every_character_escaped_matches_just_itself(name: str) -> None:
    escaped = "".join(f"\\{character}" for character in name)
    assert affected([("layer", [escaped])], [name]) == {"layer"}
    assert affected([("layer", [escaped])], [f"{name}x", f"x{name}", f"x/{name}"]) == set()
