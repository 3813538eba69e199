"""Several updates of one entry in one delivery: planned together where nothing is known of them."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.model import Delivery, DeliveryStory, Saved
from router.core.plan import APART, JOINED
from router.core.push import Push, RefUpdate
from router.core.routing import Hook, Routing
from router.flow.accept import DELETED, plan_push
from router.flow.definitions import describe_activation
from router.flow.explain import explain_delivery
from tests.builders import URL, ZERO, commit, make_repository, make_routing, make_update
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore

HOOK = Hook(name="github", provider="github")
TAGS = make_repository({"a": ["a"], "b": ["b"]}, name="tags", ref="refs/tags/v*")
MAIN = make_repository({"c": ["c"]}, name="main")
WHY = "the payload lists no files"
CREATED = "the ref was created"


class Deliveries:
    """Plans and saves deliveries, one after the other."""

    def __init__(self, routing: Routing) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.routing = routing

    async def open(self) -> Deliveries:
        await self.store.activate(describe_activation(self.routing, ""), adopt=lambda _names: [])
        return self

    async def save(self, *updates: RefUpdate) -> Saved:
        push = Push(repository_urls=(URL,), updates=updates, delivery_id=None)
        planned = await plan_push(self.routing, HOOK, push)
        delivery = Delivery(
            id=self.clock.new_id(),
            origin="webhook",
            received_at=self.clock.now(),
            status=planned.status,
            reason=planned.reason,
            hook="github",
            updates=planned.records,
        )
        return await self.store.save_delivery(delivery, planned.intents, generation=1)


@pytest.fixture
async def deliveries() -> Deliveries:
    return await Deliveries(make_routing(TAGS, MAIN, generation=1)).open()


def tag(number: int, **fields: Any) -> RefUpdate:
    return make_update(
        **{
            "ref": f"refs/tags/v{number}",
            "before": ZERO,
            "after": commit(number),
            "incomplete": WHY,
            "paths": (),
            **fields,
        }
    )


async def test_the_last_of_several_updates_plans_for_all(deliveries: Deliveries) -> None:
    saved = await deliveries.save(tag(1), tag(2), tag(3))
    (plan,) = [item.plan for item in saved.plans]
    assert (plan.ref, plan.commit, plan.knowledge) == ("refs/tags/v3", commit(3), "unknown")
    assert [match.layer for match in plan.matches] == ["a", "b"]
    assert plan.cursor == commit(3)
    told = [(record.after, record.status, record.reason) for record in saved.delivery.updates]
    assert told == [
        (commit(1), "routed", JOINED),
        (commit(2), "routed", JOINED),
        (commit(3), "routed", ""),
    ]
    wanted = {each.receiver: each.wanted for each in await deliveries.store.receivers()}
    assert (wanted["prod/flux-system/a"], wanted["prod/flux-system/b"]) == (1, 1)


async def test_an_explanation_says_of_each_that_every_layer_is_called(
    deliveries: Deliveries,
) -> None:
    await deliveries.save(tag(1))
    saved = await deliveries.save(known(2, before=commit(1)), tag(3))
    story = DeliveryStory(position=1, delivery=saved.delivery, plans=saved.plans)
    told = await explain_delivery(deliveries.routing, story)
    assert [each.reason for each in told if each.after == commit(2)] == [JOINED]
    assert all(verdict.now.is_affected for each in told for verdict in each.verdicts)


async def test_commits_that_another_update_planned_for_count_as_seen(
    deliveries: Deliveries,
) -> None:
    await deliveries.save(tag(1), tag(2), tag(3))
    late = await deliveries.save(tag(1, before=commit(9)))
    assert late.plans[0].plan.cursor is None  # it may be the old push that comes late
    again = await deliveries.save(tag(4), tag(2))
    assert again.plans[0].plan.cursor is None


async def test_a_joint_plan_trusts_no_cursor_that_an_update_before_it_may_have_moved(
    deliveries: Deliveries,
) -> None:
    await deliveries.save(tag(1))
    await deliveries.save(tag(2))
    both = await deliveries.save(tag(3), tag(1, before=commit(2)))
    assert both.plans[0].plan.cursor is None


def known(number: int, **fields: Any) -> RefUpdate:
    return tag(number, **{"paths": ("a/x",), "incomplete": None, **fields})


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        ([known(2, before=commit(1)), tag(3)], CREATED),
        ([tag(2, before=commit(1)), known(3, before=commit(9))], WHY),
        ([known(2, before=commit(1)), tag(3), tag(4, after=ZERO, before=commit(4))], CREATED),
        ([known(2, before=commit(1)), known(3, before=commit(1))], APART),
    ],
)
async def test_every_layer_is_called_once_where_one_update_is_not_known(
    deliveries: Deliveries, updates: list[RefUpdate], reason: str
) -> None:
    await deliveries.save(tag(1))
    saved = await deliveries.save(*updates)
    (plan,) = [item.plan for item in saved.plans]
    assert (plan.knowledge, plan.commit) == ("unknown", commit(3))
    assert plan.reason.startswith(reason)
    assert [want.layers for want in plan.wants] == [("a",), ("b",)]


async def test_updates_that_follow_one_another_are_planned_one_by_one(
    deliveries: Deliveries,
) -> None:
    await deliveries.save(tag(1))
    saved = await deliveries.save(
        known(2, before=commit(1)), known(3, before=commit(2), paths=("b/x",))
    )
    assert [item.plan.knowledge for item in saved.plans] == ["payload", "payload"]
    assert [want.layers for item in saved.plans for want in item.plan.wants] == [("a",), ("b",)]


async def test_a_forced_move_among_those_that_follow_one_another_leaves_the_next_push_exact(
    deliveries: Deliveries,
) -> None:
    await deliveries.save(tag(2))
    saved = await deliveries.save(known(3, before=commit(2)), tag(1, before=commit(3), forced=True))
    assert [item.plan.knowledge for item in saved.plans] == ["payload", "unknown"]
    (item,) = (await deliveries.save(known(4, before=commit(1)))).plans
    assert (item.plan.knowledge, [want.layers for want in item.plan.wants]) == (
        "payload", [("a",)],
    )  # fmt: skip


async def test_very_many_of_them_are_planned_together_nevertheless() -> None:
    layers = {f"l{number}": ["a"] for number in range(100)}
    many = make_repository(layers, name="many", ref="refs/tags/v*")
    deliveries = await Deliveries(make_routing(many, generation=1)).open()
    chain = [tag(number, before=commit(number - 1)) for number in range(1, 102)]
    saved = await deliveries.save(*chain)
    (item,) = saved.plans
    assert (item.plan.commit, len(item.plan.matches)) == (commit(101), 100)
    again = await deliveries.save(*chain[:100])
    assert len(again.plans) == 100


async def test_each_entry_has_a_plan_and_deleted_refs_have_none(deliveries: Deliveries) -> None:
    branch = make_update(incomplete=WHY, paths=())
    saved = await deliveries.save(tag(1), tag(2, after=ZERO, before=commit(2)), branch, tag(4))
    assert [(item.plan.repository, item.plan.ref) for item in saved.plans] == [
        ("main", "refs/heads/main"),
        ("tags", "refs/tags/v4"),
    ]
    assert [record.reason for record in saved.delivery.updates] == [JOINED, DELETED, "", ""]
