"""What every store tells of updates that wait for a look at their Git host, and of tracked refs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StaleGeneration
from router.core.model import Intent, RefState, Waiting
from router.core.push import RefUpdate
from tests.store.builders import (
    MAIN,
    accept,
    adopt_nothing,
    make_activation,
    make_closing,
    make_delivery,
    make_intent,
    make_update,
    observe,
    read,
    save,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.model import UpdateRecord
    from router.ports.store import Store
    from tests.fakes.clock import FakeClock

OTHER = "refs/heads/other"
TAGS = replace(MAIN, ref="refs/tags/v*")


def remember(tips: Mapping[str, str]) -> Intent:
    """Tips to remember, and nothing to plan."""
    return Intent(decide=lambda state: None, tracked=TAGS, tips=tips)


class WaitingContract:
    async def test_an_accepted_update_waits_as_its_push_told_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        update = replace(
            make_update(paths=("a/b", "caf\udce9"), incomplete="no lists", ref="refs/heads/\udce9"),
            forced=True,
        )
        delivery = await accept(store, clock, update)
        assert await waiting(store) == [
            Waiting(
                delivery=delivery.id,
                received_at=delivery.received_at,
                update=RefUpdate(
                    ref="refs/heads/\udce9",
                    before="c1",
                    after="c2",
                    forced=True,
                    paths=("a/b", "caf\udce9"),
                    incomplete="no lists",
                ),
                is_followed=False,
            )
        ]
        assert await read(store, delivery) == delivery

    @pytest.mark.parametrize("incomplete", [None, "no lists"])
    async def test_an_update_with_more_paths_than_are_kept_is_incomplete(
        self, store: Store, clock: FakeClock, incomplete: str | None
    ) -> None:
        await accept(store, clock, make_update(is_truncated=True, incomplete=incomplete))
        (only,) = await waiting(store)
        assert only.update.incomplete is not None
        assert "more paths than are kept" in only.update.incomplete
        assert only.update.incomplete.startswith(incomplete or "")

    async def test_what_needs_no_look_does_not_wait(self, store: Store, clock: FakeClock) -> None:
        await accept(
            store,
            clock,
            make_update(status="routed"),
            make_update(status="ignored"),
            make_update(repository=None),
        )
        assert await waiting(store) == []
        assert list(await store.waiting_repositories()) == []

    async def test_what_waits_longest_comes_first(self, store: Store, clock: FakeClock) -> None:
        await accept(store, clock, make_update("c4"), make_update("c2"))
        clock.advance(-60)  # the time of day may be set back
        await accept(store, clock, make_update("x", repository="apps"), make_update("c3"))
        assert [each.update.after for each in await waiting(store)] == ["c4", "c2", "c3"]
        assert [each.update.after for each in await waiting(store, "apps")] == ["x"]
        assert await waiting(store, "stranger") == []

    async def test_entries_for_which_updates_wait_are_told_once_whatever_is_in_force(
        self, store: Store, clock: FakeClock
    ) -> None:
        await accept(store, clock, make_update(), make_update(repository="apps"))
        last = await accept(store, clock, make_update(repository="apps"))
        await store.activate(make_activation("g2", receivers={}), adopt=adopt_nothing)
        assert sorted(await store.waiting_repositories()) == ["apps", "fleet"]
        assert len(await waiting(store, "apps")) == 2
        await observe(store, make_closing(last), repository="apps", generation=2)
        assert sorted(await store.waiting_repositories()) == ["apps", "fleet"]

    async def test_what_is_not_saved_does_not_wait(self, store: Store, clock: FakeClock) -> None:
        first = await accept(store, clock, provider_delivery_id="p1")
        again = replace(first, id=clock.new_id())
        assert (await store.save_delivery(again, [], generation=1)).is_duplicate
        with pytest.raises(StaleGeneration):
            await store.save_delivery(replace(again, provider_delivery_id="p2"), [], generation=2)
        assert len(await waiting(store)) == 1

    @pytest.mark.parametrize(
        ("follower", "is_followed"),
        [
            (make_update("c3", before="c2"), True),
            (make_update("c1", before="c2"), True),  # forced back
            (make_update("c3", before="c1"), False),
            (make_update("c2", before="c1"), False),  # the same push by another hook
            (make_update("c3", before="c2", ref=OTHER), False),
            (make_update("c3", before="c2", repository="apps"), False),
            (make_update("c3", before="c2", status="routed"), False),
        ],
    )
    @pytest.mark.parametrize("is_first", [False, True])
    async def test_an_update_is_followed_by_a_push_that_starts_at_its_end(
        self,
        store: Store,
        clock: FakeClock,
        follower: UpdateRecord,
        is_followed: bool,
        is_first: bool,
    ) -> None:
        updates = [make_update("c2", before="c0"), follower]
        for update in updates[::-1] if is_first else updates:
            await accept(store, clock, update)
        told = {each.update.before: each.is_followed for each in await waiting(store)}
        assert told["c0"] is is_followed

    async def test_a_push_that_ends_where_it_starts_does_not_follow_itself(
        self, store: Store, clock: FakeClock
    ) -> None:
        await accept(store, clock, make_update("c1", before="c1"))
        assert [each.is_followed for each in await waiting(store)] == [False]
        await accept(store, clock, make_update("c1", before="c1"))
        assert [each.is_followed for each in await waiting(store)] == [True, True]

    async def test_a_push_that_waits_no_more_still_follows(
        self, store: Store, clock: FakeClock
    ) -> None:
        await accept(store, clock, make_update("c2"))
        follower = await accept(store, clock, make_update("c3", before="c2"))
        await observe(store, make_closing(follower, "not_visible"))
        assert [each.is_followed for each in await waiting(store)] == [True]

    async def test_a_ref_never_heard_of_has_no_state(self, store: Store) -> None:
        assert await store.ref_state(MAIN) == RefState()

    async def test_the_state_of_a_ref_is_its_cursor(self, store: Store, clock: FakeClock) -> None:
        seen = Intent(decide=lambda state: None, tracked=MAIN, before="b1", after="c1")
        await store.save_delivery(make_delivery(clock), [seen], generation=1)
        assert await store.ref_state(MAIN) == RefState()
        await save(store, clock, after="c1")
        assert await store.ref_state(MAIN) == RefState(cursor="c1", was_planned=True)
        for other in ({"ref": OTHER}, {"url": "elsewhere"}, {"repository": "apps"}):
            assert await store.ref_state(replace(MAIN, **other)) == RefState()

    async def test_an_unset_cursor_is_told_as_such(self, store: Store, clock: FakeClock) -> None:
        await store.save_delivery(make_delivery(clock), [make_intent(after=None)], generation=1)
        assert await store.ref_state(MAIN) == RefState(cursor=None, was_planned=True)

    async def test_tips_are_remembered_by_name_where_they_were_last_seen(
        self, store: Store, clock: FakeClock
    ) -> None:
        for tips in (
            {"refs/tags/v1": "c1", "refs/tags/v\udce9": "c2"},
            {"refs/tags/v1": "c1", "refs/tags/v\udce9": "c3", "refs/tags/v3": "c4"},
            {},
        ):
            await store.save_delivery(make_delivery(clock), [remember(tips)], generation=1)
        assert await store.ref_state(TAGS) == RefState(
            tips={"refs/tags/v1": "c1", "refs/tags/v\udce9": "c3", "refs/tags/v3": "c4"}
        )
        assert await store.ref_state(MAIN) == RefState()

    async def test_a_plan_and_the_tips_it_saw_are_remembered_together(
        self, store: Store, clock: FakeClock
    ) -> None:
        intent = replace(make_intent(tracked=TAGS, after="c1"), tips={"refs/tags/v1": "c1"})
        await store.save_delivery(make_delivery(clock), [intent], generation=1)
        assert await store.ref_state(TAGS) == RefState(
            cursor="c1", was_planned=True, tips={"refs/tags/v1": "c1"}
        )
