"""Deliveries, plans and routing files with defaults; each test states only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from router.core.model import (
    Activation,
    Attempt,
    Claim,
    Closing,
    Delivery,
    DeliveryStatus,
    Intent,
    Match,
    Observation,
    Outcome,
    Plan,
    RefState,
    TrackedRef,
    UpdateRecord,
    Want,
)

if TYPE_CHECKING:
    from router.core.model import ReceiverStatus, Saved, Waiting
    from router.ports.store import Claimed, Store
    from tests.fakes.clock import FakeClock

Adopt: TypeAlias = Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]]

MAIN = TrackedRef(repository="fleet", url="github.com/acme/fleet", ref="refs/heads/main")
APP1 = "prod/flux-system/app1"
APP2 = "prod/flux-system/app2"
STAGING_APP1 = "staging/flux-system/app1"
LEASE_SECONDS = 15.0


def make_delivery(
    clock: FakeClock,
    *,
    provider_delivery_id: str | None = None,
    body_digest: str = "d1",
    status: DeliveryStatus = "routed",
    updates: tuple[UpdateRecord, ...] = (),
) -> Delivery:
    return Delivery(
        id=clock.new_id(),
        origin="webhook",
        received_at=clock.now(),
        status=status,
        hook="github",
        provider_delivery_id=provider_delivery_id,
        body_digest=body_digest,
        updates=updates,
    )


def make_update(
    after: str = "c2",
    *,
    before: str = "c1",
    ref: str = "refs/heads/main",
    repository: str | None = "fleet",
    status: DeliveryStatus = "accepted",
    paths: tuple[str, ...] = (),
    is_truncated: bool = False,
    incomplete: str | None = None,
) -> UpdateRecord:
    """One that waits to be planned."""
    return UpdateRecord(
        ref=ref,
        before=before,
        after=after,
        forced=None,
        repository=repository,
        status=status,
        reason="",
        paths=paths,
        is_truncated=is_truncated,
        incomplete=incomplete,
    )


def make_closing(
    delivery: Delivery,
    status: DeliveryStatus = "routed",
    *,
    ref: str = "refs/heads/main",
    reason: str = "",
) -> Closing:
    return Closing(delivery=delivery.id, ref=ref, status=status, reason=reason)


def make_want(receiver: str = APP1, *layers: str, is_held: bool = False) -> Want:
    names = layers or (receiver.rsplit("/", 1)[1],)
    return Want(receiver=receiver, layers=names, is_held=is_held)


def make_plan(
    *wants: Want,
    commit: str | None = "c1",
    cursor: str | None = None,
    before: str | None = None,
    told: str | None = None,
    matches: tuple[Match, ...] | None = None,
) -> Plan:
    layers = [layer for want in wants for layer in want.layers]
    affected = tuple(Match(layer=layer, is_affected=True, reason="changed") for layer in layers)
    return Plan(
        repository="fleet",
        knowledge="payload",
        reason="file lists",
        matches=affected if matches is None else matches,
        wants=wants,
        ref="refs/heads/main",
        commit=commit,
        before=before,
        told=told,
        cursor=cursor,
        unmapped_count=3,
    )


def make_intent(
    *wants: Want,
    tracked: TrackedRef | None = MAIN,
    before: str | None = None,
    after: str | None = "c1",
) -> Intent:
    """A plan that sets the cursor to *after*, whatever the ref's state."""
    plan = make_plan(*wants, commit=after, cursor=after)
    return Intent(decide=lambda state: plan, tracked=tracked, before=before, after=after)


class Asking:
    """An intent's rule that keeps the states it was asked with."""

    def __init__(self, plan: Plan | None) -> None:
        self.states: list[RefState] = []
        self._plan = plan

    def __call__(self, state: RefState) -> Plan | None:
        self.states.append(state)
        return self._plan


def make_activation(
    digest: str = "g1",
    *,
    definitions: Mapping[str, str] | None = None,
    receivers: Mapping[str, Collection[str]] | None = None,
) -> Activation:
    """By default app1 on two clusters and app2 on one, none of them suspended."""
    if receivers is None:
        receivers = {APP1: {"app1"}, STAGING_APP1: {"app1"}, APP2: {"app2"}}
    return Activation(
        digest=digest,
        text=f"# {digest}",
        definitions=definitions or {},
        receivers={key: frozenset(layers) for key, layers in receivers.items()},
        clusters={key: key.split("/")[0] for key in receivers},
    )


