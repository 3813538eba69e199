"""Dispatch: every wanted receiver is called, never two calls at once, never given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from router.flow.definitions import describe_activation
from router.flow.dispatch import LEASE_MARGIN_SECONDS
from tests.builders import make_layer, make_repository, make_routing
from tests.fakes.receivers import REFUSED, UNREACHABLE, Answer
from tests.flow.conftest import Dispatch, MakeDispatch, key, small_routing, until


async def test_a_wanted_receiver_is_called_once_and_is_idle_then(dispatch: Dispatch) -> None:
    dispatch.start()
    await dispatch.want("a")
    await dispatch.wait_for_attempts(1)
    assert (await dispatch.status("a")).state == "idle"
    assert dispatch.receivers.called() == [key("a")]
    assert dispatch.observer.retry_seconds == [None]


async def test_what_was_wanted_before_the_start_is_called(dispatch: Dispatch) -> None:
    await dispatch.want("a", "b")
    dispatch.start()
    await dispatch.wait_for_attempts(2)
    assert sorted(dispatch.receivers.called()) == [key("a"), key("b")]


async def test_a_burst_becomes_one_running_call_and_one_to_follow(dispatch: Dispatch) -> None:
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    for _ in range(50):
        await dispatch.want("a")
    dispatch.receivers.release(key("a"))
    await dispatch.wait_for_attempts(2)
    assert dispatch.receivers.called() == [key("a")] * 2
    _, second = dispatch.receivers.calls[1]
    assert (second.wanted, len(second.asked)) == (51, 50)
    assert not dispatch.receivers.overlapped


async def test_a_failed_call_is_tried_again_after_its_delay_and_not_before(
    dispatch: Dispatch,
) -> None:
    dispatch.receivers.script(key("a"), REFUSED, REFUSED)
    dispatch.start()
    await dispatch.want("a")
    await dispatch.wait_for_attempts(1)
    await dispatch.pass_seconds(0.49)
    await dispatch.want("b")  # b's call shows that the dispatcher has looked
    await dispatch.wait_for_attempts(2)
    assert dispatch.receivers.called() == [key("a"), key("b")]
    await dispatch.pass_seconds(0.02)
    await dispatch.wait_for_attempts(3)
    assert dispatch.receivers.called()[-1] == key("a")
    assert dispatch.observer.retry_seconds == [0.5, None, 1.0]


async def test_retry_after_is_honoured(dispatch: Dispatch) -> None:
    answer = Answer(outcome="rejected", status=503, retry_after_seconds=120.0)
    dispatch.receivers.script(key("a"), answer)
    dispatch.start()
    await dispatch.want("a")
    await dispatch.wait_for_attempts(1)
    assert dispatch.observer.retry_seconds == [120.0]


async def test_a_receiver_that_keeps_failing_is_stuck_and_still_tried(dispatch: Dispatch) -> None:
    dispatch.receivers.script(key("a"), *[REFUSED] * 12)
    dispatch.start()
    await dispatch.want("a")
    for count in range(1, 13):
        await dispatch.wait_for_attempts(count)
        await dispatch.pass_seconds(300)
    await dispatch.wait_for_attempts(13)
    assert [attempt.outcome for attempt in dispatch.observer.attempts][-1] == "notified"
    assert max(seconds or 0 for seconds in dispatch.observer.retry_seconds) == 150.0


async def test_ten_failures_are_stuck(dispatch: Dispatch) -> None:
    dispatch.receivers.script(key("a"), *[REFUSED] * 10)
    dispatch.start()
    await dispatch.want("a")
    for count in range(1, 10):
        await dispatch.wait_for_attempts(count)
        assert (await dispatch.status("a")).state == "retrying"
        await dispatch.pass_seconds(300)
    await dispatch.wait_for_attempts(10)
    assert (await dispatch.status("a")).state == "stuck"


async def test_the_first_success_on_a_cluster_wakes_its_waiting_receivers(
    dispatch: Dispatch,
) -> None:
    for name in ("a", "b"):
        dispatch.receivers.script(key(name), *[UNREACHABLE] * 8)
    dispatch.start()
    await dispatch.want("a", "b")
    for count in range(2, 17, 2):
        await dispatch.wait_for_attempts(count)
        await dispatch.pass_seconds(0 if count == 16 else 300)
    await dispatch.want("c")  # the cluster is back
    await dispatch.wait_for_attempts(19)
    assert [attempt.outcome for attempt in dispatch.observer.attempts[16:]] == ["notified"] * 3


@pytest.mark.parametrize(("calls", "per_cluster", "most"), [(10, 2, 4), (3, 10, 3), (3, 2, 3)])
async def test_concurrency_is_bounded_overall_and_for_each_cluster(
    make_dispatch: MakeDispatch, calls: int, per_cluster: int, most: int
) -> None:
    names = [f"l{number}" for number in range(6)]
    layers = [make_layer(name, [name], clusters=("one", "two")) for name in names]
    routing = make_routing(make_repository(layers), generation=1)
    dispatch = await make_dispatch(routing, calls=calls, calls_per_cluster=per_cluster)
    for receiver in routing.receivers:
        dispatch.receivers.hold(receiver)
    await dispatch.want(*names)
    dispatch.start()
    await dispatch.receivers.wait_for_calls(most)
    for receiver in routing.receivers:
        dispatch.receivers.release(receiver)
    await dispatch.wait_for_attempts(12)
    assert dispatch.receivers.most_at_once == most
    assert sorted(dispatch.receivers.called()) == sorted(routing.receivers)


async def test_a_cluster_that_hangs_does_not_hold_up_another(make_dispatch: MakeDispatch) -> None:
    names = [f"l{number}" for number in range(5)]
    layers = [make_layer(name, [name], clusters=("dead", "live")) for name in names]
    routing = make_routing(make_repository(layers), generation=1)
    dispatch = await make_dispatch(routing, calls=4, calls_per_cluster=2)
    for name in names:
        dispatch.receivers.hold(key(name, "dead"))
    dispatch.start()
    await dispatch.want(*names)
    await dispatch.wait_for_attempts(5)
    assert {attempt.receiver.split("/")[0] for attempt in dispatch.observer.attempts} == {"live"}
    for name in names:
        dispatch.receivers.release(key(name, "dead"))
    await dispatch.wait_for_attempts(10)


async def test_a_stop_lets_a_running_call_end(dispatch: Dispatch) -> None:
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    dispatch.stop.set()
    dispatch.dispatcher.wake()
    dispatch.receivers.release(key("a"))
    await dispatch.end()
    assert [attempt.outcome for attempt in dispatch.observer.attempts] == ["notified"]


async def test_a_stop_releases_a_call_that_does_not_end(dispatch: Dispatch) -> None:
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    await dispatch.end()
    assert [attempt.outcome for attempt in dispatch.observer.attempts] == ["cancelled"]
    status = await dispatch.status("a")
    assert (status.state, status.failures) == ("due", 0)  # the next start calls it at once


async def test_a_stopped_dispatcher_starts_no_call(dispatch: Dispatch) -> None:
    dispatch.start()
    await dispatch.end()
    await dispatch.want("a")
    assert dispatch.receivers.called() == []


async def test_a_store_that_is_down_is_waited_for(dispatch: Dispatch) -> None:
    dispatch.start()
    await dispatch.want("a")
    await dispatch.wait_for_attempts(1)
    dispatch.store.is_down = True
    dispatch.dispatcher.wake()

    async def has_failed() -> bool:
        return bool(dispatch.observer.failures)

    await until(has_failed)
    dispatch.store.is_down = False
    await dispatch.want("b")
    await dispatch.wait_for_attempts(2)


async def test_an_outcome_that_cannot_be_recorded_is_called_again_when_the_lease_lapses(
    dispatch: Dispatch,
) -> None:
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    dispatch.store.is_down = True
    dispatch.receivers.release(key("a"))

    async def has_failed() -> bool:
        return any(task == "record" for task, _ in dispatch.observer.failures)

    await until(has_failed)
    dispatch.store.is_down = False
    assert (await dispatch.status("a")).state == "calling"
    await dispatch.pass_seconds(15 + LEASE_MARGIN_SECONDS)
    await dispatch.wait_for_attempts(1)
    assert dispatch.receivers.called() == [key("a")] * 2


async def test_a_defect_of_the_client_is_an_outcome_and_not_a_leak(dispatch: Dispatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    dispatch.receivers.call = broken  # type: ignore[assignment, method-assign]
    dispatch.start()
    await dispatch.want("a")
    await dispatch.wait_for_attempts(1)
    assert dispatch.observer.attempts[0].outcome == "misconfigured"
    assert dispatch.observer.attempts[0].detail == "the call could not be made: ZeroDivisionError"
    assert (await dispatch.status("a")).state == "retrying"


async def test_a_suspended_layer_is_wanted_and_not_called(make_dispatch: MakeDispatch) -> None:
    layers = [make_layer("a", ["a"], is_suspended=True), make_layer("b", ["b"])]
    routing = make_routing(make_repository(layers), generation=1)
    dispatch = await make_dispatch(routing)
    dispatch.start()
    await dispatch.want("a", "b")
    await dispatch.wait_for_attempts(1)
    assert dispatch.receivers.called() == [key("b")]
    assert (await dispatch.status("a")).state == "held"


async def test_lifting_a_suspension_gives_one_call(make_dispatch: MakeDispatch) -> None:
    dispatch = await make_dispatch(small_routing(suspended_clusters=["prod"]))
    dispatch.start()
    for _ in range(3):
        await dispatch.want("a")
    assert dispatch.receivers.called() == []
    lifted = small_routing()
    async with dispatch.in_force.changing:
        await dispatch.store.activate(describe_activation(lifted, ""), adopt=lambda _names: [])
        dispatch.in_force.replace(lifted)
    dispatch.dispatcher.wake()
    await dispatch.wait_for_attempts(1)
    await asyncio.sleep(0)
    assert dispatch.receivers.called() == [key("a")]
    assert (await dispatch.status("a")).state == "idle"


async def test_no_cluster_is_starved_by_the_order_of_the_file(make_dispatch: MakeDispatch) -> None:
    clusters = [f"c{number:02}" for number in range(70)]
    layers = [
        make_layer("everywhere", ["x"], clusters=clusters),
        make_layer("last", ["y"], clusters=clusters[-1:]),
    ]
    routing = make_routing(make_repository(layers), generation=1)
    dispatch = await make_dispatch(routing, calls=2, calls_per_cluster=2)
    dispatch.start()
    await dispatch.want("last")
    await dispatch.wait_for_attempts(1)
    assert dispatch.receivers.called() == [key("last", "c69")]


async def test_a_full_dispatcher_rests_until_a_call_ends(make_dispatch: MakeDispatch) -> None:
    dispatch = await make_dispatch(calls=1)
    for name in ("a", "b"):
        dispatch.receivers.hold(key(name))
    dispatch.start()
    await dispatch.want("a", "b")
    await dispatch.receivers.wait_for_calls(1)
    before = int(dispatch.clock.new_id().removeprefix("id-"))
    for _ in range(100):
        await asyncio.sleep(0)
    # each request for due receivers takes an id: none was made
    assert int(dispatch.clock.new_id().removeprefix("id-")) == before + 1
    for name in ("a", "b"):
        dispatch.receivers.release(key(name))
    await dispatch.wait_for_attempts(2)


async def test_a_mended_receiver_is_not_delayed_by_a_call_of_its_old_definition(
    dispatch: Dispatch,
) -> None:
    dispatch.receivers.script(key("a"), Answer(outcome="rejected", retry_after_seconds=300.0))
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    dispatch.dispatcher.mended([key("a"), key("b")])
    dispatch.receivers.release(key("a"))
    await dispatch.wait_for_attempts(2)
    assert dispatch.observer.retry_seconds == [0.0, None]


async def test_a_claim_of_a_receiver_that_left_the_file_is_given_back(
    dispatch: Dispatch,
) -> None:
    dispatch.in_force.replace(make_routing(make_repository({"b": ["b"]}), generation=1))
    dispatch.start()
    plan_of_before = small_routing()
    dispatch.in_force.current, current = plan_of_before, dispatch.in_force.current
    await dispatch.want("a")
    dispatch.in_force.current = current
    await dispatch.wait_for_attempts(1)
    assert dispatch.observer.attempts[0].detail == "not in the routing file any more"
    assert dispatch.receivers.called() == []
    assert (await dispatch.status("a")).failures == 0


async def test_a_mended_receiver_that_answers_is_as_any_other_afterwards(
    dispatch: Dispatch,
) -> None:
    dispatch.receivers.script(key("a"), Answer(), REFUSED)
    dispatch.receivers.hold(key("a"))
    dispatch.start()
    await dispatch.want("a")
    await dispatch.receivers.wait_for_calls(1)
    dispatch.dispatcher.mended([key("a")])
    dispatch.receivers.release(key("a"))
    await dispatch.wait_for_attempts(1)
    await dispatch.want("a")
    await dispatch.wait_for_attempts(2)
    assert dispatch.observer.retry_seconds == [None, 0.5]


async def test_a_file_that_another_replica_replaced_is_not_dispatched_by(
    dispatch: Dispatch,
) -> None:
    await dispatch.want("a")
    newer = small_routing()
    activation = replace(describe_activation(newer, "two"), digest="two")
    await dispatch.store.activate(activation, adopt=lambda _names: [])
    dispatch.start()

    async def is_noticed() -> bool:
        return dispatch.in_force.outdated.is_set()

    await until(is_noticed)
    assert dispatch.receivers.calls == []
    assert dispatch.observer.failures == []
    dispatch.in_force.replace(replace(newer, generation=2))
    dispatch.dispatcher.wake()
    await dispatch.wait_for_state("a", "idle")
