"""The service under soak: started, killed, stopped and started again on the same ports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from bench.soak.clock import Offset
from bench.soak.history import Window
from bench.soak.sender import ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CALL_DEADLINE_SECONDS = 2
"""How long the router waits for a receiver: short, so that hanging ones are met often."""

STOP_DEADLINE_SECONDS = 1
"""How long a stop waits for calls under way: some are given up."""

PATIENCE_SECONDS = 60.0
"""For a start or a stop; a soak that waits longer has failed."""

POLL_SECONDS = 0.05


class ServiceFailed(Exception):
    """The service did not start, or not stop, or did it with a wrong exit code."""


@dataclass(kw_only=True)
class Service:
    """One service, and how often it was killed."""

    folder: Path
    config: Path
    database_url: str
    public: int
    admin: int
    kills: list[Window] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.offset = Offset(self.folder / "clock")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bench.soak.clock", str(self.folder / "clock")),
                env={**os.environ, **self._settings()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await self.wait_until_ready()

    async def wait_until_ready(self) -> None:
        """Wait until pushes can be accepted."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_ready(self._process):  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> None:
        """End the process without a word."""
        began_at = monotonic()
        await self._end(signal.SIGKILL, expected=-signal.SIGKILL)
        self.kills.append(Window(began_at=began_at, ended_at=monotonic()))

    async def stop(self) -> None:
        """Have the process finish what is under way, and end."""
        await self._end(signal.SIGTERM, expected=0)

    async def end(self) -> None:
        """Let nothing be left behind, whatever the state."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def states(self) -> Sequence[str]:
        """The states of all receivers."""
        status, body = await ask(self.admin, _get("/api/v1/layers"))
        if status != 200:
            return [f"answered {status}"]
        layers = json.loads(body)["layers"]
        return [receiver["state"] for layer in layers for receiver in layer["receivers"]]

    async def has(self, delivery: str) -> bool:
        """Whether the service knows that delivery."""
        return (await ask(self.admin, _get(f"/api/v1/deliveries/{delivery}")))[0] == 200

    async def _end(self, number: signal.Signals, *, expected: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self._process.wait()
        if code != expected:
            raise ServiceFailed(f"the service ended with {code} instead of {expected}")

    async def _is_ready(self, process: asyncio.subprocess.Process) -> bool:
        if process.returncode is not None:
            log = (self.folder / "log").read_text(errors="replace")[-3000:]
            raise ServiceFailed(f"the service ended with {process.returncode}:\n{log}")
        try:
            return (await ask(self.admin, _get("/readyz")))[0] == 200
        except (OSError, EOFError):
            return False

    def _settings(self) -> dict[str, str]:
        return {
            "ROUTER_CONFIG": str(self.config),
            "ROUTER_DATABASE_URL": self.database_url,
            "ROUTER_DATA_DIR": str(self.folder / "clones"),
            "ROUTER_PUBLIC_BIND": f"127.0.0.1:{self.public}",
            "ROUTER_ADMIN_BIND": f"127.0.0.1:{self.admin}",
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_CALL_DEADLINE": str(CALL_DEADLINE_SECONDS),
            "ROUTER_STOP_DEADLINE": str(STOP_DEADLINE_SECONDS),
        }


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
