"""Tables on terminals of any width, and where no terminal is."""

from __future__ import annotations

import pytest

from router.cli.cells import call
from router.cli.fitting import GAP, LEAST_WRAPPED, Column, fit
from router.cli.tables import build_table, print_facts, print_table

NAME, WHY, SPARE = Column("name"), Column("why", wraps=True), Column("spare", spare=1)


def shown(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


@pytest.mark.parametrize(
    ("columns", "needs", "words", "room", "widths"),
    [
        ((NAME, WHY), (10, 20), (10, 5), 32, {0: 10, 1: 20}),
        ((NAME, WHY), (10, 40), (10, 5), 32, {0: 10, 1: 20}),  # what wraps is narrowed
        ((NAME, SPARE, WHY), (10, 9, 40), (10, 9, 5), 40, {0: 10, 1: 9, 2: 17}),
        ((NAME, SPARE, WHY), (10, 9, 40), (10, 9, 5), 36, {0: 10, 2: 24}),  # too narrow for all
        ((WHY, WHY), (30, 30), (30, 5), 50, {0: 30, 1: 18}),  # words are not cut up
        ((WHY, WHY), (30, 30), (30, 30), 40, {0: 19, 1: 19}),  # unless they must be
        ((NAME, WHY), (30, 30), (30, 5), 20, {0: 13, 1: 5}),  # then everything is
        ((NAME,), (30,), (30,), 10, {0: 10}),
        ((), (), (), 10, {}),
    ],
)
def test_columns_are_given_the_room_there_is(
    columns: tuple[Column, ...],
    needs: tuple[int, ...],
    words: tuple[int, ...],
    room: int,
    widths: dict[int, int],
) -> None:
    found = dict(fit(columns, needs, words, room))
    assert found == widths
    assert not found or shown(found) <= room


def test_the_spare_columns_with_the_highest_number_go_first() -> None:
    columns = (NAME, SPARE, Column("sparer", spare=2))
    needs = (10, 10, 10)
    assert set(fit(columns, needs, needs, 34)) == {0, 1, 2}
    assert set(fit(columns, needs, needs, 33)) == {0, 1}
    assert set(fit(columns, needs, needs, 21)) == {0}


def test_a_narrow_table_keeps_every_character_of_its_cells() -> None:
    long = "apps/a-name-that-is-longer-than-its-column"
    table = build_table((NAME, WHY), [(long, "a reason of some words")], room=30)
    assert table.columns[0].width is not None
    assert table.columns[0].width + (table.columns[1].width or 0) + GAP == 30
    assert (table.columns[1].width or 0) >= len("reason") < LEAST_WRAPPED


def test_without_a_terminal_a_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = "word " * 100 + "end"
    print_table(("name", "why", "empty"), [("a", words, ""), ("b", "short", "")])
    heading, _rule, *rows = capsys.readouterr().out.splitlines()
    assert heading == "name  why"  # a column without anything is left out
    assert rows == [f"a     {words}", "b     short"]


def test_facts_without_a_terminal_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("name", "word " * 50 + "end"), ("none", ""), ("longer", "b")])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "name    " + "word " * 50 + "end"
    assert second == "longer  b"


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [(0.64, "0.6 ms"), (12.4, "12 ms"), (999.4, "999 ms"), (15_003.2, "15.0 s")],
)
def test_times_of_calls_have_the_digits_that_matter(milliseconds: float, told: str) -> None:
    attempt = {"outcome": "timed_out", "status": None, "durationMs": milliseconds}
    assert call(attempt) == f"timed_out, {told}"
