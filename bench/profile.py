"""Where the CPU time of a process goes, by the part of the code it is spent in.

py-spy samples who holds the interpreter's lock; each sample counts for the part of its innermost
function. Work that libraries do without the lock (SQLite, signatures) does not show.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLES_PER_SECOND = 400

PARTS = {
    "router/web/": "reading requests and answering (router/web)",
    "router/flow/": "the steps of a push (router/flow)",
    "router/core/providers/": "reading payloads, signatures (router/core)",
    "router/core/lists": "reading payloads, signatures (router/core)",
    "router/core/verify": "reading payloads, signatures (router/core)",
    "hmac.py": "reading payloads, signatures (router/core)",
    "router/core/": "matching and planning (router/core)",
    "router/store/": "the store (router/store)",
    "router/telemetry/": "logs and metrics",
    "structlog/": "logs and metrics",
    "prometheus_client/": "logs and metrics",
    "router/remote/": "calls of receivers (router/remote, aiohttp, httpx)",
    "aiohttp/": "calls of receivers (router/remote, aiohttp, httpx)",
    "httpx/": "calls of receivers (router/remote, aiohttp, httpx)",
    "uvicorn/": "the server (uvicorn)",
    "starlette/": "Starlette",
    "asyncio/runners": "the event loop (uvloop)",
    "asyncio/": "asyncio",
}
ELSEWHERE = "elsewhere"


def part_of(frame: str) -> str:
    """The part of the code that a frame such as `name (router/web/hooks.py:12)` belongs to."""
    place = frame.rpartition(" (")[2]
    return next((part for prefix, part in PARTS.items() if prefix in place), ELSEWHERE)


def count_parts(folded: str) -> Mapping[str, float]:
    """Shares of all samples by part, the largest first, of stacks as py-spy writes them."""
    counts: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        # dataclasses' __init__ and the like have no file: they are their caller's.
        known = [part_of(frame) for frame in reversed(frames) if "(<string>" not in frame]
        counts[next((part for part in known if part != ELSEWHERE), ELSEWHERE)] += int(samples)
    total = sum(counts.values())
    return {part: count / total for part, count in counts.most_common()}


async def sample(pid: int, seconds: int, folder: Path) -> Mapping[str, float]:
    """Sample a process that works meanwhile."""
    output = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("py-spy")),
        *("record", "--gil", "--threads", "--format", "raw", "--rate", str(SAMPLES_PER_SECOND)),
        *("--duration", str(seconds), "--output", str(output), "--pid", str(pid)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await process.wait()
    return count_parts(output.read_text())
