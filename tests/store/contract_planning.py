"""What every store does with plans: their matches, and the cursors and numbers of their refs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.model import Intent, Match, RefState, TrackedRef
from tests.store.builders import (
    APP1,
    MAIN,
    STAGING_APP1,
    Asking,
    make_delivery,
    make_intent,
    make_plan,
    make_want,
    save,
)

if TYPE_CHECKING:
    from router.core.model import Plan, Saved
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock

ZERO = "0" * 40
OCI = "oci://ghcr.io/acme/app"
SAME1 = Match(layer="app1", is_affected=True, reason="not known: forced")
SAME2 = replace(SAME1, layer="app2")
STRANGER = replace(SAME1, layer="wanted by nobody")
SHAPES: dict[str, tuple[Match, ...]] = {
    "none": (),
    "one reason for all": (SAME1, SAME2),
    "another order than the wants": (SAME2, SAME1),
    "a layer without a want": (SAME1, STRANGER, SAME2),
    "not every want's layer": (SAME2,),
    "a layer twice": (SAME1, SAME2, SAME1),
    "several reasons": (SAME1, replace(SAME2, reason="adopted"), STRANGER),
    "an empty reason": (replace(SAME1, reason=""), replace(SAME2, reason="")),
    "a path": (SAME1, replace(SAME2, path="a/b")),
    "an empty path": (SAME1, replace(SAME2, path="")),
    "a pattern": (replace(SAME1, pattern="a/"), SAME2),
    "not affected": (SAME1, replace(SAME2, is_affected=False)),
    "none affected": (replace(SAME1, is_affected=False),),
}


def seen(before: str, after: str) -> Intent:
    """An update of which nothing is planned."""
    return Intent(decide=lambda state: None, tracked=MAIN, before=before, after=after)


class PlanningContract:
    async def test_a_thousand_matches_keep_their_order(
        self, store: Store, clock: FakeClock
    ) -> None:
        matches = tuple(
            Match(layer=f"layer{number}", is_affected=number % 2 == 0, reason="why")
            for number in range(1000)
        )
        wants = tuple(make_want(f"prod/flux-system/r{number}") for number in range(1000))
        plan = make_plan(*wants, matches=matches)
        delivery = make_delivery(clock)
        await store.save_delivery(delivery, [Intent(decide=lambda state: plan)], generation=1)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert story.plans[0].plan == plan

    @pytest.mark.parametrize("matches", SHAPES.values(), ids=SHAPES)
    async def test_matches_of_any_shape_are_read_back_exactly(
        self, store: Store, clock: FakeClock, matches: tuple[Match, ...]
    ) -> None:
        plan = make_plan(
            make_want(APP1, "app1"), make_want(STAGING_APP1, "app1", "app2"), matches=matches
        )
        delivery = make_delivery(clock)
        await store.save_delivery(delivery, [Intent(decide=lambda state: plan)], generation=1)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert [saved.plan for saved in story.plans] == [plan]

    async def test_an_update_that_plans_nothing_is_remembered_and_no_more(
        self, store: Store, clock: FakeClock
    ) -> None:
        delivery = make_delivery(clock, status="ignored")
        saved = await store.save_delivery(delivery, [seen("b1", "c1")], generation=1)
        assert (saved.plans, saved.is_duplicate) == ((), False)
        story = await store.delivery(delivery.id)
        assert story is not None
        assert (story.delivery, story.plans) == (delivery, ())
        assert await store.receivers() == []
        asking = Asking(make_plan())
        planned = await self._ask(store, clock, asking, before="x", after="b1")
        await self._ask(store, clock, asking, before="x", after="c1")
        assert [(state.was_planned, state.is_tip_known) for state in asking.states] == [
            (False, True),
            (True, True),
        ]
        assert planned.plans[0].sequence == 1

    async def test_an_update_that_plans_nothing_leaves_cursor_and_sequence_alone(
        self, store: Store, clock: FakeClock
    ) -> None:
        asking = Asking(make_plan(cursor="c1"))
        await self._ask(store, clock, asking, after="c1")
        intents = [seen("b1", "c2"), Intent(decide=asking, tracked=MAIN, after="c3")]
        saved = await store.save_delivery(make_delivery(clock), intents, generation=1)
        assert [plan.sequence for plan in saved.plans] == [2]
        last = await self._ask(store, clock, asking, after="c2")
        known = RefState(cursor="c1", was_planned=True, is_tip_known=True)
        assert asking.states[1:] == [replace(known, is_tip_known=False), known]
        assert last.plans[0].sequence == 3

    async def test_an_untracked_intent_may_plan_nothing_too(
        self, store: Store, clock: FakeClock
    ) -> None:
        intents = [Intent(decide=lambda state: None, after="c1"), make_intent(make_want())]
        saved = await store.save_delivery(make_delivery(clock), intents, generation=1)
        assert [plan.sequence for plan in saved.plans] == [1]

    async def test_the_first_plan_of_a_ref_knows_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        asking = Asking(make_plan())
        await self._ask(store, clock, asking, after="c1")
        assert asking.states == [RefState()]

    async def test_a_plan_is_made_against_the_cursor_left_by_the_one_before(
        self, store: Store, clock: FakeClock
    ) -> None:
        asking = Asking(make_plan(cursor="c1"))
        await self._ask(store, clock, asking, before="b1", after="c1")
        await self._ask(store, clock, asking, before="c1", after="c2")
        await self._ask(store, clock, asking, before="x", after="b1")
        assert asking.states[1:] == [
            RefState(cursor="c1", was_planned=True, is_tip_known=False),
            RefState(cursor="c1", was_planned=True, is_tip_known=True),
        ]

    async def test_an_unset_cursor_stays_a_planned_ref(
        self, store: Store, clock: FakeClock
    ) -> None:
        asking = Asking(make_plan(cursor=None))
        await self._ask(store, clock, asking, after="c1")
        await self._ask(store, clock, asking, after="c2")
        assert asking.states[1] == RefState(cursor=None, was_planned=True, is_tip_known=False)

    async def test_two_updates_of_one_delivery_are_planned_in_order(
        self, store: Store, clock: FakeClock
    ) -> None:
        asking = Asking(make_plan(cursor="c2"))
        intents = [make_intent(after="c1"), Intent(decide=asking, tracked=MAIN, after="c2")]
        saved = await store.save_delivery(make_delivery(clock), intents, generation=1)
        assert asking.states == [RefState(cursor="c1", was_planned=True)]
        assert [plan.sequence for plan in saved.plans] == [1, 2]

    async def test_a_plan_without_a_ref_moves_no_cursor_and_takes_no_number(
        self, store: Store, clock: FakeClock
    ) -> None:
        await save(store, clock, after="c1")
        untracked = make_intent(make_want(), tracked=None, after="c9")
        saved = await store.save_delivery(make_delivery(clock), [untracked], generation=1)
        assert saved.plans[0].sequence is None
        asking = Asking(make_plan())
        await self._ask(store, clock, asking, after="c9")
        assert asking.states == [RefState(cursor="c1", was_planned=True)]

    async def test_a_digest_is_the_cursor_of_an_artifact_s_tag(
        self, store: Store, clock: FakeClock
    ) -> None:
        digests = ("sha256:" + "1" * 64, "sha512:" + "2" * 128)
        for tag in ("main", "v1_0.x-Y"):
            here = TrackedRef(repository=OCI, url="ghcr:ghcr.io/acme/app", ref=tag)
            asking = []
            for digest in digests:
                plan = replace(
                    make_plan(make_want(), commit=digest, cursor=digest, told=digest),
                    repository=OCI,
                    ref=tag,
                    knowledge="exact",
                )
                asking.append(Asking(plan))
                intent = Intent(decide=asking[-1], tracked=here, after=digest)
                delivery = make_delivery(clock)
                await store.save_delivery(delivery, [intent], generation=1)
                story = await store.delivery(delivery.id)
                assert story is not None
                assert [saved.plan for saved in story.plans] == [plan]
            assert [each.states for each in asking] == [
                [RefState()],
                [RefState(cursor=digests[0], told=digests[0], was_planned=True)],
            ]

    async def test_the_zero_commit_is_never_known(self, store: Store, clock: FakeClock) -> None:
        asking = Asking(make_plan())
        await self._ask(store, clock, asking, before=ZERO, after="c1")
        await self._ask(store, clock, asking, before="c1", after=ZERO)
        await self._ask(store, clock, asking, before="c1", after=ZERO)
        assert not any(state.is_tip_known for state in asking.states)

    async def test_a_decision_that_raises_saves_nothing(
        self, store: Store, clock: FakeClock
    ) -> None:
        def fail(state: RefState) -> Plan:
            raise ZeroDivisionError

        delivery = make_delivery(clock)
        intents = [make_intent(make_want()), Intent(decide=fail, tracked=MAIN, after="c2")]
        with pytest.raises(ZeroDivisionError):
            await store.save_delivery(delivery, intents, generation=1)
        assert await store.delivery(delivery.id) is None
        assert await store.receivers() == []
        asking = Asking(make_plan())
        await self._ask(store, clock, asking, after="c1")
        assert asking.states == [RefState()]

    async def _ask(
        self,
        store: Store,
        clock: FakeClock,
        asking: Asking,
        *,
        before: str | None = None,
        after: str,
    ) -> Saved:
        intent = Intent(decide=asking, tracked=MAIN, before=before, after=after)
        return await store.save_delivery(make_delivery(clock), [intent], generation=1)
