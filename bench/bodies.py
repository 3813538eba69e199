"""Measure large bodies: how long the event loop stalls for each, and how much memory they take.

    python -m bench.bodies
    python -m bench.bodies --sizes 1 25 --rounds 5 --shapes files short

Each row has a service of its own: the real one, in its own process, with a task on its event loop
that wakes every millisecond and notes the longest it was kept waiting. Pushes of one provider and
size are sent to it from here, one after the other. Peak memory is the kernel's (VmHWM) above what
the process held after one small push of the same kind, so it needs Linux. The row `idle` sends
nothing: what it shows is the machine's own doing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import http.client
import json
import multiprocessing
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

from router.bootstrap import build_service
from router.config.settings import load_settings
from router.remote.system import share_interpreter
from router.telemetry.logs import configure_logs
from router.web.server import create_server, open_listener

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MIB = 1024 * 1024
HEARTBEAT_SECONDS = 0.001
SECRET = b"bench"
URL = "https://git.example.com/acme/fleet"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"

ROUTING = """\
apiVersion: flux-router/v1
hooks:
{hooks}
clusters:
  - name: prod
    url: http://127.0.0.1:9
    suspend: true
    receiver: {{namespace: flux-system, name: "{{layer}}", token: {{file: secret}}}}
repositories:
{entries}
"""
ENTRY = """\
  - name: {name}
    hook: {name}
    url: {url}
    ref: main
    forcePushes: impossible
    layers: [{layers}]
"""
LAYERS = 1000


class Row(NamedTuple):
    """One kind of body, as one provider sends it."""

    provider: str
    media_type: str
    shape: str
    size_mib: int


class Figures(NamedTuple):
    """What one push did to the service."""

    stall_ms: float
    seconds: float


def write_files(folder: Path) -> None:
    """A routing file with an entry of a thousand layers for each provider."""
    providers = ("github", "gitlab", "gitea", "generic")
    hooks = "".join(
        f"  - {{name: {name}, provider: {name}, secrets: [{{file: secret}}]}}\n"
        for name in providers
    )
    entries = ""
    for name in providers:
        layers = ", ".join(
            f'{{name: {name}-{number}, paths: ["apps/app{number}/"]}}' for number in range(LAYERS)
        )
        entries += ENTRY.format(name=name, url=URL, layers=layers)
    (folder / "router.yaml").write_text(ROUTING.format(hooks=hooks, entries=entries))
    (folder / "secret").write_bytes(SECRET)


async def heartbeat(stalls: list[float]) -> None:
    """Note how much later than asked this task is woken, for ever."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(HEARTBEAT_SECONDS)
        stalls.append(time.perf_counter() - began - HEARTBEAT_SECONDS)


