"""Print how exact the three ways are over the last commits of clones."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.exactness.clone import Clone
from bench.exactness.measure import Figures, Measure
from bench.exactness.render import WorkTree

WAYS = ("flux", "prefixes", "closure")


def measure(clone: Clone, count: int, tip: str) -> Figures:
    """The figures of the last *count* commits."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        work = WorkTree(Path(folder), clone)
        measuring = Measure(clone, work, WorkTree(Path(other), clone))
        first, *commits = clone.commits(count + 1, tip)
        print(f"from {first[:12]} to {commits[-1][:12]}")
        before = measuring.side(first)
        work.write(before.tree, before.tree.files)
        for commit in commits:
            after = measuring.side(commit)
            measuring.step(commit, before, after)
            before = after
        return measuring.figures


def _print(figures: Figures) -> None:
    print(f"commits {figures.commits} decisions {figures.decisions} changes {figures.changes}")
    print(f"rendered {figures.rendered} sampled {figures.sampled} unjudged {figures.unjudged}")
    for name in WAYS:
        way = getattr(figures, name)
        triggered = way.triggered / max(figures.commits, 1)
        print(
            f"{name}: missed {len(way.missed)} needless {len(way.needless)} {triggered:.1f} a push"
        )
    print(f"compared {figures.compared} insufficient {len(figures.insufficient)}")


def _print_exceptions(figures: Figures) -> None:
    for folder in sorted(set(figures.insufficient)):
        print(f"insufficient: {folder}")
    for decision in figures.prefixes.missed:
        print(f"missed by prefixes: {decision}")
    for decision in figures.closure.missed:
        print(f"missed by closure: {decision}")
    for decision in figures.closure.needless:
        print(f"needless by closure: {decision}")
    for why, times in figures.unknown.items():
        print(f"unknown {times}: {why}")


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.exactness", description=__doc__)
    parser.add_argument(
        "--clone", type=Path, required=True, action="append", help="may be repeated"
    )
    parser.add_argument("--commits", type=int, default=100, help="of each clone (100)")
    parser.add_argument("--tip", default="HEAD", help="the newest commit (HEAD)")
    arguments = parser.parse_args()
    total = Figures()
    for path in arguments.clone:
        print(f"{path}:")
        clone = Clone(path)
        try:
            figures = measure(clone, arguments.commits, arguments.tip)
        finally:
            clone.close()
        _print(figures)
        _print_exceptions(figures)
        total.add(figures)
    if len(arguments.clone) > 1:
        print("together:")
        _print(total)


if __name__ == "__main__":
    main()
