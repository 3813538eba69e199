"""Whatever order, doubling or loss webhooks suffer, no layer is left behind the last push.

One loss cannot be seen without asking Git: pushes that move a branch away and back to the very
commit last planned, all of them lost. So a push that returns to an earlier commit is always
delivered here, at some time; git mode and its sweep are the cure where that is not enough.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.model import Attempt
from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.parts import Parts
from router.flow.routing import InForce
from router.store.sqlite.store import SqliteStore
from tests.builders import github_request, make_repository, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore
from tests.flow.git_host import LAYERS, Flux, GitHost
from tests.postgres.clocked import open_clocked
from tests.postgres.fixtures import empty_clocked_schema
from tests.thoroughness import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ports.store import Store
    from tests.postgres.server import Server


@dataclass(frozen=True)
class Step:
    """One push, and how its webhook fares."""

    kind: str
    """ahead: on the tip. fork: on an earlier commit (forced). back: to an earlier commit."""
    pick: int
    """Which earlier commit."""
    changed: tuple[frozenset[int], ...]
    """The layers each new commit changes."""
    arrivals: tuple[int, ...]
    """After how many further pushes each copy arrives; none: the webhook is lost."""
    is_redelivery: bool
    """Copies carry the first one's delivery id, instead of an id each."""


def steps() -> st.SearchStrategy[list[Step]]:
    changed = st.lists(st.frozensets(st.integers(0, 2)), min_size=1, max_size=2).map(tuple)
    step = st.builds(
        Step,
        kind=st.sampled_from(["ahead", "ahead", "ahead", "fork", "back"]),
        pick=st.integers(0, 20),
        changed=changed,
        arrivals=st.lists(st.integers(0, 4), max_size=3).map(tuple),
        is_redelivery=st.booleans(),
    )
    return st.lists(step, min_size=1, max_size=12)


class Story:
    """Plays pushes and webhooks, and calls what is due after each turn."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.host = GitHost()
        self.flux = Flux(self.host)
        repository = make_repository({name: [f"{name}/"] for name in LAYERS})
        self.in_force = InForce(make_routing(repository, generation=1))
        self.acceptor = Acceptor(
            Parts(
                replica="us",
                store=store,
                in_force=self.in_force,
                clock=clock,
                observer=RecordingObserver(),
                wake=lambda: None,
            )
        )
        self.turns: dict[int, list[tuple[dict[str, str], bytes]]] = {}
        self.last_lost: list[tuple[dict[str, str], bytes]] = []
        """The newest push's webhook, if it was lost: then it is redelivered at the end."""

    async def play(self, played: Sequence[Step]) -> None:
        routing = self.in_force.current
        await self.store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
        for turn, step in enumerate(played):
            self.push(turn, step)
            await self.deliver(self.turns.pop(turn, []))
        for turn in sorted(self.turns):
            await self.deliver(self.turns[turn])
        await self.deliver(self.last_lost)

    def push(self, turn: int, step: Step) -> None:
        host = self.host
        earlier = host.known[step.pick % len(host.known)]
        target = host.tip if step.kind == "ahead" else earlier
        if step.kind != "back":
            for changed in step.changed:
                target = host.commit(target, changed)
        if target is host.tip:
            return
        arrivals = step.arrivals or ((0,) if step.kind == "back" else ())
        body = host.push(target)
        self.last_lost = [] if arrivals else [github_request(body, delivery=f"{turn}-late")]
        for number, delay in enumerate(arrivals):
            copy = 0 if step.is_redelivery else number
            request = github_request(body, delivery=f"{turn}-{copy}")
            self.turns.setdefault(turn + delay, []).append(request)

    async def deliver(self, requests: list[tuple[dict[str, str], bytes]]) -> None:
        hook = self.in_force.current.hooks["github"]
        await asyncio.gather(
            *(self.acceptor.accept(hook, headers, body) for headers, body in requests)
        )
        claimed = await self.store.claim_due(
            {"prod": 100},
            limit=100,
            owner="me",
            lease_seconds=20,
            generation=1,
        )
        for claim in claimed.claims:
            self.flux.notify(claim.receiver.rsplit("/")[-1])
            attempt = Attempt(
                receiver=claim.receiver,
                wanted=claim.wanted,
                started_at=self.clock.now(),
                duration_seconds=0,
                outcome="notified",
                status=200,
            )
            await self.store.record_attempt(attempt, owner="me", retry_seconds=None)


@settings(max_examples=examples(100), deadline=None)
@given(steps())
def test_no_layer_is_missed_in_memory(played: list[Step]) -> None:
    async def run() -> None:
        clock = FakeClock()
        story = Story(FakeStore(clock), clock)
        await story.play(played)
        assert tuple(story.flux.content) == story.host.tip.content

    asyncio.run(run())


@settings(max_examples=examples(20), deadline=None)
@given(steps())
def test_no_layer_is_missed_on_sqlite_with_webhooks_side_by_side(played: list[Step]) -> None:
    async def run(folder: str) -> None:
        clock = FakeClock()
        store = await SqliteStore.open(Path(folder) / "router.db", clock=clock)
        try:
            story = Story(store, clock)
            await story.play(played)
            assert tuple(story.flux.content) == story.host.tip.content
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


@settings(max_examples=examples(10), deadline=None)
@given(played=steps())
def test_no_layer_is_missed_on_postgres_with_webhooks_side_by_side(
    postgres: Server, played: list[Step]
) -> None:
    async def run() -> None:
        clock = FakeClock()
        store = await open_clocked(await empty_clocked_schema(postgres), clock)
        try:
            story = Story(store, clock)
            await story.play(played)
            assert tuple(story.flux.content) == story.host.tip.content
        finally:
            await store.close()

    asyncio.run(run())


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 2)), min_size=1, max_size=10))
def test_pushes_in_order_call_exactly_the_layers_they_change(changes: list[frozenset[int]]) -> None:
    async def run() -> None:
        clock = FakeClock()
        story = Story(FakeStore(clock), clock)
        first = Step("ahead", 0, (frozenset(),), (0,), is_redelivery=True)
        await story.play([first])
        for turn, changed in enumerate(changes, start=1):
            story.flux.calls.clear()
            step = Step("ahead", 0, (changed,), (0,), is_redelivery=True)
            story.push(turn, step)
            await story.deliver(story.turns.pop(turn))
            assert sorted(story.flux.calls) == sorted(LAYERS[index] for index in changed)

    asyncio.run(run())


async def test_a_late_webhook_does_not_make_an_old_commit_the_base_of_the_next_push() -> None:
    clock = FakeClock()
    story = Story(FakeStore(clock), clock)
    await story.play([])
    host = story.host
    old = host.commit(host.tip, frozenset({0}))
    late = github_request(host.push(old), delivery="late")
    on_time = github_request(host.push(host.commit(old, frozenset({1}))), delivery="on-time")
    await story.deliver([on_time])
    await story.deliver([late])
    host.push(old)  # forced back, and this webhook is lost
    after = github_request(host.push(host.commit(old, frozenset({2}))), delivery="after")
    await story.deliver([after])
    assert tuple(story.flux.content) == host.tip.content
