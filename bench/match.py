"""Measure matching: microseconds a path, for growing numbers of layers and three kinds of patterns.

    python -m bench.match
    python -m bench.match --paths 10000 --layers 10 100 1000 10000 --rounds 5

Each round matches the paths of one push cold: the index is built, nothing of an earlier round is
kept. Beside it stands the obvious way, one regex list for each layer tried on every path, measured
on a small sample of the same paths in the same run.
"""

from __future__ import annotations

import argparse
import random
import re
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

from router.core.changes import ExactPaths
from router.core.match import LayerIndex, match_layers

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("kustomization.yaml", "values.yaml", "README.md", "deploy.yaml", "ingress.yaml")
BASELINE_CHECKS = 200_000
"""Tries of a layer on a path that the baseline may take; the rest is extrapolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of patterns: the list of the n-th layer, and a path that the n-th layer may own."""

    name: str
    patterns: Callable[[int], list[str]]
    path: Callable[[int, random.Random], str]


def prefix_path(layer: int, chance: random.Random) -> str:
    return f"apps/team-{layer % 97}/app-{layer}/{chance.choice(('base', 'prod', 'dev'))}"


def deep_path(layer: int, chance: random.Random) -> str:
    region = f"clusters/eu-{chance.randrange(40)}/zone-{chance.randrange(5)}"
    return f"{region}/svc-{layer}/{chance.choice(('base', 'prod', 'dev'))}"


def crowded_path(layer: int, chance: random.Random) -> str:
    return f"{prefix_path(chance.randrange(5000), chance)}/a-svc{layer}-b.yaml/{layer % 7}"


CASES = (
    Case(
        name="folders",
        patterns=lambda n: [f"apps/team-{n % 97}/app-{n}/", f"infra/app-{n}"],
        path=prefix_path,
    ),
    Case(
        name="** first",
        patterns=lambda n: [f"**/svc-{n}/**", f"**/svc-{n}-*.yaml"],
        path=deep_path,
    ),
    Case(
        name="mixed, !",
        patterns=lambda n: [
            (f"apps/team-{n % 97}/app-{n}/", f"**/svc-{n}/", f"apps/*/app-{n}/[bp]*")[n % 3],
            "apps/shared/**/*.yaml",
            "!**/*.md",
            f"!**/app-{n}/dev",
        ],
        path=prefix_path,
    ),
    Case(
        name="crowded **/*-n-*",
        patterns=lambda n: [f"**/*-svc{n}-*.yaml"],
        path=crowded_path,
    ),
)


def make_paths(case: Case, *, layer_count: int, path_count: int) -> tuple[str, ...]:
    """Distinct paths, as a push over a large part of a repository has them."""
    chance = random.Random(layer_count)
    paths: dict[str, None] = {}
    while len(paths) < path_count:
        folder = case.path(chance.randrange(layer_count), chance)
        paths[f"{folder}/part-{chance.randrange(200)}/{chance.choice(FILES)}"] = None
    return tuple(paths)


def time_matching(index: LayerIndex, paths: tuple[str, ...], *, rounds: int) -> float:
    """Microseconds a path, the median of *rounds*."""
    durations = []
    for _ in range(rounds):
        started = process_time()
        match_layers(index, ExactPaths(paths))
        durations.append(process_time() - started)
    return median(durations) * 1e6 / len(paths)


def time_baseline(lists: list[list[str]], paths: tuple[str, ...]) -> float:
    """Microseconds a path of trying each layer's regexes; both are sampled and extrapolated."""
    layers = [[to_regex(text) for text in reversed(texts)] for texts in lists[:200]]
    paths = paths[: max(1, BASELINE_CHECKS // len(layers))]
    started = process_time()
    for path in paths:
        for regexes in layers:
            any(regex.match(path) for regex in regexes)
    return (process_time() - started) * 1e6 / len(paths) * len(lists) / len(layers)


def to_regex(text: str) -> re.Pattern[str]:
    """The patterns of this file as a regex; not a translation of the whole dialect."""
    parts = text.removeprefix("!").removesuffix("/**").strip("/").split("/")
    joined = "".join("(?:.*/)?" if part == "**" else f"{to_part(part)}/" for part in parts)
    return re.compile(f"{joined.removesuffix('/')}(?:/|$)")


def to_part(part: str) -> str:
    return part.replace(".", r"\.").replace("*", "[^/]*")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=10_000)
    parser.add_argument("--layers", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.paths} paths, cold, median of {options.rounds} rounds, CPU time")
    print(HEADER)
    for case in CASES:
        for layer_count in options.layers:
            measure(case, layer_count, path_count=options.paths, rounds=options.rounds)


HEADER = (
    f"{'patterns':<18}{'layers':>8}{'affected':>10}{'build ms':>10}"
    f"{'us/path':>9}{'loop us/path':>14}{'ratio':>8}"
)


def measure(case: Case, layer_count: int, *, path_count: int, rounds: int) -> None:
    """Measure one row of the table and print it."""
    lists = [case.patterns(layer) for layer in range(layer_count)]
    started = process_time()
    index = LayerIndex((f"layer-{n}", texts) for n, texts in enumerate(lists))
    build_ms = (process_time() - started) * 1e3
    paths = make_paths(case, layer_count=layer_count, path_count=path_count)
    affected = sum(m.is_affected for m in match_layers(index, ExactPaths(paths)).matches)
    ours = time_matching(index, paths, rounds=rounds)
    loop = time_baseline(lists, paths)
    print(
        f"{case.name:<18}{layer_count:>8}{affected:>10}{build_ms:>10.1f}"
        f"{ours:>9.2f}{loop:>14.1f}{loop / ours:>7.0f}x"
    )


if __name__ == "__main__":
    main()
