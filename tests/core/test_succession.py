"""Which file comes into force, as a table: 2 is in force, and held by another replica."""

from __future__ import annotations

import pytest

from router.core.model import Standing
from router.core.succession import takes_over


@pytest.mark.parametrize(
    ("own_number", "replaced", "expected"),
    [
        (None, None, True),  # a new file at a start
        (None, 2, True),  # a new file on a disk that had the one in force
        (None, 1, True),  # and on one that lagged behind
        (1, None, False),  # a start with an old file: the disk lags behind
        (1, 2, True),  # a disk went back: an operator took the newer file back
        (1, 1, False),  # the file was read again, for one of its secrets
    ],
)
def test_a_file_that_is_not_in_force(
    own_number: int | None, replaced: int | None, expected: bool
) -> None:
    standing = Standing(number=2, digest="g2", is_held=True, own_number=own_number)
    assert takes_over(standing, "ours", replaced=replaced) is expected


def test_a_disk_that_goes_through_history_is_not_taken_for_one_that_goes_back() -> None:
    """It had 1, and now shows 2, while 3 is in force already."""
    standing = Standing(number=3, digest="g3", is_held=True, own_number=2)
    assert not takes_over(standing, "g2", replaced=1)


@pytest.mark.parametrize("replaced", [None, 1, 2, 3])
def test_the_file_in_force_and_the_first_one_always_take_over(replaced: int | None) -> None:
    standing = Standing(number=2, digest="g2", is_held=True, own_number=2)
    assert takes_over(standing, "g2", replaced=replaced)
    assert takes_over(None, "g1", replaced=replaced)
