from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.demo.fleet import LAYERS
from router.demo.ports import reserve_ports
from router.demo.receivers import Call, StandInReceiver, serve_stand_in
from router.demo.service import write_routing_file
from router.demo.story import write_secrets
from tests.builders import github_request
from tests.e2e.git_case import Cases
from tests.e2e.watched_flux import WatchedFlux
from tests.postgres.fixtures import new_schema, postgres

__all__ = ["new_schema", "postgres"]

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
"""How long a test waits for another process; only a failing test waits that long."""


def plain_client(port: int) -> httpx.AsyncClient:
    """To a server of this machine without TLS, so that no certificates are read for it."""
    url = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, verify=False)


@dataclass
class World:
    """A folder with a routing file and a database, Flux beside it, and a service to start."""

    folder: Path
    stand_in: WatchedFlux
    stack: AsyncExitStack
    environment: dict[str, str]
    public: httpx.AsyncClient
    admin: httpx.AsyncClient
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def secret(self) -> bytes:
        return (self.folder / "secrets" / "github").read_bytes()

    async def start(self, *, crash_at: str | None = None, **settings: str) -> None:
        """Start the service and wait until it is ready."""
        process = await self.spawn(crash_at=crash_at, **settings)
        await self.wait_until(self._is_ready)
        assert process.returncode is None

    async def spawn(
        self, *, crash_at: str | None = None, **settings: str
    ) -> asyncio.subprocess.Process:
        words = ["-m", "router", "serve"]
        if crash_at is not None:
            words = ["-m", "tests.e2e.crashing", crash_at]
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *words,
                cwd=ROOT,
                env={**self.environment, **settings},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self.processes.append(process)
        return process

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the newest process a signal; returns its exit code."""
        process = self.processes[-1]
        if process.returncode is None:
            process.send_signal(number)
        return await self.wait_for_exit()

    async def wait_for_exit(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.processes[-1].wait()

    async def push(self, payload: dict[str, Any], *, delivery: str = "guid") -> httpx.Response:
        headers, body = github_request(payload, delivery=delivery, secret=self.secret)
        return await self.public.post("/hooks/github", headers=headers, content=body)

    async def wait_until_idle(self) -> None:
        async def is_idle() -> bool:
            states = [receiver["state"] for receiver in await self.receivers()]
            return set(states) == {"idle"}

        await self.wait_until(is_idle)

    async def receivers(self) -> list[dict[str, Any]]:
        layers = (await self.admin.get("/api/v1/layers")).json()["layers"]
        return [receiver for layer in layers for receiver in layer["receivers"]]

    async def wait_until(self, condition: Any) -> None:
        pause_seconds = 0.02
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():
                await asyncio.sleep(pause_seconds)
                # To ask costs the service the time that it is waited for.
                pause_seconds = min(1.2 * pause_seconds, 0.2)

    def served(self, delivery: str) -> set[str]:
        """The layers whose receivers answered 200 to a call for *delivery*."""
        return {
            call.name
            for call in self.stand_in.calls
            if call.status == 200 and delivery in call.body["deliveries"]
        }

    def calls_since(self, count: int) -> list[Call]:
        return self.stand_in.calls[count:]

    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def _is_ready(self) -> bool:
        assert self.processes[-1].returncode is None, self.log()
        try:
            return (await self.admin.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'router.db'}"


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    tokens = write_secrets(tmp_path)
    stand_in = WatchedFlux(
        [
            StandInReceiver(namespace="flux-system", name=name, type="generic-hmac", token=token)
            for name, token in tokens.items()
        ]
    )
    async with AsyncExitStack() as stack:
        public, admin = stack.enter_context(reserve_ports(2))
        flux_url = await stack.enter_async_context(serve_stand_in(stand_in))
        file = write_routing_file(
            tmp_path, repository_url="https://github.com/acme/fleet", flux_url=flux_url
        )
        environment = {
            "PATH": os.environ["PATH"],
            "ROUTER_CONFIG": str(file),
            "ROUTER_DATABASE_URL": database_url,
            "ROUTER_PUBLIC_BIND": f"127.0.0.1:{public}",
            "ROUTER_ADMIN_BIND": f"127.0.0.1:{admin}",
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_CALL_DEADLINE": "1",
            "ROUTER_RELOAD_INTERVAL": "0.1",
        }
        public_client, admin_client = [
            await stack.enter_async_context(plain_client(port)) for port in (public, admin)
        ]
        made = World(tmp_path, stand_in, stack, environment, public_client, admin_client)
        yield made
        stand_in.release_all()
        for process in made.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def cases(tmp_path: Path) -> AsyncIterator[Cases]:
    async with AsyncExitStack() as stack:
        yield Cases(tmp_path, stack)


ALL_LAYERS = set(LAYERS)
