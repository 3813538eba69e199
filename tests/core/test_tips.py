"""What the tips of a Git host say against the commit last planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from router.core.model import Closing, RefState, Waiting
from router.core.push import RefUpdate
from router.core.tips import (
    Judged,
    Move,
    close_judged,
    close_with_plan,
    is_news,
    judge_waiting,
    missing_ref,
    moved_tips,
    version_key,
)
from tests.builders import MAIN, commit, make_repository

A, B, C, D = (commit(number) for number in range(1, 5))
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TIMEOUT_SECONDS = 60.0

BRANCH = make_repository({"a": ["a"]})
TAGS = make_repository({"a": ["a"]}, ref="refs/tags/v*")


def planned(at: str, **fields: object) -> RefState:
    return RefState(cursor=at, told=at, was_planned=True, **fields)  # type: ignore[arg-type]


def test_a_push_that_tells_no_commit_has_what_it_asked_for_after_one_look() -> None:
    covered, pending, late = judge([waits("", "")], A)
    assert (covered, pending, late) == ([""], [], [])


def moves(entry: object, state: RefState, tips: dict[str, str]) -> list[tuple[str, object, str]]:
    found = moved_tips(entry, state, tips)  # type: ignore[arg-type]
    assert all(move.told == move.base for move in found)
    return [(move.ref, move.base, move.tip) for move in found]


def waits(before: str, after: str, **fields: object) -> Waiting:
    given = {"delivery": f"to-{after[-1:]}", "received_at": NOW, "is_followed": False, **fields}
    ref = str(given.pop("ref", MAIN))
    update = RefUpdate(ref=ref, before=before, after=after, forced=None)
    return Waiting(update=update, **given)  # type: ignore[arg-type]


def judge(
    waiting: list[Waiting],
    tip: str | None,
    *known: str,
    seconds: float = 0,
    base: str | None = None,
) -> tuple[list[str], list[str], list[str]]:
    judged = judge_waiting(
        waiting,
        tips={} if tip is None else {MAIN: tip},
        bases={} if base is None else {MAIN: base},
        known=set(known),
        now=NOW + timedelta(seconds=seconds),
        visible_timeout_seconds=TIMEOUT_SECONDS,
    )
    covered, pending, late = (
        [item.update.after for item in part]
        for part in (judged.covered, judged.pending, judged.late)
    )
    return covered, pending, late


def test_a_branch_is_compared_with_its_cursor() -> None:
    assert moves(BRANCH, planned(A), {MAIN: B}) == [(MAIN, A, B)]


def test_a_branch_that_stands_at_its_cursor_has_not_moved() -> None:
    assert moves(BRANCH, planned(A), {MAIN: A}) == []


def test_a_branch_that_is_gone_keeps_its_cursor() -> None:
    assert moves(BRANCH, planned(A), {}) == []


def test_a_branch_never_planned_has_nothing_to_be_compared_with() -> None:
    assert moves(BRANCH, RefState(), {MAIN: B}) == [(MAIN, None, B)]


def test_tags_at_first_sight_set_the_cursor_to_the_highest_version() -> None:
    tips = {"refs/tags/v1.10": A, "refs/tags/v1.9": B, "refs/tags/v2.0-rc1": C}
    assert moves(TAGS, RefState(), tips) == [("refs/tags/v2.0-rc1", None, C)]
    assert is_news(TAGS, RefState(), tips)


def test_tags_at_first_sight_of_a_ref_already_planned_are_compared_with_its_cursor() -> None:
    tips = {"refs/tags/v1": A, "refs/tags/v2": B}
    assert moves(TAGS, planned(A), tips) == [("refs/tags/v2", A, B)]
    state = planned(B)
    assert moves(TAGS, state, tips) == []
    assert is_news(TAGS, state, tips)  # they are still to be remembered


def test_new_tags_are_compared_each_with_the_one_planned_before() -> None:
    seen = {"refs/tags/v1": A}
    state = planned(A, tips=seen)
    tips = {**seen, "refs/tags/v3": C, "refs/tags/v2": B}
    assert moves(TAGS, state, tips) == [("refs/tags/v2", A, B), ("refs/tags/v3", B, C)]


def test_a_version_is_also_compared_with_its_own_line() -> None:
    seen = {"refs/tags/v1.9.4": A, "refs/tags/v2.0.0": B}
    backport = {**seen, "refs/tags/v1.9.5": C}
    (move,) = moved_tips(TAGS, planned(B, tips=seen), backport)
    assert (move.base, move.older, move.bases) == (B, A, (B, A))
    (move,) = moved_tips(TAGS, planned(C, tips=backport), {**backport, "refs/tags/v2.0.1": D})
    assert (move.base, move.older) == (C, B)
    (move,) = moved_tips(TAGS, planned(C, tips=backport), {**backport, "refs/tags/v1.9.4": D})
    assert (move.base, move.older) == (C, A)  # a tag that was moved comes from where it was
    (move,) = moved_tips(TAGS, planned(B, tips=seen), {"refs/tags/v2.0.1": D})
    assert move.bases == (B,)  # tags that are gone are no line to come from


def test_a_tag_that_was_moved_is_planned_and_one_that_is_gone_is_not() -> None:
    state = RefState(
        cursor=B, told=B, was_planned=True, tips={"refs/tags/v1": A, "refs/tags/v2": B}
    )
    assert moves(TAGS, state, {"refs/tags/v1": D}) == [("refs/tags/v1", B, D)]
    assert moves(TAGS, state, {}) == []


def test_a_new_tag_on_a_planned_commit_is_planned_as_no_change() -> None:
    state = planned(A, tips={"refs/tags/v1": A})
    assert moves(TAGS, state, {"refs/tags/v1": A, "refs/tags/v2": A}) == [("refs/tags/v2", A, A)]


def test_after_a_fallback_the_tip_is_planned_also_where_it_has_not_moved() -> None:
    state = RefState(cursor=A, told=B, was_planned=True)
    for tip in (A, B, C):
        assert moved_tips(BRANCH, state, {MAIN: tip}) == (Move(ref=MAIN, base=A, tip=tip, told=B),)
    assert moved_tips(BRANCH, state, {}) == ()


def test_after_a_fallback_a_wildcard_is_planned_at_its_highest_version() -> None:
    tips = {"refs/tags/v1": A, "refs/tags/v2": C}
    state = RefState(cursor=A, told=B, was_planned=True, tips=tips)
    assert is_news(TAGS, state, tips)
    (move,) = moved_tips(TAGS, state, tips)
    assert (move.ref, move.base, move.told, move.tip) == ("refs/tags/v2", A, B, C)


def test_only_a_branch_can_be_missing() -> None:
    assert missing_ref(BRANCH, {}) == "the Git host has no refs/heads/main"
    assert missing_ref(BRANCH, {MAIN: A}) is None
    assert missing_ref(TAGS, {}) is None


@pytest.mark.parametrize(
    "ordered",
    [
        ["v1", "v2", "v10"],
        ["v1.9.0", "v1.10.0-rc.1", "v1.10.0-rc.2", "v1.10.0"],
        ["release-1", "release-2", "release-11"],
        ["1.0", "a", "b1", "b02", "b3"],
    ],
)
def test_names_sort_as_versions(ordered: list[str]) -> None:
    assert sorted(reversed(ordered), key=version_key) == ordered


def test_a_push_to_the_tip_is_covered() -> None:
    assert judge([waits(A, B)], B) == ([B], [], [])


def test_a_push_to_an_unknown_commit_waits_until_the_timeout() -> None:
    waiting = [waits(A, B)]
    assert judge(waiting, A) == ([], [B], [])
    assert judge(waiting, A, seconds=TIMEOUT_SECONDS - 1) == ([], [B], [])
    assert judge(waiting, A, seconds=TIMEOUT_SECONDS) == ([], [], [B])


def test_a_push_to_a_commit_the_clone_has_is_covered() -> None:
    assert judge([waits(A, B)], C, B) == ([B], [], [])


def test_a_push_that_another_one_followed_is_covered() -> None:
    assert judge([waits(A, B, is_followed=True), waits(B, C)], C) == ([B, C], [], [])


def test_a_push_back_to_a_known_commit_waits_while_the_host_shows_where_it_began() -> None:
    assert judge([waits(B, A)], B, A) == ([], [A], [])


def test_a_push_back_waits_also_where_an_older_push_began_at_its_commit() -> None:
    assert judge([waits(B, A, is_followed=True)], B, A) == ([], [A], [])


def test_a_push_away_is_covered_by_the_one_that_led_back() -> None:
    assert judge([waits(A, B, is_followed=True), waits(B, A)], A) == ([B, A], [], [])


def test_a_push_that_began_where_the_ref_was_has_arrived_when_it_moved() -> None:
    assert judge([waits(A, B)], C, base=A) == ([B], [], [])
    assert judge([waits(B, C)], D, base=A) == ([], [C], [])


def test_a_push_waits_while_its_ref_is_not_there() -> None:
    assert judge([waits(A, B)], None) == ([], [B], [])


def test_the_plan_belongs_to_the_push_that_made_the_tip() -> None:
    closings = close_with_plan([waits(A, B), waits(B, C), waits(C, D)], C)
    assert closings[0] == Closing(delivery="to-3", ref=MAIN, status="routed")
    assert [closing.delivery for closing in closings[1:]] == ["to-2", "to-4"]
    assert all("to-3" in closing.reason for closing in closings[1:])
    assert close_with_plan([], C) == ()


def test_without_a_plan_what_is_covered_is_closed_with_a_reason() -> None:
    judged = Judged(covered=(waits(A, B),), late=(waits(B, C),))
    routed, late = close_judged(judged, None, missing=None)
    assert (routed.status, late.status) == ("routed", "not_visible")
    assert routed.reason and "in time" in late.reason
