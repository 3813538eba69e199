"""Random operations on the fake and on a real store: whatever is asked, both answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.core.errors import RouterError, StaleGeneration
from router.core.model import Attempt, Delivery, Intent, Observation
from router.store.sqlite.store import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.store.builders import make_activation
from tests.store.strategies import (
    ENTRIES,
    LAYERS,
    OUTCOMES,
    OWNERS,
    RECEIVERS,
    REFS,
    UPDATES,
    closings,
    intents,
)
from tests.thoroughness import examples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from router.core.model import (
        Claim,
        DeliveryStory,
        Outcome,
        TrackedRef,
        UpdateRecord,
        Waiting,
    )
    from router.ports.store import Store


async def outcome_of(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except RouterError as error:
        return type(error)


async def told(stories: Awaitable[Sequence[DeliveryStory | None]]) -> list[DeliveryStory | None]:
    """Stories without their positions: a store may leave gaps between them."""
    return [story and replace(story, position=0) for story in await stories]


async def listed(answer: Awaitable[Sequence[Any]]) -> list[Any]:
    return list(await answer)


async def one(story: Awaitable[DeliveryStory | None]) -> Sequence[DeliveryStory | None]:
    return [await story]


async def second_page(store: Store) -> list[DeliveryStory | None]:
    newest = await store.deliveries(limit=2)
    if not newest:
        return []
    return await told(store.deliveries(limit=2, before=newest[-1].position))


def save(
    store: Store, *, delivery: Delivery, planned: Sequence[Intent], generation: int
) -> Awaitable[Any]:
    return store.save_delivery(delivery, planned, generation=generation)


def record(store: Store, *, attempt: Attempt, owner: str) -> Awaitable[bool]:
    retry_seconds = None if attempt.outcome == "notified" else 3.0
    return store.record_attempt(attempt, owner=owner, retry_seconds=retry_seconds)


class SideBySide(RuleBasedStateMachine):
    """Subclasses open the real store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.real = self.runner.run(self.open())
        self.fake = FakeStore(self.clock)
        self.claims: list[tuple[Claim, str]] = []
        self.ids: list[str] = []

    async def open(self) -> Store:
        raise NotImplementedError

    def both(self, ask: Callable[[Store], Awaitable[Any]]) -> Any:
        expected = self.runner.run(outcome_of(ask(self.fake)))
        assert self.runner.run(outcome_of(ask(self.real))) == expected
        return expected

    def both_at_once(self, asked: Sequence[partial[Awaitable[Any]]]) -> None:
        """Ask the real store for all of *asked* at once, the fake for one after the other."""

        async def ask_real() -> list[Any]:
            return await asyncio.gather(*(outcome_of(ask(self.real)) for ask in asked))

        expected = [self.runner.run(outcome_of(ask(self.fake))) for ask in asked]
        assert self.runner.run(ask_real()) == expected

    def new_delivery(self, **fields: Any) -> Delivery:
        self.ids.append(self.clock.new_id())
        return Delivery(
            id=self.ids[-1], received_at=self.clock.now(), **{"origin": "webhook", **fields}
        )

    @initialize()
    def begin(self) -> None:
        self.both(lambda store: store.activate(make_activation(), adopt=lambda names: ()))

    @rule(
        digest=st.sampled_from(["g1", "g2", "g3"]),
        definitions=st.dictionaries(st.sampled_from(LAYERS), st.sampled_from("12")),
        receivers=st.dictionaries(
            st.sampled_from(RECEIVERS), st.frozensets(st.sampled_from(LAYERS))
        ),
        intent=intents(),
    )
    def activate(
        self,
        digest: str,
        definitions: dict[str, str],
        receivers: dict[str, frozenset[str]],
        intent: Intent,
    ) -> None:
        delivery = self.new_delivery(origin="adoption", status="routed")

        def adopt(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
            return [(replace(delivery, reason=" ".join(names)), intent)]

        activation = make_activation(digest, definitions=definitions, receivers=receivers)
        self.both(lambda store: store.activate(activation, adopt=adopt))

    @rule(
        planned=st.lists(intents(), max_size=2),
        status=st.sampled_from(["routed", "accepted", "ignored"]),
        provider_delivery_id=st.sampled_from([None, "p1", "p2", "\udcff"]),
        updates=UPDATES,
        is_stale=st.sampled_from([False, False, False, True]),
    )
    def save_delivery(
        self,
        planned: list[Intent],
        status: str,
        provider_delivery_id: str | None,
        updates: tuple[UpdateRecord, ...],
        is_stale: bool,
    ) -> None:
        last = self.both(lambda store: store.last_generation())
        generation = last.number + is_stale
        delivery = self.new_delivery(
            status=status,
            hook="github",
            provider_delivery_id=provider_delivery_id,
            body_digest="d",
            updates=updates,
        )
        self.both(lambda store: store.save_delivery(delivery, planned, generation=generation))

    @rule(
        drawn=st.lists(
            st.tuples(
                st.lists(intents(), max_size=2),
                st.sampled_from(["routed", "accepted", "ignored"]),
                st.sampled_from([None, "p1", "p2"]),
                UPDATES,
                st.sampled_from([0, 0, 0, 0, 1]),
            ),
            min_size=2,
            max_size=6,
        )
    )
    def save_deliveries_at_once(self, drawn: list[tuple[Any, ...]]) -> None:
        last = self.both(lambda store: store.last_generation())
        saves = [
            partial(
                save,
                delivery=self.new_delivery(
                    status=status,
                    hook="github",
                    provider_delivery_id=provider_delivery_id,
                    body_digest="d",
                    updates=updates,
                ),
                planned=planned,
                generation=last.number + lead,
            )
            for planned, status, provider_delivery_id, updates, lead in drawn
        ]
        self.both_at_once(saves)

    @rule(
        data=st.data(),
        repository=st.sampled_from(ENTRIES),
        planned=st.lists(intents(), max_size=2),
        is_swept=st.booleans(),
        is_stale=st.sampled_from([False, False, False, True]),
    )
    def save_observation(
        self,
        data: st.DataObject,
        repository: str,
        planned: list[Intent],
        is_swept: bool,
        is_stale: bool,
    ) -> None:
        ids = [each.delivery for each in self.read_waiting(repository)] * 3 + self.ids[-3:] or [
            "unknown"
        ]
        closed = tuple(data.draw(st.lists(closings(ids), max_size=3)))
        observation = Observation(
            repository=repository,
            intents=tuple(planned) if closed or is_swept else (),
            delivery=self.new_delivery(origin="sweep", status="routed") if is_swept else None,
            closings=closed,
        )
        last = self.both(lambda store: store.last_generation())
        generation = last.number + is_stale
        self.both(lambda store: store.save_observation(observation, generation=generation))

    @rule(
        owner=OWNERS,
        free=st.dictionaries(st.sampled_from(["prod", "staging"]), st.integers(-1, 2)),
        limit=st.integers(0, 3),
        lease_seconds=st.sampled_from([5.0, 30.1]),
        is_stale=st.sampled_from([False, False, False, True]),
    )
    def claim_due(
        self, owner: str, free: dict[str, int], limit: int, lease_seconds: float, is_stale: bool
    ) -> None:
        last = self.both(lambda store: store.last_generation())
        claimed = self.both(
            lambda store: store.claim_due(
                free,
                limit=limit,
                owner=owner,
                lease_seconds=lease_seconds,
                generation=last.number + is_stale,
            )
        )
        if claimed is StaleGeneration:
            return
        assert claimed.next_due_seconds is None or claimed.next_due_seconds > 0
        self.claims += [(claim, owner) for claim in claimed.claims]

    @rule(
        data=st.data(),
        outcome=st.sampled_from(OUTCOMES),
        http_status=st.sampled_from([None, 400, 502, 504]),
        duration_seconds=st.sampled_from([0.0, 0.25, 10.0]),
        retry_seconds=st.floats(0, 300),
        keeps_claim=st.booleans(),
    )
    def record_attempt(
        self,
        data: st.DataObject,
        outcome: Outcome,
        http_status: int | None,
        duration_seconds: float,
        retry_seconds: float,
        keeps_claim: bool,
    ) -> None:
        if not self.claims:
            return
        index = data.draw(st.integers(0, len(self.claims) - 1))
        claim, owner = self.claims[index]
        if not keeps_claim:
            del self.claims[index]
        attempt = Attempt(
            receiver=claim.receiver,
            wanted=claim.wanted,
            started_at=self.clock.now() - timedelta(seconds=duration_seconds / 7),
            duration_seconds=duration_seconds / 7,
            outcome=outcome,
            status=http_status,
        )
        retry = None if outcome == "notified" else retry_seconds
        self.both(lambda store: store.record_attempt(attempt, owner=owner, retry_seconds=retry))

    @rule(outcomes=st.lists(st.sampled_from(["notified", *OUTCOMES]), min_size=2, max_size=4))
    def record_attempts_at_once(self, outcomes: list[Outcome]) -> None:
        claims, self.claims = self.claims[: len(outcomes)], self.claims[len(outcomes) :]
        records = [
            partial(
                record,
                attempt=Attempt(
                    receiver=claim.receiver,
                    wanted=claim.wanted,
                    started_at=self.clock.now() - timedelta(seconds=1),
                    duration_seconds=1.0,
                    outcome=outcome,
                ),
                owner=owner,
            )
            for (claim, owner), outcome in zip(claims, outcomes, strict=False)
        ]
        self.both_at_once(records)

    @rule(
        replica=OWNERS,
        digest=st.sampled_from(["g1", "g2", "g9"]),
        seconds=st.sampled_from([15.0, 60.0]),
        is_leaving=st.booleans(),
    )
    def report(self, replica: str, digest: str, seconds: float, is_leaving: bool) -> None:
        self.both(lambda store: store.report(replica, digest=digest, seconds=seconds))
        if is_leaving:
            self.both(lambda store: store.leave(replica))

    @rule(
        name=st.sampled_from(["look fleet", "sweep fleet"]),
        owner=OWNERS,
        seconds=st.sampled_from([5.0, 60.0]),
        is_stale=st.sampled_from([False, False, False, True]),
        is_released=st.booleans(),
    )
    def lease(
        self, name: str, owner: str, seconds: float, is_stale: bool, is_released: bool
    ) -> None:
        last = self.both(lambda store: store.last_generation())
        generation = last.number + is_stale
        self.both(
            lambda store: store.lease(name, owner=owner, seconds=seconds, generation=generation)
        )
        if is_released:
            self.both(lambda store: store.release(name, owner=owner))

    @rule(receivers=st.none() | st.frozensets(st.sampled_from(RECEIVERS)))
    def reset_backoff(self, receivers: frozenset[str] | None) -> None:
        self.both(lambda store: store.reset_backoff(receivers))

    @rule(seconds=st.sampled_from([0.25, 5.0, 31.0, 120.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(age_seconds=st.sampled_from([0.0, 10.0, 100.0]), limit=st.integers(1, 3))
    def prune(self, age_seconds: float, limit: int) -> None:
        before = self.clock.now() - timedelta(seconds=age_seconds)
        self.both(lambda store: store.prune(before=before, limit=limit))

    @invariant()
    def everything_read_is_the_same(self) -> None:
        self.both(lambda store: store.last_generation())
        for story in self.both(lambda store: told(store.deliveries(limit=99)))[:4]:
            self.read_story(story.delivery.id)
        self.both(lambda store: second_page(store))
        self.both(lambda store: told(store.layer_deliveries("app1", limit=3)))
        self.both(lambda store: store.waiting_repositories())
        for repository in ENTRIES:
            self.read_waiting(repository)
        for ref in REFS:
            self.read_ref(ref)
        for each in self.both(lambda store: store.receivers()):
            assert each.notified <= each.wanted
            assert each.callable <= each.wanted

    def read_story(self, delivery_id: str) -> None:
        self.both(lambda store: told(one(store.delivery(delivery_id))))

    def read_waiting(self, repository: str) -> list[Waiting]:
        waiting: list[Waiting] = self.both(lambda store: listed(store.waiting(repository)))
        return waiting

    def read_ref(self, ref: TrackedRef) -> None:
        self.both(lambda store: store.ref_state(ref))

    def teardown(self) -> None:
        self.runner.run(self.real.close())
        self.runner.close()
        self.folder.cleanup()


def machine(count: int) -> settings:
    return settings(
        max_examples=examples(count),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


class SqliteSideBySide(SideBySide):
    async def open(self) -> Store:
        return await SqliteStore.open(Path(self.folder.name) / "store.db", clock=self.clock)


class TestSqliteSideBySide(SqliteSideBySide.TestCase):  # type: ignore[valid-type, misc]
    settings = machine(10)
