"""How layers share out the files of a repository."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.changes import ExactPaths
from router.core.coverage import Coverage, IdlePattern, SharedFiles, cover, find_uncovered
from router.core.match import LayerIndex, match_layers

INDEX = LayerIndex(
    [
        ("bootstrap", ["bootstrap/"]),
        ("controllers", ["controllers/", "!controllers/**/*.md"]),
        ("app1", ["apps/app1/", "apps/base/"]),
        ("app2", ["apps/app2/", "apps/base/", "!**/*.txt"]),
    ]
)


def test_a_file_of_no_layer_is_unmapped_and_an_excluded_one_is_not() -> None:
    covered = cover(INDEX, ["README.md", "controllers/a.md", "docs/x"])
    assert covered.file_count == 3
    assert covered.unmapped == ("README.md", "docs/x")


def test_files_of_several_layers_are_told_by_who_shares_them() -> None:
    files = ["apps/app1/x", "apps/base/a", "apps/base/b", "apps/base/c.txt", "apps/app2/x"]
    assert cover(INDEX, files).shared == (
        SharedFiles(layers=("app1", "app2"), count=2, example="apps/base/a"),
    )


def test_what_a_build_reads_is_its_layer_s_whatever_the_patterns_exclude() -> None:
    reads = {"app1": ["lib/x", "apps/base/c.txt"], "app2": ["lib/x", "apps/base/c.txt"]}
    covered = cover(INDEX, ["apps/base/c.txt", "lib/x", "lib/y"], reads)
    assert covered.unmapped == ("lib/y",)
    assert covered.shared == (
        SharedFiles(layers=("app1", "app2"), count=2, example="apps/base/c.txt"),
    )


def test_what_is_read_and_no_pattern_includes_is_uncovered() -> None:
    reads = {"app1": ["lib/x", "apps/app1/a"], "app2": ["apps/app1/a", "apps/base/a.txt"]}
    assert find_uncovered(INDEX, reads) == {"app1": ("lib/x",), "app2": ("apps/app1/a",)}


def test_different_patterns_that_share_files_with_the_same_layers_are_one() -> None:
    index = LayerIndex([("a", ["x/", "y/"]), ("b", ["x/", "y/"]), ("c", ["y/z"])])
    assert cover(index, ["x/1", "y/1", "y/z"]).shared == (
        SharedFiles(layers=("a", "b"), count=2, example="x/1"),
        SharedFiles(layers=("a", "b", "c"), count=1, example="y/z"),
    )


def test_patterns_that_match_no_file_are_idle_exclusions_too() -> None:
    covered = cover(INDEX, ["controllers/x", "apps/app1/x", "apps/base/x"])
    assert covered.idle == (
        IdlePattern(layer="bootstrap", position=0, pattern="bootstrap/"),
        IdlePattern(layer="controllers", position=1, pattern="!controllers/**/*.md"),
        IdlePattern(layer="app2", position=0, pattern="apps/app2/"),
        IdlePattern(layer="app2", position=2, pattern="!**/*.txt"),
    )


def test_a_pattern_that_another_one_overrules_still_matches() -> None:
    index = LayerIndex([("a", ["x/", "!x/y", "x/y/z"])])
    assert cover(index, ["x/y/z"]).idle == ()


def test_no_files_and_no_layers_are_no_trouble() -> None:
    assert len(cover(INDEX, []).idle) == 8
    assert cover(LayerIndex([]), ["a"]) == Coverage(
        file_count=1, unmapped=("a",), idle=(), shared=()
    )


def test_a_thousand_layers_that_share_everything_are_one_group() -> None:
    index = LayerIndex((f"l{n}", ["base/", f"apps/l{n}/"]) for n in range(1000))
    files = [f"base/{n}" for n in range(1000)] + [f"apps/l{n}/x" for n in range(1000)]
    [shared] = cover(index, files).shared
    assert (len(shared.layers), shared.count) == (1000, 1000)


segments = st.sampled_from(["a", "b", "c.md", "d"])
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
patterns = st.sampled_from(["a", "b/", "a/b", "**/c.md", "*", "a/*", "**", "!a/b", "!**/c.md"])
lists = st.lists(patterns, max_size=4).map(lambda texts: ["d", *texts])


@given(layers=st.lists(lists, min_size=1, max_size=4), files=st.lists(paths, unique=True))
def test_it_agrees_with_the_matching_of_each_file_alone(
    layers: list[list[str]], files: list[str]
) -> None:
    index = LayerIndex((f"l{n}", texts) for n, texts in enumerate(layers))
    alone = {path: match_layers(index, ExactPaths((path,))) for path in files}
    covered = cover(index, files)
    assert covered.unmapped == tuple(path for path in files if alone[path].unmapped_count)
    shared = {
        path: tuple(match.layer for match in matched.matches if match.is_affected)
        for path, matched in alone.items()
    }
    counts = {group.layers: group.count for group in covered.shared}
    groups = [layers for layers in shared.values() if len(layers) > 1]
    assert counts == {group: groups.count(group) for group in groups}
    assert all(shared[group.example] == group.layers for group in covered.shared)
    busy = {(match.layer, match.pattern) for m in alone.values() for match in m.matches}
    assert not busy & {
        (pattern.layer, pattern.pattern)
        for pattern in covered.idle
        if layers_of(index, pattern) == 1
    }


def layers_of(index: LayerIndex, pattern: IdlePattern) -> int:
    """How often the layer has that pattern."""
    number = index.layers.index(pattern.layer)
    return index.patterns(number).count(pattern.pattern)
