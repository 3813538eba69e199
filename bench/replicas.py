"""Measure replicas on one PostgreSQL: what a push costs when one, two or three share the work.

    python -m bench.replicas

Every replica is the real service with its default settings, all of them on one processor, with the
cluster suspended: pushes are accepted, planned and saved. Each replica has as many connections, of
a repository each, which send their next push when the last one was answered. CPU time is that of
all replicas together, without PostgreSQL's own, whose server comes from a wheel or from Debian's
package and syncs each commit to disk. `ceiling` is the same server with a handler that only reads
the body; the targets take turns, and the medians of the rounds are told.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import uvloop

from bench.load import connect, is_ok, send_in_turn
from bench.processes import pin_load, run_measured, run_service, sync_ms
from bench.pushes import Fleet, Pushes
from bench.soak.databases import run_postgres
from router.demo.ports import reserve_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import Sender
    from bench.processes import Process

CONNECTIONS = 32
"""Of each replica, and as many repositories."""


@dataclass(kw_only=True)
class Replicas:
    """So many processes that share a database, and what was measured of them."""

    name: str
    processes: Sequence[Process]
    ports: Sequence[int]
    pushes: Sequence[Pushes]
    senders: Sequence[Sender] = ()
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    async def connect(self) -> None:
        """A connection for each repository, in turn to one replica after the other."""
        each = len(self.pushes) // len(self.ports)
        connections = [await connect(port, each, is_ok) for port in self.ports]
        spread = [sender for row in zip(*connections, strict=True) for sender in row]
        self.senders = spread

    async def run(self, count: int) -> None:
        requests = [[pushes.next() for _ in range(count)] for pushes in self.pushes]
        cpu, began = self._cpu_seconds(), perf_counter()
        await send_in_turn(self.senders, requests)
        total = count * len(self.senders)
        self.rates.append(total / (perf_counter() - began))
        self.cpu_us.append((self._cpu_seconds() - cpu) * 1e6 / total)

    def _cpu_seconds(self) -> float:
        return sum(process.cpu_seconds() for process in self.processes)


async def start_replicas(
    stack: AsyncExitStack, folder: Path, fleet: Fleet, *, count: int
) -> Replicas:
    processes = stack.enter_context(ExitStack())
    database = processes.enter_context(run_postgres())
    await database.start()
    stack.push_async_callback(database.stop)
    home = folder / f"{count}-replicas"
    home.mkdir()
    config = fleet.write(home, flux_url=None)
    started, ports = [], []
    for _ in range(count):
        running = run_service(home, config, ROUTER_DATABASE_URL=database.url)
        process, public, admin = processes.enter_context(running)
        await asyncio.to_thread(process.wait_for, f"http://127.0.0.1:{admin}/readyz")
        started.append(process)
        ports.append(public)
    return Replicas(
        name=f"{count} replica{'' if count == 1 else 's'}",
        processes=started,
        ports=ports,
        pushes=[Pushes(fleet, number, path_count=8) for number in range(count * CONNECTIONS)],
    )


async def start_ceiling(stack: AsyncExitStack, folder: Path, fleet: Fleet) -> Replicas:
    (port,) = stack.enter_context(reserve_ports(1))
    words = [sys.executable, "-m", "bench.ceiling", str(port)]
    process = stack.enter_context(run_measured(words, log=folder / "log"))
    process.wait_for_port(port)
    return Replicas(
        name="ceiling",
        processes=[process],
        ports=[port],
        pushes=[Pushes(fleet, number, path_count=8) for number in range(CONNECTIONS)],
    )


async def measure(folder: Path, *, counts: Sequence[int], rounds: int, pushes: int) -> None:
    fleet = Fleet(entry_count=CONNECTIONS * max(counts), layers_each=16)
    each = max(1, pushes // CONNECTIONS)
    print(
        f"{CONNECTIONS} repositories and connections for each replica;"
        f" a sync to disk: {sync_ms(folder):.2f} ms"
    )
    async with AsyncExitStack() as stack:
        targets = [await start_ceiling(stack, folder, fleet)]
        for count in counts:
            targets.append(await start_replicas(stack, folder, fleet, count=count))
        for target in targets:
            await target.connect()
            await target.run(1)
        for number in range(rounds + 1):
            for target in targets:
                await target.run(each if number else 3)
                if not number:  # a warm-up, in which nothing is known of what changed
                    target.rates.clear()
                    target.cpu_us.clear()
    ceiling, first = targets[0], targets[1]
    print(
        f"{'on PostgreSQL':<16}{'pushes/s':>10}{'of ceiling':>12}{'CPU us':>9}{'to the first':>14}"
    )
    for target in targets:
        shares = [rate / top for rate, top in zip(target.rates, ceiling.rates, strict=True)]
        ratios = [cpu / base for cpu, base in zip(target.cpu_us, first.cpu_us, strict=True)]
        print(
            f"{target.name:<16}{median(target.rates):>10.0f}{median(shares) * 100:>11.1f}%"
            f"{median(target.cpu_us):>9.0f}{median(ratios):>9.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pushes", type=int, default=3_200, help="of one round and replica")
    options = parser.parse_args()
    pin_load()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(
            measure(
                Path(folder), counts=options.replicas, rounds=options.rounds, pushes=options.pushes
            )
        )


if __name__ == "__main__":
    main()
