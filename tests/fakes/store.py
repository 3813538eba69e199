"""The store in memory, for tests of everything above it; held to the same contract suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from router.core.errors import StaleGeneration, StoreUnavailable
from router.core.model import Asked, RefState, Saved, SavedPlan, Standing, StoredGeneration
from router.ports.store import Activated, Claimed
from tests.fakes.store_history import FakeHistory
from tests.fakes.store_leases import FakeLeases
from tests.fakes.store_rows import FakeCluster, FakeReceiver, FakeRef, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.model import (
        Activation,
        Attempt,
        Claim,
        Delivery,
        DeliveryStory,
        Intent,
        Observation,
        ReceiverStatus,
        TrackedRef,
        Waiting,
        Want,
    )
    from router.ports.clock import Clock
    from tests.fakes.store_history import FakeStory


class FakeStore:
    """Implements Store. Set *is_down* to have every method raise StoreUnavailable."""

    def __init__(self, clock: Clock) -> None:
        self.is_down = False
        self._clock = clock
        self._generation: StoredGeneration | None = None
        self._definitions: dict[str, str] = {}
        self._replaced: list[tuple[StoredGeneration, datetime]] = []
        """The routing files that were in force before, and until when."""
        self._leases = FakeLeases()
        self._refs: dict[TrackedRef, FakeRef] = {}
        self._history = FakeHistory()
        self._numbers: dict[str, list[tuple[str, int]]] = {}
        """Delivery id → the receivers it raised and the wanted numbers they got."""
        self._receivers: dict[str, FakeReceiver] = {}
        self._attempts: list[Attempt] = []
        self._clusters: dict[str, FakeCluster] = {}

    async def last_generation(self) -> StoredGeneration | None:
        self._check()
        return self._generation

    async def activate(
        self,
        activation: Activation,
        *,
        adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
        after: int | None = None,
    ) -> Activated:
        self._check()
        number = self._generation.number if self._generation else 0
        if after not in (None, number):
            raise StaleGeneration(f"generation {number} is in force")
        changed = tuple(
            layer
            for layer, digest in activation.definitions.items()
            if self._definitions.get(layer) != digest
        )
        deliveries = adopt(changed) if changed else ()
        refs, plans = self._decide([intent for _, intent in deliveries])
        self._generation = self._next_generation(activation)
        self._definitions = dict(activation.definitions)
        self._take_receivers(activation)
        self._refs |= refs
        for (delivery, _), plan in zip(deliveries, plans, strict=True):
            if plan is not None:
                self._insert(delivery, [plan])
        for receiver in self._receivers.values():
            layers = activation.receivers.get(receiver.key, frozenset())
            receiver.open_for(layers, self._clock.now())
        return Activated(number=self._generation.number, adopted=changed)

    async def report(self, replica: str, *, digest: str, seconds: float) -> Standing | None:
        self._check()
        now, last = self._clock.now(), self._generation
        self._leases.report(replica, digest, seconds, now)
        if last is None:
            return None
        known = [last, *(each for each, _ in self._replaced)]
        return Standing(
            number=last.number,
            digest=last.digest,
            is_held=self._leases.is_held(last.digest, replica, now),
            own_number=max((each.number for each in known if each.digest == digest), default=None),
        )

    async def leave(self, replica: str) -> None:
        self._check()
        self._leases.replicas.pop(replica, None)

    async def lease(self, name: str, *, owner: str, seconds: float, generation: int) -> float:
        self._check()
        self._check_generation(generation)
        return self._leases.take(name, owner, seconds, self._clock.now())

    async def release(self, name: str, *, owner: str) -> None:
        self._check()
        self._leases.release(name, owner)

    async def save_delivery(
        self, delivery: Delivery, intents: Sequence[Intent], *, generation: int
    ) -> Saved:
        self._check()
        first = self._history.first(delivery)
        if first is not None:
            return Saved(delivery=first.delivery, plans=first.plans, is_duplicate=True)
        self._check_generation(generation)
        refs, decided = self._decide(intents)
        plans = tuple(plan for plan in decided if plan is not None)
        self._refs |= refs
        self._insert(delivery, plans)
        return Saved(delivery=delivery, plans=plans)

    async def ref_state(self, tracked: TrackedRef) -> RefState:
        self._check()
        return self._refs.get(tracked, FakeRef()).read()

    async def waiting(self, repository: str) -> Sequence[Waiting]:
        self._check()
        return self._history.waiting(repository)

    async def waiting_repositories(self) -> Sequence[str]:
        self._check()
        return self._history.waiting_repositories()

    async def save_observation(self, observation: Observation, *, generation: int) -> Saved | None:
        self._check()
        self._check_generation(generation)
        refs, decided = self._decide(observation.intents)
        plans = tuple(plan for plan in decided if plan is not None)
        stories = self._history.after(observation, has_plans=bool(plans))
        self._history.stories = stories
        self._refs |= refs
        if not plans:
            return None
        owner = observation.delivery
        if owner is not None:
            self._insert(owner, plans)
        else:
            owner = stories[observation.closings[0].delivery].delivery
            self._add_plans(owner, plans)
        return Saved(delivery=owner, plans=plans)

    async def claim_due(
        self,
        free: Mapping[str, int],
        *,
        limit: int,
        owner: str,
        lease_seconds: float,
        generation: int,
    ) -> Claimed:
        self._check()
        if limit > 0 and any(count > 0 for count in free.values()):
            self._check_generation(generation)
        now, left = self._clock.now(), dict(free)
        claims: list[Claim] = []
        for receiver in sorted(self._receivers.values(), key=lambda each: (each.due_at, each.key)):
            has_room = len(claims) < limit and left.get(receiver.cluster, 0) > 0
            if has_room and receiver.is_due(now):
                left[receiver.cluster] -= 1
                receiver.lease_owner = owner
                receiver.lease_until = now + timedelta(seconds=lease_seconds)
                claims.append(receiver.claim(now))
        rooms = {cluster for cluster, count in left.items() if count > 0 and len(claims) < limit}
        return Claimed(claims=tuple(claims), next_due_seconds=self._next_due_seconds(rooms))

    async def record_attempt(
        self, attempt: Attempt, *, owner: str, retry_seconds: float | None
    ) -> bool:
        self._check()
        receiver = self._receivers.get(attempt.receiver)
        if receiver is None:
            return False
        self._attempts.append(attempt)
        receiver.record(attempt, owner=owner, retry_seconds=retry_seconds, now=self._clock.now())
        return self._note_reachability(receiver.cluster, attempt)

    async def reset_backoff(self, receivers: Collection[str] | None = None) -> None:
        self._check()
        for receiver in self._receivers.values():
            if receivers is None or receiver.key in receivers:
                receiver.failures = 0
                receiver.make_due(self._clock.now())

    async def prune(self, *, before: datetime, limit: int) -> int:
        self._check()
        self._replaced = [each for each in self._replaced if each[1] >= before]
        old = sorted(
            (story for story in self._history.stories.values() if self._is_prunable(story, before)),
            key=lambda story: (story.delivery.received_at, story.position),
        )[:limit]
        removed = {story.delivery.id for story in old}
        self._history.remove(removed)
        for receiver in self._receivers.values():
            receiver.asked = [row for row in receiver.asked if row[1].delivery not in removed]
        last = {id(receiver.last_attempt) for receiver in self._receivers.values()}
        self._attempts = [
            attempt
            for attempt in self._attempts
            if attempt.started_at >= before or id(attempt) in last
        ]
        return len(removed)

    async def deliveries(self, *, limit: int, before: int | None = None) -> Sequence[DeliveryStory]:
        self._check()
        return [story.summary() for story in self._history.page(limit, before)]

    async def delivery(self, delivery_id: str) -> DeliveryStory | None:
        self._check()
        story = self._history.stories.get(delivery_id)
        if story is None:
            return None
        attempts = serving(self._attempts, self._numbers[delivery_id])
        return replace(story.whole(), attempts=attempts)

    async def receivers(self) -> Sequence[ReceiverStatus]:
        self._check()
        now = self._clock.now()
        wanted = [receiver for receiver in self._receivers.values() if receiver.wanted]
        return [receiver.status(now) for receiver in sorted(wanted, key=lambda each: each.key)]

    async def layer_deliveries(self, layer: str, *, limit: int) -> Sequence[DeliveryStory]:
        self._check()
        return [story.summary() for story in self._history.newest(layer, limit)]

    async def check(self) -> None:
        self._check()

    async def close(self) -> None:
        self.is_down = True

    def _check(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the store is down")

    def _check_generation(self, generation: int) -> None:
        if self._generation is None or self._generation.number != generation:
            raise StaleGeneration(f"planned under generation {generation}")

    def _next_generation(self, activation: Activation) -> StoredGeneration:
        last = self._generation
        if last is not None and last.digest == activation.digest:
            return last
        number = 1 if last is None else last.number + 1
        if last is not None:
            self._replaced.append((last, self._clock.now()))
        return StoredGeneration(number=number, digest=activation.digest, text=activation.text)

    def _take_receivers(self, activation: Activation) -> None:
        self._receivers = {key: each for key, each in self._receivers.items() if each.wanted}
        for key, cluster in activation.clusters.items():
            self._receiver(key).cluster = cluster

    def _receiver(self, key: str) -> FakeReceiver:
        cluster = key.rsplit("/", 2)[0]
        unknown = FakeReceiver(key=key, cluster=cluster, due_at=self._clock.now())
        return self._receivers.setdefault(key, unknown)

    def _decide(
        self, intents: Sequence[Intent]
    ) -> tuple[dict[TrackedRef, FakeRef], list[SavedPlan | None]]:
        """Every plan and what becomes of the refs, before anything is changed."""
        refs: dict[TrackedRef, FakeRef] = {}
        plans: list[SavedPlan | None] = []
        for intent in intents:
            sequence = None
            if intent.tracked is None:
                plan = intent.decide(RefState())
            else:
                ref = refs.get(intent.tracked) or self._refs.get(intent.tracked) or FakeRef()
                plan = intent.decide(ref.state(intent))
                sequence = ref.sequence + 1 if plan and plan.ref is not None else None
                refs[intent.tracked] = ref.after(intent, plan)
            plans.append(SavedPlan(plan=plan, sequence=sequence) if plan else None)
        return refs, plans

    def _insert(self, delivery: Delivery, plans: Sequence[SavedPlan]) -> None:
        self._history.add(delivery)
        self._numbers[delivery.id] = []
        self._add_plans(delivery, plans)

    def _add_plans(self, delivery: Delivery, plans: Sequence[SavedPlan]) -> None:
        self._history.add_plans(delivery.id, plans)
        for saved in plans:
            for want in saved.plan.wants:
                self._raise_wanted(delivery, saved, want)

    def _raise_wanted(self, delivery: Delivery, saved: SavedPlan, want: Want) -> None:
        receiver = self._receiver(want.receiver)
        number = receiver.raise_wanted(self._clock.now(), is_held=want.is_held)
        plan = saved.plan
        for layer in want.layers:
            asked = Asked(
                layer=layer,
                delivery=delivery.id,
                repository=plan.repository,
                ref=plan.ref,
                commit=plan.commit,
            )
            receiver.asked.append((number, asked, delivery.received_at))
        self._numbers[delivery.id].append((receiver.key, number))

    def _next_due_seconds(self, clusters: Collection[str]) -> float | None:
        now = self._clock.now()
        waiting = [
            receiver.next_instant(now)
            for receiver in self._receivers.values()
            if receiver.is_waiting and receiver.cluster in clusters
        ]
        return (min(waiting) - now).total_seconds() if waiting else None

    def _note_reachability(self, cluster: str, attempt: Attempt) -> bool:
        now = self._clock.now()
        if not self._clusters.setdefault(cluster, FakeCluster()).note(attempt, now):
            return False
        for receiver in self._receivers.values():
            if receiver.cluster == cluster and not receiver.is_leased(now):
                receiver.make_due(now)
        return True

    def _is_prunable(self, story: FakeStory, before: datetime) -> bool:
        is_ahead = any(
            number > self._receivers[key].notified
            for key, number in self._numbers[story.delivery.id]
        )
        return story.delivery.received_at < before and not is_ahead and not story.is_waiting
