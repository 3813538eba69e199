from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from starlette.types import ASGIApp

from router.core.model import Secret
from router.core.routing import Routing
from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.identities import Identities
from router.flow.parts import Parts
from router.flow.request import Requests
from router.flow.routing import InForce
from router.ports.keys import KeySource
from router.telemetry.metrics import MetricsObserver
from router.telemetry.observers import Observers
from router.web.admin import AdminApi, create_admin_app
from router.web.clients import Network
from router.web.hooks import create_public_app
from tests.builders import make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore


@dataclass
class Web:
    """Both apps over fakes, each with a client."""

    store: FakeStore
    clock: FakeClock
    observer: RecordingObserver
    in_force: InForce
    public: httpx.AsyncClient
    admin: httpx.AsyncClient
    woken: list[bool]

    async def receivers(self) -> dict[str, int]:
        """Layer name → wanted number, of those that are wanted."""
        return {
            status.receiver.rsplit("/")[-1]: status.wanted
            for status in await self.store.receivers()
            if status.wanted
        }


MakeWeb = Callable[..., Awaitable[Web]]


async def open_web(
    routing: Routing | None = None,
    *,
    token: bytes | None = None,
    trusted_proxies: Collection[Network] = (),
    key_source: KeySource | None = None,
    clients: AsyncExitStack,
) -> Web:
    """Both apps over a fake store that has *routing* in force."""

    async def client(app: ASGIApp, url: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        made = httpx.AsyncClient(transport=transport, base_url=url)
        return await clients.enter_async_context(made)

    clock = FakeClock()
    store, observer = FakeStore(clock), RecordingObserver()
    woken: list[bool] = []
    metrics = MetricsObserver(clock)
    routing = routing or make_routing(generation=1)
    await store.activate(describe_activation(routing, ""), adopt=lambda _names: [])
    in_force = InForce(routing)
    parts = Parts(
        replica="us",
        store=store,
        in_force=in_force,
        clock=clock,
        observer=Observers(observer, metrics),
        wake=lambda: woken.append(True),
        identities=Identities(key_source, clock, observer) if key_source else None,
    )
    public = create_public_app(
        acceptor=Acceptor(parts),
        in_force=in_force,
        observer=parts.observer,
        monotonic=clock.monotonic,
        trusted_proxies=trusted_proxies,
    )
    api = AdminApi(
        store=store,
        in_force=in_force,
        requests=Requests(parts),
        troubles={},
        database="router.db",
        render_metrics=metrics.render,
    )
    admin = create_admin_app(api, token=Secret(token) if token else None)
    return Web(
        store=store,
        clock=clock,
        observer=observer,
        in_force=in_force,
        public=await client(public, "http://router.test"),
        admin=await client(admin, "http://127.0.0.1:9090"),
        woken=woken,
    )


@pytest.fixture
async def make_web() -> AsyncIterator[MakeWeb]:
    async with AsyncExitStack() as clients:
        yield partial(open_web, clients=clients)


@pytest.fixture
async def web(make_web: MakeWeb) -> Web:
    return await make_web()
