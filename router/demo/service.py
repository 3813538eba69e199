"""The real service as the demo runs it: its own process, asked through the admin API."""

from __future__ import annotations

import asyncio
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import httpx

from router.demo.fleet import LAYERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

PATIENCE_SECONDS = 30.0
"""How long the demo waits for anything before it calls it a failure."""

ROUTING_FILE = """\
apiVersion: flux-router/v1
hooks:
  - name: github
    provider: github
    secrets: [{{file: secrets/github}}]
clusters:
  - name: demo
    url: {flux_url}
    receiver:
      namespace: flux-system
      name: "{{layer}}"
      type: generic-hmac
      token: {{file: "secrets/receivers/{{layer}}"}}
repositories:
  - name: fleet
    hook: github
    url: {repository_url}
    ref: main
    layers:
{layers}
"""


def write_routing_file(folder: Path, *, repository_url: str, flux_url: str) -> Path:
    """Write the demo's routing file for the seven layers."""
    layers = [
        f"      - name: {name}\n        paths: {_flow(paths)}\n        dependsOn: {_flow(parents)}"
        for name, (paths, parents) in LAYERS.items()
    ]
    file = folder / "router.yaml"
    file.write_text(
        ROUTING_FILE.format(
            repository_url=repository_url, flux_url=flux_url, layers="\n".join(layers)
        )
    )
    return file


def add_git(routing_file: Path) -> None:
    """Switch git mode on in the routing file; sweeps come as often as they may."""
    ref = "    ref: main\n"
    git = f"{ref}    git: {{sweepInterval: 10s}}\n"
    routing_file.write_text(routing_file.read_text().replace(ref, git))


def _flow(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


class ServiceFailed(Exception):
    """The service did not do in time what the demo waits for."""


async def wait_until(
    condition: Callable[[], Awaitable[bool]], failure: str, *, interval_seconds: float = 0.02
) -> None:
    """Ask again and again until *condition* holds. Raises ServiceFailed with *failure*."""
    tries = round(PATIENCE_SECONDS / interval_seconds)
    for _ in range(tries):
        if await condition():
            return
        await asyncio.sleep(interval_seconds)
    raise ServiceFailed(failure)


class Service:
    """`flux-router serve` in a process of its own."""

    def __init__(
        self, folder: Path, routing_file: Path, path_variable: str, *, ports: Sequence[int]
    ) -> None:
        self.public_port, self._admin_port = ports
        self.log = folder / "router.log"
        self._environment = {
            "PATH": path_variable,
            "ROUTER_CONFIG": str(routing_file),
            "ROUTER_DATABASE_URL": f"sqlite:///{folder / 'router.db'}",
            "ROUTER_DATA_DIR": str(folder / "clones"),
            "ROUTER_PUBLIC_BIND": f"127.0.0.1:{self.public_port}",
            "ROUTER_ADMIN_BIND": f"127.0.0.1:{self._admin_port}",
            "ROUTER_LOG_FORMAT": "json",
        }
        self._process: asyncio.subprocess.Process | None = None
        self._admin = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._admin_port}", trust_env=False
        )

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "router", "serve", env=self._environment, stderr=log
            )
        await wait_until(self._is_ready, "the service is not ready")

    async def stop(self) -> int:
        """End the process as Kubernetes does; returns its exit code."""
        await self._admin.aclose()
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def deliveries(self, *, after: str | None) -> list[dict[str, Any]]:
        """The deliveries since the one of that id (None: all), newest first, whole."""
        rows = (await self._get("/api/v1/deliveries?limit=50"))["deliveries"]
        news = list(takewhile(lambda row: row["id"] != after, rows))
        return [await self._get(f"/api/v1/deliveries/{row['id']}") for row in news]

    async def wait_until_idle(self) -> None:
        """Wait until no receiver is due, in a call, or waiting for a retry."""
        await wait_until(self._is_idle, "receivers are still due")

    async def switch_to_git(self, routing_file: Path) -> None:
        """Add git mode to the routing file and wait until the service has asked the Git host."""
        add_git(routing_file)

        async def has_swept() -> bool:
            metrics = (await self._admin.get("/metrics")).raise_for_status().text
            return "flux_router_sweep_lag_seconds{" in metrics

        await wait_until(has_swept, "the Git host was not asked")

    async def _is_idle(self) -> bool:
        layers = (await self._get("/api/v1/layers"))["layers"]
        return all(
            receiver["state"] == "idle" for layer in layers for receiver in layer["receivers"]
        )

    async def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise ServiceFailed(f"the service ended: {self.log.read_text()}")
        try:
            return (await self._admin.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def _get(self, path: str) -> Any:
        return (await self._admin.get(path)).raise_for_status().json()
