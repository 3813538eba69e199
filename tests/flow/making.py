"""The parts of the flow with fakes behind the ports, and a routing file in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.flow.definitions import describe_activation
from router.flow.parts import Parts
from router.flow.routing import InForce
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore

if TYPE_CHECKING:
    from router.core.routing import Routing


async def parts_of(routing: Routing) -> Parts:
    clock = FakeClock()
    store = FakeStore(clock)
    await store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
    return Parts(
        replica="us",
        store=store,
        in_force=InForce(routing),
        clock=clock,
        observer=RecordingObserver(),
        wake=lambda: None,
    )
