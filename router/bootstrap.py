"""The composition root: the only module that names every adapter and joins them to a service."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from router import __version__
from router.config.binds import Bind
from router.config.live import FileRoutingSource
from router.config.settings import read_admin_token
from router.flow.accept import Acceptor
from router.flow.dispatch import Dispatcher, DispatchLimits
from router.flow.identities import Identities
from router.flow.observe import RefObserver
from router.flow.parts import Parts
from router.flow.reload import Reloader
from router.flow.request import Requests
from router.flow.retention import run_retention
from router.flow.sweep import Sweeper
from router.flow.worker import run_worker
from router.remote.git.clones import GitClones
from router.remote.keys import HttpKeySource
from router.remote.receiver import HttpReceiverClient
from router.remote.system import (
    SystemClock,
    allow_open_files,
    keep_what_started,
    share_interpreter,
)
from router.store.sqlite.store import SqliteStore
from router.telemetry.logs import LogObserver
from router.telemetry.metrics import MetricsObserver
from router.telemetry.observers import Observers
from router.web.admin import AdminApi, create_admin_app
from router.web.hooks import create_public_app
from router.web.server import create_server, open_listener, serve_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from starlette.applications import Starlette

    from router.config.settings import Settings
    from router.core.database import DatabaseUrl
    from router.core.model import Secret
    from router.ports.clock import Clock
    from router.ports.observer import Observer
    from router.ports.receivers import ReceiverClient
    from router.ports.store import Store
    from router.web.clients import Network

log = structlog.get_logger("flux_router")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that is ready to listen: two apps, and the tasks behind them."""

    public: Starlette
    admin: Starlette
    tasks: dict[str, Callable[[asyncio.Event], Awaitable[None]]]
    observer: Observer
    wake: Callable[[], None]
    """Has dispatch look around now; also for the stop event."""


def describe_start(settings: Settings, listeners: Sequence[socket.socket]) -> dict[str, str]:
    """What the first log line tells: who runs, where it listens, what it keeps."""
    public, admin = (Bind(*listener.getsockname()[:2]) for listener in listeners)
    return {
        "version": __version__,
        "public": str(public),
        "admin": str(admin),
        "database": str(settings.database_url),
        "config": str(settings.config),
    }


async def build_service(
    settings: Settings, resources: AsyncExitStack, *, token: Secret | None
) -> Service:
    """Open the store, bring the routing file into force, and join the parts.

    What must be closed is handed to *resources*. Raises OperatorError for what the operator must
    mend: settings, the routing file, a database that is in use or too new.
    """
    clock = SystemClock()
    replica = clock.new_id()
    metrics = MetricsObserver(clock)
    observer = Observers(LogObserver(), metrics)
    store = await open_store(settings.database_url, clock)
    resources.push_async_callback(store.close)
    client = create_client(settings, clock)
    resources.push_async_callback(client.close)
    git = create_git(settings, clock)
    resources.push_async_callback(git.close)
    reloader = create_reloader(settings, store, client, clock, observer, replica=replica)
    resources.push_async_callback(reloader.leave)
    in_force = await reloader.start()
    dispatcher = Dispatcher(
        store=store,
        client=client,
        in_force=in_force,
        clock=clock,
        observer=observer,
        limits=dispatch_limits(settings),
    )
    identities = Identities(HttpKeySource(), clock, observer)
    parts = Parts(
        store=store,
        in_force=in_force,
        clock=clock,
        observer=observer,
        replica=replica,
        wake=dispatcher.wake,
        identities=identities,
    )
    service = join_service(settings, parts, git, reloader, dispatcher, metrics, token=token)
    service.tasks["identities"] = partial(identities.run, in_force)
    return service


async def open_store(url: DatabaseUrl, clock: Clock) -> Store:
    """The store that *url* names, in the newest schema. Raises OperatorError."""
    if url.is_sqlite:
        return await SqliteStore.open(Path(url.path), clock=clock)
    # Imported here: a service on SQLite starts sooner, and takes less memory, without its driver.
    from router.store.postgres.store import PostgresStore

    return await PostgresStore.open(url, clock=clock)


