"""The Chinese README says what the English one says, as far as that can be counted."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def blocks(text: str) -> list[str]:
    return [
        found[0] for found in re.finditer(r"^( *)```.*?^\1```$", text, re.DOTALL | re.MULTILINE)
    ]


def links(text: str) -> list[str]:
    return sorted(re.findall(r"\]\(([^)]+)\)", text))


def shape(text: str) -> list[str]:
    """Headings, list items and rows of tables, without their words."""
    prose = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^(#+ |- |\d\. |\|)", prose, re.MULTILINE)


def test_both_show_the_same_commands_files_and_pictures() -> None:
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_both_lead_to_the_same_pages() -> None:
    def others(text: str) -> list[str]:
        return [link for link in links(text) if not link.startswith("README")]

    assert others(CHINESE) == others(ENGLISH)
    assert "README.md" in links(CHINESE)
    assert "README.zh-CN.md" in links(ENGLISH)


def test_both_have_the_same_sections_lists_and_tables() -> None:
    assert shape(CHINESE) == shape(ENGLISH)
