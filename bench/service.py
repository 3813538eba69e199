"""Measure the service as a whole, beside a handler that only reads the body, in the same run.

    python -m bench.service
    python -m bench.service --rounds 9 --paths 100 --entries 16 --layers 1000

Everything measured is a process of its own on one processor: the service with its default settings
(log lines and all), once with its cluster suspended (`durable ack`) and once with a receiver that
is called for each push (`full path`), the same server with a trivial handler (`ceiling`), and
adnanh's webhook, which runs a command for each push and keeps nothing (`webhook`; from PATH, or
from Debian's package). Load and receiver are in this process, on another processor. Closed loop:
each of the connections sends its next push when the last one was answered, or, on the full path,
when its receiver was called. Open loop: pushes at even intervals, and latencies from the moment a
push was due. The targets take turns; ratios are of one round, and the medians of all are told.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING

import uvloop

from bench.load import Answer, Calls, connect, is_ok, send_at_rate, send_in_turn, serve_receiver
from bench.plot import plot
from bench.processes import (
    Process,
    pin_load,
    run_measured,
    run_service,
    sync_ms,
)
from bench.profile import sample
from bench.pushes import Fleet, Pushes
from bench.webhook import find_webhook, write_hooks
from router.demo.ports import reserve_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.load import Sender

CEILING, WEBHOOK, ACK, FULL = "ceiling", "webhook", "durable ack", "full path"


@dataclass(kw_only=True)
class Target:
    """One process that is sent pushes, and what was measured of it."""

    name: str
    process: Process
    senders: Sequence[Sender]
    pushes: Sequence[Pushes]
    calls: Calls | None = None
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    """Open loop: seconds from when a push was due to its answer."""
    arrivals: list[float] = field(default_factory=list)
    """Open loop: seconds from when a push was due to its receiver's call."""

    def prepare(self, count: int) -> list[list[bytes]]:
        return [[pushes.next() for _ in range(count)] for pushes in self.pushes]

    async def run_closed(self, count: int) -> None:
        """Send *count* pushes on each connection as fast as they are answered."""
        requests = self.prepare(count)
        cpu, began = self.process.cpu_seconds(), perf_counter()
        if self.calls is None:
            await send_in_turn(self.senders, requests)
        else:
            await asyncio.gather(
                *(
                    send_and_see_called(sender, mine, self.calls)
                    for sender, mine in zip(self.senders, requests, strict=True)
                )
            )
        total = count * len(self.senders)
        self.rates.append(total / (perf_counter() - began))
        self.cpu_us.append((self.process.cpu_seconds() - cpu) * 1e6 / total)

    async def run_open(self, count: int, per_second: float) -> None:
        """Send *count* pushes on each connection at even intervals."""
        requests = self.prepare(count)
        due_at: list[float] = []
        futures = await send_at_rate(self.senders, requests, per_second=per_second, due_at=due_at)
        answers = [future.result() for future in futures]
        self.acks += [answer.latency_seconds for answer in answers]
        if self.calls is not None:
            arrived = [await self.calls.of(delivery_of(answer)) for answer in answers]
            self.arrivals += [there - due for due, there in zip(due_at, arrived, strict=True)]


def delivery_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["delivery"])


async def send_and_see_called(sender: Sender, requests: Sequence[bytes], calls: Calls) -> None:
    for request in requests:
        await calls.of(delivery_of(await sender.send(request)))


async def start_targets(
    stack: AsyncExitStack, folder: Path, fleet: Fleet, *, paths: int
) -> list[Target]:
    """Start what is measured, and have every repository planned once."""
    processes = stack.enter_context(ExitStack())
    flux_url, calls = await stack.enter_async_context(serve_receiver())

    async def target(
        name: str, process: Process, port: int, right: Callable[[bytes], bool] = is_ok
    ) -> Target:
        senders = await connect(port, fleet.entry_count, right)
        numbers = range(fleet.entry_count)
        pushes = [Pushes(fleet, number, path_count=paths) for number in numbers]
        return Target(name=name, process=process, senders=senders, pushes=pushes)

    targets = []
    port, webhook_port = processes.enter_context(reserve_ports(2))
    words = [sys.executable, "-m", "bench.ceiling", str(port)]
    process = processes.enter_context(run_measured(words, log=folder / "log"))
    process.wait_for_port(port)
    targets.append(await target(CEILING, process, port))
    words = [str(find_webhook()), "-hooks", str(write_hooks(folder)), "-ip", "127.0.0.1"]
    process = processes.enter_context(
        run_measured([*words, "-port", str(webhook_port)], log=folder / "log")
    )
    process.wait_for_port(webhook_port)
    targets.append(await target(WEBHOOK, process, webhook_port))
    for name, url in ((ACK, None), (FULL, flux_url)):
        home = folder / name.replace(" ", "-")
        home.mkdir()
        config = fleet.write(home, flux_url=url)
        process, public, admin = processes.enter_context(run_service(home, config))
        await asyncio.to_thread(process.wait_for, f"http://127.0.0.1:{admin}/readyz")
        targets.append(await target(name, process, public))
    targets[-1].calls = calls
    for made in targets:
        await send_in_turn(made.senders, made.prepare(2))
    await calls.settle()
    return targets


