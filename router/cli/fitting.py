"""Which columns of a table fit on a terminal, and how wide each may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GAP: Final = 2
"""Spaces between two columns."""

LEAST_WRAPPED: Final = 14
"""How narrow a cell of several lines may get before columns are left out for it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and what becomes of it where there is not room for all."""

    heading: str
    wraps: bool = False
    """Its cells may go over several lines. Others are cut up only when nothing else helps."""
    spare: int = 0
    """Those with the highest number are left out first; 0 always stays."""
    usual: int = 0
    """What most cells need, for lines that are printed before the next ones are known."""


def fit(
    columns: Sequence[Column], needs: Sequence[int], words: Sequence[int], room: int
) -> Mapping[int, int]:
    """The width of each column that is shown, by its number.

    *needs* are the lengths of their longest cells, *words* of the longest words in these.
    """
    widths = {number: min(need, room) for number, need in enumerate(needs)}
    while _total(_least(columns, widths)) > room:
        spare = max(widths, key=lambda number: columns[number].spare, default=None)
        if spare is None or not columns[spare].spare:
            break
        del widths[spare]
    wrapping = [number for number in widths if columns[number].wraps]
    _narrow(widths, {number: words[number] for number in wrapping}, room)
    _narrow(widths, dict.fromkeys(wrapping, LEAST_WRAPPED), room)
    _narrow(widths, dict.fromkeys(widths, 1), room)
    return widths


def _least(columns: Sequence[Column], widths: Mapping[int, int]) -> dict[int, int]:
    return {
        number: min(width, LEAST_WRAPPED) if columns[number].wraps else width
        for number, width in widths.items()
    }


def _total(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _narrow(widths: dict[int, int], least: Mapping[int, int], room: int) -> None:
    """Take from the widest column, until all fits or each has only its *least* left."""
    while _total(widths) > room:
        wider = [number for number in least if widths[number] > least[number]]
        if not wider:
            return
        widths[max(wider, key=lambda number: widths[number])] -= 1
