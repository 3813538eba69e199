"""Measure what honest pushes notice of hostile requests, and how much memory these take.

    python -m bench.hostile

The same open loop of honest pushes twice in one run: alone, and while hundreds of connections hold
half a body or half a header open, others send a body byte by byte, and forged pushes of 8 KB come
in as fast as a few connections get them answered. The service is a process of its own with its
default settings, on one processor; all load comes from another one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import uvloop

from bench.load import connect, send_at_rate, send_in_turn
from bench.processes import pin_load, run_service
from bench.pushes import Fleet, Pushes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bench.load import Sender

HALF_BODIES, HALF_HEADERS, BYTE_BY_BYTE, FORGERS = 200, 50, 50, 4
HEAD = (
    b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\nContent-Length: 1000000\r\n\r\n"
)


@asynccontextmanager
async def hostility(port: int, forged: bytes) -> AsyncIterator[dict[str, int]]:
    """Hostile requests until the block is left; counts the answers to forged ones."""
    counts = {"forged": 0}
    starts = [HEAD + b"{" * 1000] * HALF_BODIES + [HEAD[:40]] * HALF_HEADERS + [HEAD] * BYTE_BY_BYTE
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in starts]
    for (_, writer), start in zip(opened, starts, strict=True):
        writer.write(start)

    async def drip() -> None:
        while True:
            for _, writer in opened[-BYTE_BY_BYTE:]:
                with suppress(ConnectionError):
                    writer.write(b" ")
            await asyncio.sleep(0.5)

    async def forge(sender: Sender) -> None:
        while True:
            await sender.send(forged)
            counts["forged"] += 1

    forgers = await connect(port, FORGERS, lambda head: head.startswith(b"HTTP/1.1 401"))
    tasks = [asyncio.create_task(drip()), *(asyncio.create_task(forge(each)) for each in forgers)]
    try:
        yield counts
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, writer in opened:
            writer.transport.abort()


async def measure(folder: Path, *, rate: float, seconds: float) -> None:
    fleet = Fleet(entry_count=16, layers_each=64)
    with run_service(folder, fleet.write(folder, flux_url=None)) as (process, public, admin):
        await asyncio.to_thread(process.wait_for, f"http://127.0.0.1:{admin}/readyz")
        senders = await connect(public, fleet.entry_count)
        pushes = [Pushes(fleet, number, path_count=8) for number in range(fleet.entry_count)]
        count = int(rate * seconds / fleet.entry_count)

        def prepared(each: int) -> list[list[bytes]]:
            return [[one.next() for _ in range(each)] for one in pushes]

        await send_in_turn(senders, prepared(5))
        print(f"{'honest pushes, ' + format(rate, 'g') + ' a second':<32}{HEADER}")
        at_rest = process.memory_mib("Pss")
        await told("alone", senders, prepared(count), rate)
        forged = (
            pushes[0].next().replace(b'"created"', b'"creates"', 1)
        )  # the signature is another's
        async with hostility(public, forged) as counts:
            await told("among hostile requests", senders, prepared(count), rate)
            grown = process.memory_mib("Pss") - at_rest
        print(
            f"{HALF_BODIES} half bodies, {HALF_HEADERS} half headers, {BYTE_BY_BYTE} bodies byte by"
            f" byte, {counts['forged'] / seconds:.0f} forged pushes a second: {grown:.0f} MiB more"
        )


HEADER = f"{'p50 ms':>9}{'p99':>9}{'max':>9}"


async def told(
    name: str, senders: Sequence[Sender], requests: Sequence[Sequence[bytes]], rate: float
) -> None:
    futures = await send_at_rate(senders, requests, per_second=rate, due_at=[])
    latencies = [future.result().latency_seconds * 1e3 for future in futures]
    cuts = quantiles(latencies, n=100, method="inclusive")
    print(f"{name:<32}{cuts[49]:>9.2f}{cuts[98]:>9.2f}{max(latencies):>9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=100.0, help="honest pushes a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the two")
    options = parser.parse_args()
    pin_load()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), rate=options.rate, seconds=options.seconds))


if __name__ == "__main__":
    main()