async def measure(folder: Path, options: argparse.Namespace) -> None:
    fleet = Fleet(entry_count=options.entries, layers_each=options.layers)
    print(
        f"{options.entries} repositories and connections, {options.layers} layers each;"
        f" {options.paths} changed paths a push; a sync to disk: {sync_ms(folder):.2f} ms"
    )
    async with AsyncExitStack() as stack:
        targets = await start_targets(stack, folder, fleet, paths=options.paths)
        for number in range(options.rounds + 1):
            for target in targets:
                if number == 0:  # a warm-up
                    await target.run_closed(5)
                    target.rates.clear()
                    target.cpu_us.clear()
                    continue
                await target.run_closed(max(1, options.pushes // options.entries))
        print_closed(targets)
        each = max(1, int(options.seconds * options.rate / options.entries))
        for target in targets:
            await target.run_open(each, options.rate)
        print_open(targets, options.rate)
        if options.plot:
            plot_open(targets, options.rate, Path(options.plot))
        if options.profile:
            for target in targets[2:]:
                await print_profile(target, options.profile, folder)
        for target in targets[2:]:
            print(f"{target.name}: {target.process.memory_mib():.0f} MiB after the load")
    if options.fan_out:
        await measure_fan_out(folder, options.fan_out, options.rounds)


async def measure_fan_out(folder: Path, layers: int, rounds: int) -> None:
    """One push of which nothing is known calls every layer: how many calls a second that makes."""
    fleet = Fleet(entry_count=1, layers_each=layers)
    home = folder / "fan-out"
    home.mkdir()
    rates = []
    async with serve_receiver() as (url, calls):
        with run_service(home, fleet.write(home, flux_url=url)) as (process, public, admin):
            took = await asyncio.to_thread(process.wait_for, f"http://127.0.0.1:{admin}/readyz")
            await calls.settle()
            await asyncio.sleep(2)
            print(
                f"start to ready with {layers} layers: {took:.2f} s;"
                f" memory idle: {process.memory_mib():.0f} MiB (PSS)"
            )
            (sender,) = await connect(public, 1)
            pushes = Pushes(fleet, 0, path_count=1)
            for _ in range(rounds):
                pushes.skip()  # the push before it is lost: nothing is known of what it changed
                count, began = calls.count, perf_counter()
                await sender.send(pushes.next())
                await calls.reach(count + layers)
                rates.append(layers / (calls.last_at - began))
    print(f"fan-out, one push to {layers} receivers: {median(rates):.0f} calls/s ({spread(rates)})")


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}"


def print_closed(targets: Sequence[Target]) -> None:
    """Where `busy` is far below 100 %, it was not the process that took the time, but the load, the
    disk or something else on this machine."""
    print(
        f"\n{'closed loop':<14}{'pushes/s':>10}{'of ceiling':>12}{'range':>12}"
        f"{'CPU us':>9}{'busy':>7}"
    )
    base = targets[0].rates
    for target in targets:
        shares = [ours / top * 100 for ours, top in zip(target.rates, base, strict=True)]
        busy = [rate * us / 1e4 for rate, us in zip(target.rates, target.cpu_us, strict=True)]
        print(
            f"{target.name:<14}{median(target.rates):>10.0f}{median(shares):>11.1f}%"
            f"{spread(shares):>12}{median(target.cpu_us):>9.0f}{median(busy):>6.0f}%"
        )


def print_open(targets: Sequence[Target], rate: float) -> None:
    print(f"\n{f'at {rate:g} pushes/s':<30}{'p50 ms':>8}{'p90':>8}{'p99':>8}{'p99.9':>8}{'max':>8}")
    for target in targets:
        for what, seconds in (("ack", target.acks), ("to the receiver", target.arrivals)):
            if not seconds:
                continue
            cuts = quantiles(seconds, n=1000, method="inclusive")
            shown = (cuts[499], cuts[899], cuts[989], cuts[998], max(seconds))
            figures = "".join(f"{value * 1e3:>8.2f}" for value in shown)
            print(f"{f'{target.name}, {what}':<30}{figures}")


def plot_open(targets: Sequence[Target], rate: float, file: Path) -> None:
    """Draw what print_open tells."""
    series = {f"{target.name}: ack": target.acks for target in targets}
    series |= {f"{target.name}: call": target.arrivals for target in targets if target.arrivals}
    plot(series, file, title=f"Latencies at {rate:g} pushes a second, from when a push was due")


async def print_profile(target: Target, seconds: int, folder: Path) -> None:
    """Where the target's time goes while it has all the load it can take."""
    sampling = asyncio.create_task(sample(target.process.pid, seconds, folder))
    while not sampling.done():
        await target.run_closed(5)
    print(f"\n{target.name}: share of the samples of who holds the interpreter's lock")
    for part, share in sampling.result().items():
        print(f"{share * 100:>6.1f}%  {part}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pushes", type=int, default=3_200, help="of one round")
    parser.add_argument("--entries", type=int, default=64, help="repositories, and connections")
    parser.add_argument("--layers", type=int, default=16, help="of each repository")
    parser.add_argument("--paths", type=int, default=8, help="changed paths of a push")
    parser.add_argument("--rate", type=float, default=500.0, help="pushes a second, open loop")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the open loop")
    parser.add_argument(
        "--fan-out", type=int, default=1_000, help="layers of its push; 0: leave out"
    )
    parser.add_argument("--profile", type=int, metavar="SECONDS", help="sample with py-spy, too")
    parser.add_argument("--plot", metavar="FILE", help="draw the open loop's latencies, an SVG")
    options = parser.parse_args()
    pin_load()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), options))


if __name__ == "__main__":
    main()
