"""The judge of a soak sees each violation, and finds none where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.soak.history import Call, History, Push, Window
from bench.soak.judge import MAX_EXAMPLES, RECORD_SECONDS, judge

A, B, SHARED = "prod/flux/a", "prod/flux/b", "prod/flux/shared"
RECEIVERS = {"a": {A}, "b": {B}, "c": {SHARED}, "d": {SHARED}}
EVERY = frozenset(RECEIVERS)


def push(number: int, *layers: str, at: float | None = None, **changed: object) -> Push:
    """A push that was sent at its number's second and answered 202 half a second later."""
    sent_at = float(number) if at is None else at
    named = frozenset(layers or ("a",))
    made = Push(
        id=f"push-{number}",
        sent_at=sent_at,
        answered_at=sent_at + 0.5,
        status=202,
        delivery=f"d{number}",
        layers=named,
        receivers=frozenset().union(*(RECEIVERS[layer] for layer in named)),
        changed=named,
        every=EVERY,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def call(
    at: float, *numbers: int, receiver: str = A, status: int | None = 200, seconds: float = 0.1
) -> Call:
    """A call that was answered after *seconds*; without a status it had no answer."""
    return Call(
        receiver=receiver,
        deliveries=frozenset(f"d{number}" for number in numbers),
        started_at=at,
        answered_at=None if status is None else at + seconds,
        status=status,
        closed_at=at + seconds,
        worked_until=at + seconds,
    )


def counts(history: History) -> dict[str, int]:
    """What is counted, but for nothing at all."""
    return {name: count for name, count in judge(history).counts.items() if count}


def test_a_history_in_which_nothing_is_wrong() -> None:
    history = History(
        pushes=(
            push(1, *EVERY),
            push(2, "a"),
            push(3, "c", "d"),
            push(4, "b"),
            push(5, "a", status=503, delivery=None, layers=frozenset(), receivers=frozenset()),
        ),
        calls=(
            call(1.2, 1),  # before its sender has the 202
            call(1.6, 1, receiver=B, status=500),
            call(1.9, 1, receiver=B, status=None, seconds=2.0),
            call(4.6, 1, 4, receiver=B),
            call(1.6, 1, receiver=SHARED),
            call(2.6, 2),
            call(3.6, 3, receiver=SHARED),
        ),
    )
    verdict = judge(history)
    assert verdict.broken == ()
    assert counts(history) == {"covered": 4}


@pytest.mark.parametrize(
    "calls",
    [
        (),
        (call(1.6, 1, status=500), call(2.6, 1, status=503)),
        (call(1.6, 1, status=None),),
        (call(1.6, 1, receiver=B),),
        (call(1.6, 7),),  # later, but nobody knows whether that delivery came after it
        (call(0.2, 2),),  # names a later push, but started before this one was saved
    ],
)
def test_a_push_that_no_success_covers_is_missing(calls: tuple[Call, ...]) -> None:
    history = History(pushes=(push(1), push(2, "b")), calls=calls)
    assert counts(history)["missing"] >= 1
    assert any(
        "push push-1 (d1) never reached prod/flux/a" in each for each in judge(history).broken
    )


def test_a_push_counts_as_covered_only_with_all_its_receivers() -> None:
    history = History(pushes=(push(1, "a", "b"),), calls=(call(1.6, 1),))
    assert counts(history) == {"missing": 1}


def test_a_later_number_covers_an_earlier_push_that_is_not_named() -> None:
    history = History(pushes=(push(1), push(2)), calls=(call(2.6, 2),))
    assert counts(history) == {"covered": 2, "covered by a later call": 1}


def test_pushes_that_were_under_way_at_once_do_not_cover_each_other() -> None:
    """Nobody knows which of them got the higher number."""
    history = History(pushes=(push(1), push(2, at=1.2)), calls=(call(2.6, 2),))
    assert counts(history) == {"covered": 1, "missing": 1}


def test_a_push_that_is_sent_again_is_the_delivery_that_its_answer_names() -> None:
    again = replace(push(1), sent_at=5.0, answered_at=5.5)
    history = History(pushes=(push(1), again), calls=(call(1.6, 1),))
    assert counts(history) == {"covered": 2}


@pytest.mark.parametrize("layers", [("b",), ("a", "b"), ()])
def test_an_answer_with_other_layers_than_those_that_changed_is_misrouted(
    layers: tuple[str, ...],
) -> None:
    wrong = push(1, layers=frozenset(layers), changed=frozenset({"a"}), receivers=frozenset())
    assert counts(History(pushes=(wrong,)))["misrouted"] == 1


def test_calls_of_one_receiver_that_meet_overlap() -> None:
    history = History(pushes=(push(1), push(2)), calls=(call(1.6, 1, seconds=2.0), call(3.5, 2)))
    assert counts(history)["overlaps"] == 1
    assert judge(history).broken == (
        "overlaps: prod/flux/a was called 0.100 s before a call had ended",
    )


def test_calls_of_two_receivers_may_meet() -> None:
    history = History(pushes=(push(1, "a", "b"),), calls=(call(1.6, 1), call(1.6, 1, receiver=B)))
    assert judge(history).broken == ()


def test_a_call_that_the_router_gave_up_is_over() -> None:
    hung = replace(call(1.6, 1, status=None, seconds=2.0), worked_until=9.0)
    history = History(pushes=(push(1),), calls=(hung, call(4.0, 1)))
    assert judge(history).broken == ()


def test_a_call_that_a_kill_orphaned_may_be_overlapped_and_is_counted_apart() -> None:
    orphan = replace(call(1.6, 1, status=None, seconds=0.4), worked_until=9.0)
    kill = Window(began_at=1.9, ended_at=2.1)
    history = History(pushes=(push(1),), calls=(orphan, call(4.0, 1)), kills=(kill,))
    assert judge(history).broken == ()
    assert counts(history) == {"covered": 1, "overlaps, orphaned": 1}


def test_a_kill_excuses_no_overlap_with_a_call_that_was_not_under_way() -> None:
    kill = Window(began_at=9.0, ended_at=9.1)
    calls = (call(1.6, 1, seconds=2.0), call(3.5, 2))
    history = History(pushes=(push(1), push(2)), calls=calls, kills=(kill,))
    assert counts(history)["overlaps"] == 1


def test_a_second_success_for_nothing_new_is_needless() -> None:
    history = History(pushes=(push(1),), calls=(call(1.6, 1), call(3.0, 1)))
    assert counts(history) == {"covered": 1, "needless": 1}
    assert judge(history).broken == ("needless: prod/flux/a was called again for ['d1']",)


def test_a_success_that_names_nothing_is_needless() -> None:
    assert counts(History(calls=(call(1.6),)))["needless"] == 1


@pytest.mark.parametrize("is_kill", [True, False])
@pytest.mark.parametrize(
    ("began_at", "is_excused"),
    [(1.65, True), (1.7 + RECORD_SECONDS, True), (1.8 + RECORD_SECONDS, False), (0.9, False)],
)
def test_a_repeat_is_explained_by_what_kept_its_record_from_the_store(
    is_kill: bool, began_at: float, is_excused: bool
) -> None:
    window = Window(began_at=began_at, ended_at=began_at + 0.1)
    calls = (call(1.6, 1), call(9.0, 1))
    history = History(
        pushes=(push(1),),
        calls=calls,
        kills=(window,) if is_kill else (),
        outages=() if is_kill else (window,),
    )
    assert (judge(history).broken == ()) is is_excused
    assert counts(history)["repeated, explained" if is_excused else "needless"] == 1


def test_a_call_for_a_push_of_other_layers_is_needless() -> None:
    history = History(
        pushes=(push(1, "b"),), calls=(call(1.6, 1, receiver=B), call(1.6, 1, receiver=A))
    )
    assert counts(history) == {"covered": 1, "needless": 1}


def test_ids_that_nothing_accounts_for_are_needless() -> None:
    unanswered = push(2, status=None, answered_at=None, delivery=None, receivers=frozenset())
    history = History(
        pushes=(push(1), unanswered), calls=(call(1.6, 1), call(2.0, 7), call(3.0, 8), call(4.0, 9))
    )
    assert counts(replace(history, adoptions=2)) == {"covered": 1}
    assert counts(replace(history, adoptions=1)) == {"covered": 1, "needless": 1}


def test_a_delivery_that_is_gone_is_lost_also_when_a_later_call_covers_it() -> None:
    history = History(pushes=(push(1), push(2)), calls=(call(2.6, 2),), lost=frozenset({"d1"}))
    assert counts(history) == {"covered": 2, "covered by a later call": 1, "lost": 1}
    assert judge(history).broken == ("lost: delivery d1 was answered 202 and is gone",)


def test_calls_of_unknown_paths_are_needless() -> None:
    assert counts(History(strangers=2))["needless"] == 2


def test_a_soak_that_did_not_drain_is_broken() -> None:
    (sentence,) = judge(History(is_idle=False)).broken
    assert sentence.startswith("idle: ")


def test_of_many_broken_promises_a_few_are_told_and_the_rest_counted() -> None:
    history = History(pushes=tuple(push(number) for number in range(20)))
    told = judge(history).broken
    assert len(told) == MAX_EXAMPLES + 1
    assert told[-1] == f"missing: and {20 - MAX_EXAMPLES} more"