def status_kib(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


async def run_service(folder: Path, pipe: Connection) -> None:
    """The service; answers each word on *pipe* with figures since the one before."""
    configure_logs(log_format="console", level="error")
    share_interpreter()
    settings = load_settings(
        {
            "ROUTER_CONFIG": str(folder / "router.yaml"),
            "ROUTER_DATABASE_URL": f"sqlite:///{folder / 'router.db'}",
        }
    )
    loop = asyncio.get_running_loop()
    stalls: list[float] = []
    async with AsyncExitStack() as resources:
        service = await build_service(settings, resources, token=None)
        listener = resources.enter_context(open_listener("127.0.0.1", 0))
        server = create_server(service.public)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        beating = asyncio.create_task(heartbeat(stalls))
        pipe.send(listener.getsockname()[1])
        while await loop.run_in_executor(None, pipe.recv) != "stop":
            pipe.send((max(stalls, default=0.0), status_kib("VmHWM"), status_kib("VmRSS")))
            stalls.clear()
        beating.cancel()
        server.should_exit = True
        await serving


def start_service(folder: str, pipe: Connection) -> None:
    import uvloop

    uvloop.run(run_service(Path(folder), pipe))


def make_paths(shape: str, size: int) -> list[str]:
    """Distinct changed paths that take about *size* bytes as JSON."""
    if shape == "short":
        return [f"{number:x}" for number in range(size // 9)]
    name = "apps/app{}/overlays/production/deployment-{:07}.yaml"
    return [name.format(number % LAYERS, number) for number in range(size // 59)]


def make_payload(row: Row) -> dict[str, Any]:
    """The push of *row*, listing as many files as it takes."""
    size = row.size_mib * MIB or 64 * 1024
    if row.media_type == FORM:
        # Quotes, slashes and commas take three bytes in a form.
        size = int(size * (0.55 if row.shape == "short" else 0.82))
    paths = make_paths(row.shape, size - 2048)
    step = 2900 if row.shape == "files" else len(paths)
    commits = [
        {"id": f"{start:040x}", "message": "m", "added": [], "removed": [],
         "modified": paths[start : start + step]}
        for start in range(0, len(paths), step)
    ]  # fmt: skip
    named = {"clone_url": URL, "git_http_url": URL}
    return {
        "ref": "refs/heads/main", "forced": False, "commits": commits, "project": named,
        "repository": named if row.provider != "generic" else URL,
        "total_commits": len(commits), "total_commits_count": len(commits),
        **({"paths": paths, "commits": []} if row.provider == "generic" else {}),
    }  # fmt: skip


def make_request(row: Row, number: int, payload: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """The headers and body of the push from commit *number* to the next one."""
    moved = {**payload, "before": f"{number:040x}", "after": f"{number + 1:040x}"}
    content = json.dumps(moved, separators=(",", ":")).encode()
    body = content
    if row.media_type == FORM:
        body = b"payload=" + quote_plus(content).encode()
    signed = content if row.provider == "gitea" else body
    digest = hmac.digest(SECRET, signed, hashlib.sha256).hex()
    return {
        "content-type": row.media_type,
        "x-hub-signature-256": f"sha256={digest}",
        "x-signature": f"sha256={digest}",
        "x-gitlab-token": SECRET.decode(),
        "x-github-event": "push",
        "x-gitea-event": "push",
        "x-gitlab-event": "Push Hook",
    }, body


def post(port: int, row: Row, headers: dict[str, str], body: bytes) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    connection.request("POST", f"/hooks/{row.provider}", body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 202:
        raise SystemExit(f"{row}: {answer.status} {text[:300]!r}")
    return took


def measure(row: Row | None, rounds: int) -> tuple[list[Figures], float, int]:
    """Figures of each push, peak memory in MiB above idle, and the size of the body."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        process = context.Process(target=start_service, args=(folder, theirs), daemon=True)
        process.start()
        port = ours.recv()
        payload = make_payload(row) if row else {}
        figures, size, peak = [], 1, 0
        if row:  # what a first push of any size brings into memory is not the body's
            small = make_payload(row._replace(size_mib=0))
            post(port, row, *make_request(row, 0, small))
        time.sleep(0.5)  # whatever starting left to do
        ours.send("begin")
        idle = ours.recv()[2]
        for number in range(1, rounds + 1):
            took = 1.0
            if row is None:
                time.sleep(took)
            else:
                headers, body = make_request(row, number, payload)
                size = len(body)
                ours.send("forget")
                ours.recv()
                took = post(port, row, headers, body)
            ours.send("tell")
            stall, peak, _ = ours.recv()
            figures.append(Figures(stall * 1000, took))
        ours.send("stop")
        process.join()
    return figures, (peak - idle) / 1024, size


def rows(sizes: list[int], shapes: list[str]) -> list[Row]:
    kinds = [("github", JSON), ("github", FORM), ("gitlab", JSON), ("gitea", JSON)]
    kinds += [("gitea", FORM), ("generic", JSON)]
    return [Row(*kind, shape, size) for shape in shapes for kind in kinds for size in sizes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 5, 25], help="in MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", default=["files"], choices=["files", "one", "short"])
    arguments = parser.parse_args()
    print("loop stalls: the longest of each push; median and worst over the pushes of a row")
    print(f"{'body':<28}{'MiB':>6}{'stall ms':>10}{'worst ms':>10}{'answer s':>10}{'memory':>9}")
    for row in [None, *rows(arguments.sizes, arguments.shapes)]:
        figures, peak_mib, size = measure(row, arguments.rounds)
        stalls = [figure.stall_ms for figure in figures]
        seconds = statistics.median(figure.seconds for figure in figures)
        kind = "form" if row and row.media_type == FORM else "json"
        name = f"{row.provider} {kind} {row.shape}" if row else "idle"
        ratio = f"{peak_mib * MIB / size:.1f} x" if row else ""
        print(
            f"{name:<28}{size / MIB:>6.1f}{statistics.median(stalls):>10.1f}"
            f"{max(stalls):>10.1f}{seconds:>10.2f}{ratio:>9}",
            flush=True,
        )


if __name__ == "__main__":
    main()
