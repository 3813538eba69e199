"""Every file of `bad` gives exactly the errors of the text beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.bad_files import CANARY, check_bad

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_gives_exactly_these_errors(path: Path) -> None:
    checked = check_bad(path)
    told = "".join(f"{problem}\n" for problem in checked.problems)
    assert told == path.with_suffix(".txt").read_text()
    assert told
    assert checked.routing is None


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_errors_stand_in_file_order_on_one_line_each_and_without_secrets(path: Path) -> None:
    checked = check_bad(path)
    places = [(problem.line, problem.column) for problem in checked.problems]
    assert places == sorted(places)
    for problem in (*checked.problems, *checked.warnings):
        assert str(problem).isprintable()
        assert CANARY not in repr(problem)
        assert not re.search(r"Input should|pydantic|\[type=", problem.message)


def test_every_text_belongs_to_a_file() -> None:
    texts = {path.stem for path in (Path(__file__).parent / "bad").glob("*.txt")}
    assert texts == {path.stem for path in BAD}
    assert len(texts) >= 40
