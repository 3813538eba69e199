"""The cursor rules of payload mode, as tables."""

from __future__ import annotations

import pytest

from router.core.changes import (
    ExactPaths,
    UnknownPaths,
    changes_since,
    fallback_changes,
    listed_changes,
    next_cursor,
)
from router.core.model import RefState
from router.core.push import RefUpdate
from tests.builders import MAIN, ZERO, commit, make_update

EXACT = ExactPaths(("apps/app1/a.yaml",))


@pytest.mark.parametrize(
    ("fields", "force_pushes", "told"),
    [
        # complete lists of a push that was not forced
        ({}, "possible", None),
        # a forced push drops commits that no list shows
        ({"forced": True}, "possible", "forced"),
        ({"forced": True}, "impossible", "forced"),
        # the provider is silent: only the operator's word rules a force push out
        ({"forced": None}, "possible", "forcePushes: impossible"),
        ({"forced": None}, "impossible", None),
        # a new ref: nobody knows what was there
        # A setting that would not help is not named: the lists prove nothing in any case.
        ({"forced": None, "incomplete": "no lists"}, "possible", "no lists"),
        ({"before": ZERO}, "impossible", "created"),
        ({"before": "0" * 64}, "impossible", "created"),
        # the provider's own rule says the lists are cut
        ({"incomplete": "cut at 2048; git mode would know"}, "impossible", "cut at 2048"),
        # no word of the operator's makes lists whole that are cut, or are never sent
        ({"incomplete": "cut at 5", "forced": None}, "possible", "cut at 5"),
    ],
)
def test_lists_count_only_where_they_are_proved_complete(
    fields: dict[str, object], force_pushes: str, told: str | None
) -> None:
    listed = listed_changes(make_update(**fields), force_pushes=force_pushes)  # type: ignore[arg-type]
    if told is None:
        assert listed == EXACT
    else:
        assert isinstance(listed, UnknownPaths)
        assert told in listed.reason


@pytest.mark.parametrize(
    "fields",
    [{"before": ZERO}, {"forced": True}, {"forced": None}],
)
def test_every_reason_not_to_know_names_what_would_know(fields: dict[str, object]) -> None:
    listed = listed_changes(make_update(**fields), force_pushes="possible")
    assert isinstance(listed, UnknownPaths)
    assert "git mode" in listed.reason


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RefState(told=commit(1), was_planned=True), None),
        (RefState(), "no push of this ref was planned before"),
        (RefState(told=None, was_planned=True), "out of order"),
        (RefState(told=commit(7), was_planned=True), "does not start at the commit last planned"),
    ],
)
def test_lists_count_only_from_the_commit_last_planned(state: RefState, told: str | None) -> None:
    changes = changes_since(state, make_update(), EXACT)
    if told is None:
        assert changes == EXACT
    else:
        assert isinstance(changes, UnknownPaths)
        assert told in changes.reason


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        # the push starts at the cursor: it moves, even to a commit that was there before (forced)
        (RefState(told=commit(1), was_planned=True, is_tip_known=False), commit(2)),
        (RefState(told=commit(1), was_planned=True, is_tip_known=True), commit(2)),
        # a gap: a tip never seen is newer than all we know
        (RefState(told=commit(9), was_planned=True, is_tip_known=False), commit(2)),
        (RefState(), commit(2)),
        # a gap, and the tip is an old one: it may have come late
        (RefState(told=commit(9), was_planned=True, is_tip_known=True), None),
        (RefState(told=None, was_planned=True, is_tip_known=True), None),
    ],
)
def test_the_cursor_moves_only_to_a_commit_that_is_surely_the_newest(
    state: RefState, expected: str | None
) -> None:
    assert next_cursor(state, make_update()) == expected


FALLBACK = {"why": "git could not tell", "force_pushes": "possible"}


def step(before: int, after: int, *paths: str, **fields: object) -> RefUpdate:
    given = {"forced": False, "paths": paths, **fields}
    return RefUpdate(ref=MAIN, before=commit(before), after=commit(after), **given)  # type: ignore[arg-type]


def test_without_git_lists_count_that_lead_on_from_the_cursor() -> None:
    updates = [step(1, 2, "a/x", "b/x"), step(2, 3, "a/x", "c/x")]
    changes = fallback_changes(commit(1), updates, **FALLBACK)  # type: ignore[arg-type]
    assert changes == ExactPaths(("a/x", "b/x", "c/x"))


@pytest.mark.parametrize(
    ("cursor", "updates"),
    [
        (commit(1), []),  # nothing tells anything
        (None, [step(1, 2, "a/x")]),  # nothing was planned before
        (commit(7), [step(1, 2, "a/x")]),  # another start
        (commit(1), [step(1, 2, "a/x"), step(3, 4, "a/x")]),  # a gap
        (commit(1), [step(1, 2, "a/x", forced=True)]),
        (commit(1), [step(1, 2, "a/x", incomplete="cut")]),
        (commit(1), [step(1, 2, "a/x", forced=None)]),
    ],
)
def test_without_git_everything_else_is_unknown_for_the_trouble_s_reason(
    cursor: str | None, updates: list[RefUpdate]
) -> None:
    changes = fallback_changes(cursor, updates, **FALLBACK)  # type: ignore[arg-type]
    assert changes == UnknownPaths("git could not tell")
