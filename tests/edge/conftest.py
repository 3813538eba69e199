"""The real service with a hook of every kind, and proxies trusted on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from router.demo.ports import reserve_ports
from router.demo.receivers import StandInReceiver, serve_stand_in
from tests.e2e.conftest import World, plain_client
from tests.e2e.watched_flux import WatchedFlux
from tests.edge.canaries import HEADER_TOKEN, HOOK_SECRET, PATH_TOKEN, RECEIVER_TOKEN

ROUTING = """\
apiVersion: flux-router/v1
hooks:
  - {{name: github, provider: github, secrets: [{{file: hook}}]}}
  - {{name: gitlab, provider: gitlab, secrets: [{{file: hook}}]}}
  - {{name: gitea, provider: gitea, secrets: [{{file: hook}}]}}
  - {{name: generic, provider: generic, secrets: [{{file: hook}}]}}
  - {{name: by-path, provider: github, auth: {{path: {{file: path}}}}}}
  - name: by-header
    provider: github
    auth: {{header: {{name: X-Key, value: {{file: header}}}}}}
clusters:
  - name: prod
    url: {flux_url}
    receiver: {{namespace: flux-system, name: "{{layer}}", token: {{file: receiver}}}}
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    layers: [{{name: app1, paths: [apps/app1/]}}]
"""


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    """A service that has called its one receiver for the start; requests come through proxies."""
    for name, secret in (
        ("hook", HOOK_SECRET),
        ("path", PATH_TOKEN),
        ("header", HEADER_TOKEN),
        ("receiver", RECEIVER_TOKEN),
    ):
        (tmp_path / name).write_bytes(secret)
    stand_in = WatchedFlux(
        [
            StandInReceiver(
                namespace="flux-system", name="app1", type="generic-hmac", token=RECEIVER_TOKEN
            )
        ]
    )
    async with AsyncExitStack() as stack:
        public, admin = stack.enter_context(reserve_ports(2))
        flux_url = await stack.enter_async_context(serve_stand_in(stand_in))
        (tmp_path / "router.yaml").write_text(ROUTING.format(flux_url=flux_url))
        environment = {
            "PATH": os.environ["PATH"],
            "ROUTER_CONFIG": str(tmp_path / "router.yaml"),
            "ROUTER_DATABASE_URL": f"sqlite:///{tmp_path / 'router.db'}",
            "ROUTER_PUBLIC_BIND": f"127.0.0.1:{public}",
            "ROUTER_ADMIN_BIND": f"127.0.0.1:{admin}",
            "ROUTER_TRUSTED_PROXIES": "127.0.0.0/8",
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_LOG_LEVEL": "debug",
        }
        public_client, admin_client = [
            await stack.enter_async_context(plain_client(port)) for port in (public, admin)
        ]
        world = World(tmp_path, stand_in, stack, environment, public_client, admin_client)
        await world.start()
        await world.wait_until_idle()
        yield world
        for process in world.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()
