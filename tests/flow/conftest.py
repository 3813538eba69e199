from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from router.core.model import Delivery, Intent, ReceiverStatus
from router.core.requested import plan_notify
from router.core.routing import Routing
from router.flow.definitions import describe_activation
from router.flow.dispatch import Dispatcher, DispatchLimits
from router.flow.routing import InForce
from tests.builders import make_layer, make_repository, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.receivers import FakeReceivers
from tests.fakes.store import FakeStore
from tests.postgres.fixtures import postgres

__all__ = ["postgres"]

PATIENCE_SECONDS = 10.0
"""How long a test waits for what must happen at once; only a failing test waits that long."""


async def until(predicate: Callable[[], Awaitable[bool]]) -> None:
    """Give other tasks their turns until *predicate* holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await predicate():
            await asyncio.sleep(0)


def key(layer: str, cluster: str = "prod") -> str:
    return f"{cluster}/flux-system/{layer}"


@dataclass
class Dispatch:
    """A dispatcher over fakes, started on demand."""

    store: FakeStore
    clock: FakeClock
    receivers: FakeReceivers
    observer: RecordingObserver
    in_force: InForce
    dispatcher: Dispatcher
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def want(self, *layers: str) -> None:
        """Raise wanted of each layer once, as an operator's request does."""
        for layer in layers:
            plan = plan_notify(self.in_force.current, layer)
            delivery = Delivery(
                id=self.clock.new_id(),
                origin="notify",
                received_at=self.clock.now(),
                status="routed",
            )
            await self.store.save_delivery(
                delivery,
                [Intent(decide=lambda _state, plan=plan: plan)],  # type: ignore[misc]
                generation=self.in_force.current.generation,
            )
        self.dispatcher.wake()

    def start(self) -> None:
        self.task = asyncio.create_task(self.dispatcher.run(self.stop))

    async def end(self) -> None:
        self.stop.set()
        self.dispatcher.wake()
        if self.task is not None:
            await self.task

    async def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.dispatcher.wake()

    async def status(self, layer: str, cluster: str = "prod") -> ReceiverStatus:
        statuses = {status.receiver: status for status in await self.store.receivers()}
        return statuses[key(layer, cluster)]

    async def wait_for_state(self, layer: str, state: str, cluster: str = "prod") -> None:
        async def reached() -> bool:
            return (await self.status(layer, cluster)).state == state

        await until(reached)

    async def wait_for_attempts(self, count: int) -> None:
        async def reached() -> bool:
            return len(self.observer.attempts) >= count

        await until(reached)


MakeDispatch = Callable[..., Awaitable[Dispatch]]


@pytest.fixture
async def make_dispatch() -> AsyncIterator[MakeDispatch]:
    made: list[Dispatch] = []

    async def make(
        routing: Routing | None = None, *, calls: int = 10, calls_per_cluster: int = 10
    ) -> Dispatch:
        clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        store, receivers, observer = FakeStore(clock), FakeReceivers(clock), RecordingObserver()
        routing = routing or small_routing()
        await store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
        in_force = InForce(routing)
        dispatcher = Dispatcher(
            store=store,
            client=receivers,
            in_force=in_force,
            clock=clock,
            observer=observer,
            limits=DispatchLimits(
                calls=calls,
                calls_per_cluster=calls_per_cluster,
                call_deadline_seconds=15,
                stop_deadline_seconds=0.05,
            ),
        )
        made.append(Dispatch(store, clock, receivers, observer, in_force, dispatcher))
        return made[-1]

    yield make
    for dispatch in made:
        await dispatch.end()


def small_routing(**fields: object) -> Routing:
    """Three layers on one cluster."""
    layers = [make_layer(name, [name]) for name in ("a", "b", "c")]
    return make_routing(make_repository(layers), generation=1, **fields)  # type: ignore[arg-type]


@pytest.fixture
async def dispatch(make_dispatch: MakeDispatch) -> Dispatch:
    return await make_dispatch()
