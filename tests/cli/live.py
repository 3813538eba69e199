"""The admin app of a service over fakes, on a port of this machine, for commands that ask it."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import uvicorn
from click.testing import CliRunner

from router.cli.app import cli
from router.core.model import Attempt, Secret
from router.flow.accept import Acceptor
from router.flow.definitions import describe_activation
from router.flow.parts import Parts
from router.flow.request import Requests
from router.flow.routing import InForce
from router.web.admin import AdminApi, create_admin_app
from router.web.server import QuietServer
from tests.builders import commit, github_push, github_request, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from click.testing import Result
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    from router.core.model import Outcome
    from router.core.routing import Routing

NO_SETTINGS = {"ROUTER_ADMIN_URL": None, "ROUTER_ADMIN_TOKEN_FILE": None}


@dataclass
class Live:
    """A service that a command can be pointed at."""

    parts: Parts
    store: FakeStore
    url: str
    loop: asyncio.AbstractEventLoop = field(repr=False)

    def run(self, *words: str) -> Result:
        """A command in this process, which asks this service."""
        return run_at(self.url, *words)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run *work* where the service runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def push(self, number: int = 1, *, guid: str = "", **payload: Any) -> str:
        """Deliver a push; returns its id."""
        body = github_push(before=commit(number), after=commit(number + 1), **payload)
        headers, content = github_request(body, delivery=guid or f"guid-{number}")
        hook = self.parts.in_force.current.hooks["github"]
        accepting = Acceptor(self.parts).accept(hook, headers, content)
        return str(self.do(accepting).delivery.id)

    def call_due(self, outcome: Outcome = "notified", status: int = 200, detail: str = "") -> None:
        """Serve every due receiver."""
        self.do(self._call_due(outcome, status, detail))

    async def _call_due(self, outcome: Outcome, status: int, detail: str) -> None:
        claimed = await self.store.claim_due(
            {"prod": 100},
            limit=100,
            owner="me",
            lease_seconds=20,
            generation=1,
        )
        for claim in claimed.claims:
            attempt = Attempt(
                receiver=claim.receiver,
                wanted=claim.wanted,
                started_at=self.parts.clock.now(),
                duration_seconds=0.0125,
                outcome=outcome,
                status=status,
                detail=detail,
            )
            retry_seconds = None if outcome == "notified" else 60.0
            await self.store.record_attempt(attempt, owner="me", retry_seconds=retry_seconds)

    def use(self, routing: Routing) -> None:
        """Bring another routing file into force."""
        self.parts.in_force.replace(routing)


def run_at(url: str, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--admin-url", url], env={**NO_SETTINGS, **environ})


@dataclass
class Listener:
    """A server that runs for all tests, with the app of the one that runs now."""

    url: str
    loop: asyncio.AbstractEventLoop
    app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def serve(self, *, token: bytes | None = None) -> Live:
        """A service with the seven layers of the worked example, instead of the one before."""
        clock, routing = FakeClock(), make_routing(generation=1)
        store = FakeStore(clock)
        parts = Parts(
            replica="us",
            store=store,
            in_force=InForce(routing),
            clock=clock,
            observer=RecordingObserver(),
            wake=lambda: None,
        )
        api = AdminApi(
            store=store,
            in_force=parts.in_force,
            requests=Requests(parts),
            render_metrics=lambda _receivers: b"",
            troubles={},
            database="router.db",
        )
        self.app = create_admin_app(api, token=Secret(token) if token else None)
        live = Live(parts, store, self.url, self.loop)
        live.do(store.activate(describe_activation(routing, ""), adopt=lambda _names: []))
        return live


@contextmanager
def open_listener() -> Iterator[Listener]:
    """A server on a port of this machine, in a thread of its own."""
    loop = asyncio.new_event_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened = Listener(url=f"http://127.0.0.1:{listener.getsockname()[1]}", loop=loop)
        server = QuietServer(uvicorn.Config(opened, lifespan="off", log_config=None))
        serving = server.serve(sockets=[listener])
        thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
        thread.start()
        try:
            yield opened
        finally:
            server.should_exit = True
            thread.join()
            loop.close()


@contextmanager
def serve_answer(
    status: int, body: bytes, *, kind: str = "application/json", **headers: str
) -> Iterator[str]:
    """A server that gives one answer to everything; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