def join_service(
    settings: Settings,
    parts: Parts,
    git: GitClones,
    reloader: Reloader,
    dispatcher: Dispatcher,
    metrics: MetricsObserver,
    *,
    token: Secret | None,
) -> Service:
    """The apps and the background tasks over parts that are ready."""
    refs = RefObserver(parts, git)
    public, admin = create_apps(
        parts,
        metrics,
        token,
        troubles=refs.troubles,
        database=str(settings.database_url),
        trusted_proxies=settings.trusted_proxies or (),
    )
    keep_days = settings.retention_days
    return Service(
        public=public,
        admin=admin,
        tasks={
            "dispatch": dispatcher.run,
            "observe": refs.run,
            "sweep": Sweeper(parts, git, refs).run,
            "reload": partial(reloader.run, parts.in_force, mended=dispatcher.mended),
            "follow": partial(reloader.follow, parts.in_force, mended=dispatcher.mended),
            "retention": partial(run_retention, parts.store, parts.clock, keep_days=keep_days),
        },
        observer=parts.observer,
        wake=dispatcher.wake,
    )


def create_reloader(
    settings: Settings,
    store: Store,
    client: ReceiverClient,
    clock: Clock,
    observer: Observer,
    *,
    replica: str,
) -> Reloader:
    """What brings the settings' routing file into force."""
    return Reloader(
        source=FileRoutingSource(settings.config),
        store=store,
        client=client,
        clock=clock,
        observer=observer,
        interval_seconds=settings.reload_interval_seconds,
        replica=replica,
    )


def create_client(settings: Settings, clock: Clock) -> HttpReceiverClient:
    """The caller of receivers, within the settings' bounds."""
    return HttpReceiverClient(
        clock,
        deadline_seconds=settings.call_deadline_seconds,
        concurrency=settings.cluster_concurrency,
        trust_env=settings.receiver_proxy,
    )


def create_apps(
    parts: Parts,
    metrics: MetricsObserver,
    token: Secret | None,
    *,
    troubles: Mapping[str, str],
    database: str,
    trusted_proxies: Collection[Network],
) -> tuple[Starlette, Starlette]:
    """The apps of the public and the admin listener."""
    public = create_public_app(
        acceptor=Acceptor(parts),
        in_force=parts.in_force,
        observer=parts.observer,
        monotonic=parts.clock.monotonic,
        trusted_proxies=trusted_proxies,
    )
    api = AdminApi(
        store=parts.store,
        in_force=parts.in_force,
        requests=Requests(parts),
        render_metrics=metrics.render,
        troubles=troubles,
        database=database,
    )
    return public, create_admin_app(api, token=token)


def create_git(settings: Settings, clock: Clock) -> GitClones:
    """The git command, within the settings' bounds; runs nothing before a routing file asks."""
    return GitClones(
        settings.data_dir,
        clock=clock,
        deadline_seconds=settings.git_deadline_seconds,
        concurrency=settings.git_concurrency,
        limit_bytes=settings.clone_limit_mib * 1024 * 1024,
    )


def dispatch_limits(settings: Settings) -> DispatchLimits:
    """The settings that bound dispatch."""
    return DispatchLimits(
        calls=settings.dispatch_concurrency,
        calls_per_cluster=settings.cluster_concurrency,
        call_deadline_seconds=settings.call_deadline_seconds,
        stop_deadline_seconds=settings.stop_deadline_seconds,
    )


async def serve(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT, then finish what is under way."""
    allow_open_files()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as resources:
        token = read_admin_token(settings)
        listeners = [
            resources.enter_context(open_listener(bind.host, bind.port))
            for bind in (settings.public_bind, settings.admin_bind)
        ]
        service = await build_service(settings, resources, token=token)
        servers = [create_server(app) for app in (service.public, service.admin)]
        keep_what_started()
        share_interpreter()
        log.info("service.started", **describe_start(settings, listeners))
        async with asyncio.TaskGroup() as group:
            group.create_task(run_worker(service.tasks, stop, service.observer))
            for server, listener in zip(servers, listeners, strict=True):
                group.create_task(serve_until(stop, server, listener))
            await stop.wait()
            service.wake()
            for server in servers:
                server.should_exit = True
    log.info("service.stopped")