def adopt_nothing(names: Collection[str]) -> Sequence[tuple[Delivery, Intent]]:
    return ()


async def save(
    store: Store, clock: FakeClock, *wants: Want, generation: int = 1, after: str = "c1"
) -> Saved:
    """Save one delivery with one plan."""
    intent = make_intent(*(wants or (make_want(),)), after=after)
    return await store.save_delivery(make_delivery(clock), [intent], generation=generation)


async def accept(
    store: Store,
    clock: FakeClock,
    *updates: UpdateRecord,
    provider_delivery_id: str | None = None,
) -> Delivery:
    """Save one delivery whose updates, by default one, wait to be planned."""
    delivery = make_delivery(
        clock,
        provider_delivery_id=provider_delivery_id,
        status="accepted",
        updates=updates or (make_update(),),
    )
    assert not (await store.save_delivery(delivery, [], generation=1)).is_duplicate
    return delivery


async def observe(
    store: Store,
    *closings: Closing,
    intents: Sequence[Intent] = (),
    delivery: Delivery | None = None,
    repository: str = "fleet",
    generation: int = 1,
) -> Saved | None:
    observation = Observation(
        repository=repository, intents=tuple(intents), delivery=delivery, closings=closings
    )
    return await store.save_observation(observation, generation=generation)


async def waiting(store: Store, repository: str = "fleet") -> list[Waiting]:
    return list(await store.waiting(repository))


async def read(store: Store, delivery: Delivery) -> Delivery:
    """The delivery as it stands now."""
    story = await store.delivery(delivery.id)
    assert story is not None
    return story.delivery


async def claim(
    store: Store, free: Mapping[str, int] | None = None, *, owner: str = "us"
) -> Sequence[Claim]:
    """By default up to ten receivers of the cluster prod."""
    return (await ask(store, free, owner=owner)).claims


async def ask(
    store: Store, free: Mapping[str, int] | None = None, *, limit: int = 99, owner: str = "us"
) -> Claimed:
    """By default up to ten receivers of the cluster prod."""
    room = {"prod": 10} if free is None else free
    return await store.claim_due(
        room,
        limit=limit,
        owner=owner,
        lease_seconds=LEASE_SECONDS,
        generation=await number_in_force(store),
    )


async def number_in_force(store: Store) -> int:
    last = await store.last_generation()
    return last.number if last else 0


async def next_due_seconds(store: Store) -> float | None:
    """When there is something for prod or staging; nothing may be due there now."""
    claimed = await ask(store, {"prod": 10, "staging": 10})
    assert claimed.claims == ()
    return claimed.next_due_seconds


async def claim_one(store: Store, *, owner: str = "us") -> Claim:
    (only,) = await claim(store, owner=owner)
    return only


async def record(
    store: Store,
    clock: FakeClock,
    claim: Claim,
    outcome: Outcome = "notified",
    *,
    owner: str = "us",
    retry_seconds: float = 60.0,
    status: int | None = None,
) -> bool:
    attempt = make_attempt(clock, claim, outcome, status=status)
    retry = None if outcome == "notified" else retry_seconds
    return await store.record_attempt(attempt, owner=owner, retry_seconds=retry)


def make_attempt(
    clock: FakeClock,
    claim: Claim,
    outcome: Outcome = "notified",
    *,
    status: int | None = None,
    duration_seconds: float = 0.25,
) -> Attempt:
    """An attempt that ended now."""
    return Attempt(
        receiver=claim.receiver,
        wanted=claim.wanted,
        started_at=clock.now() - timedelta(seconds=duration_seconds),
        duration_seconds=duration_seconds,
        outcome=outcome,
        status=200 if outcome == "notified" else status,
    )


async def status(store: Store, receiver: str = APP1) -> ReceiverStatus:
    return {each.receiver: each for each in await store.receivers()}[receiver]


async def is_claimable(store: Store, receiver: str = APP1) -> bool:
    """Whether the receiver can be claimed now; leaves a lease behind when it can."""
    cluster = receiver.split("/")[0]
    return receiver in {each.receiver for each in await claim(store, {cluster: 99})}
