"""Processes under measurement: pinned to one processor, with the CPU time and memory they took."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from router.demo.ports import reserve_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MEASURED_CPU, LOAD_CPU = 0, 1
START_SECONDS = 60.0
POLL_SECONDS = 0.01
_TICKS = os.sysconf("SC_CLK_TCK")
_OPEN = build_opener(ProxyHandler({})).open


def sync_ms(folder: Path) -> float:
    """What a commit has to wait for in *folder*; next to nothing where it is no real disk."""
    took = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(20):
            file.write(bytes(4096))
            began = perf_counter()
            os.fsync(file.fileno())
            took.append(perf_counter() - began)
    return median(took) * 1e3


def pin_load() -> None:
    """Keep this process, which makes the load, off the processor that is measured."""
    with suppress(OSError):
        os.sched_setaffinity(0, {LOAD_CPU})


def _pin_measured() -> None:
    with suppress(OSError):
        os.sched_setaffinity(0, {MEASURED_CPU})


class Process:
    """One process under measurement."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started
        self.pid = started.pid

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, with its threads and the children it waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS

    def memory_mib(self, field: str = "Pss") -> float:
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise LookupError(field)

    def wait_for_port(self, port: int) -> None:
        """Wait until something listens on *port*. Raises RuntimeError when nothing does."""
        for _ in range(int(START_SECONDS / POLL_SECONDS)):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"nothing listens on {port}")

    def wait_for(self, url: str) -> float:
        """Seconds until *url* answers 200, from now. Raises RuntimeError when it does not."""
        began = perf_counter()
        while perf_counter() - began < START_SECONDS:
            if self._started.poll() is not None:
                break
            with suppress(URLError, ConnectionError), _OPEN(url, timeout=5) as answer:
                if answer.status == 200:
                    return perf_counter() - began
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{url} did not answer")


@contextmanager
def run_measured(
    words: Sequence[str], *, environment: Mapping[str, str] | None = None, log: Path
) -> Iterator[Process]:
    """Run a command on the measured processor until the block is left."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            words,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
            preexec_fn=_pin_measured,
        )
    try:
        yield Process(started)
    finally:
        started.terminate()
        try:
            started.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def run_service(folder: Path, config: Path, **settings: str) -> Iterator[tuple[Process, int, int]]:
    """The real service with its default settings; gives its public and its admin port."""
    command = [sys.executable, "-m", "router", "serve"]
    with reserve_ports(2) as (public, admin):
        environment = {
            "ROUTER_CONFIG": str(config),
            "ROUTER_DATABASE_URL": f"sqlite:///{folder / 'router.db'}",
            "ROUTER_DATA_DIR": str(folder / "clones"),
            "ROUTER_PUBLIC_BIND": f"127.0.0.1:{public}",
            "ROUTER_ADMIN_BIND": f"127.0.0.1:{admin}",
            "ROUTER_LOG_FORMAT": "json",
            **settings,
        }
        with run_measured(command, environment=environment, log=folder / "log") as process:
            yield process, public, admin
