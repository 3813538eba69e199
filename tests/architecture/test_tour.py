"""ARCHITECTURE.md names what is there, and all of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "ARCHITECTURE.md").read_text()
MODULES = sorted(
    str(path.relative_to(ROOT / "router"))
    for path in (ROOT / "router").rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(router/[\w/]+\.py:\w+)`", TOUR))))
def test_every_stop_of_the_tour_exists(name: str) -> None:
    file, _, symbol = name.partition(":")
    tree = ast.parse((ROOT / file).read_text())
    names = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert symbol in names


def test_the_code_map_lists_every_module_once_and_no_other() -> None:
    section = TOUR.partition("## Code map")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([\w/]+\.py)` \|", section, re.MULTILINE)
    assert sorted(listed) == MODULES


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_tour_stays_short() -> None:
    prose = TOUR.partition("## Code map")[0] + TOUR.partition("## Invariants")[2]
    assert len(prose.splitlines()) <= 150
