"""Measure git mode: planning on large clones, what a fetch costs, and sweeping many repositories.

    python -m bench.git
    python -m bench.git --files 1000 50000 500000 --layers 100 --rounds 5 --repositories 1000

Planning is what is left to do when the fetch is done, until dispatch is woken: compare two trees,
match, save on disk. A fetch is set beside a fresh shallow clone of the same commit, contents and
all, in the same run. All repositories are local; their git processes are real.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import uvloop

from router.core.match import LayerIndex
from router.core.routing import Cluster, GitAccess, Hook, Layer, Receiver, Repository, Routing
from router.flow.definitions import describe_activation
from router.flow.observe import RefObserver
from router.flow.parts import Parts
from router.flow.routing import InForce
from router.flow.sweep import SWEEPS_OF_A_HOST, Sweeper
from router.remote.git.clones import GitClones
from router.remote.system import SystemClock
from router.store.sqlite.store import SqliteStore
from router.telemetry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from router.ports.git import Git

MAIN = "refs/heads/main"
FILES_A_FOLDER = 20
SWEEP_INTERVAL_SECONDS = 300
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *words: str, stdin: bytes | None = None) -> bytes:
    """What git prints, on a bare repository."""
    done = subprocess.run(
        ["git", f"--git-dir={folder}", *words],
        input=stdin,
        capture_output=True,
        check=True,
        env=ENVIRONMENT,
    )
    return done.stdout


def layer_of(number: int, layers: int) -> int:
    return (number // FILES_A_FOLDER) % layers


def file_name(number: int, layers: int) -> str:
    folder = number // FILES_A_FOLDER
    return f"apps/layer-{layer_of(number, layers)}/part-{folder // layers}/file-{number}.yaml"


def write_history(folder: Path, *, files: int, layers: int) -> None:
    """Three commits on main: all files, three of them changed, all of them changed."""
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    stream = b"".join(history_lines(files, layers))
    git(folder, "fast-import", "--quiet", stdin=stream)


def history_lines(files: int, layers: int) -> Iterator[bytes]:
    few = range(0, files, max(1, files // 3))
    for version, changed in enumerate((range(files), few, range(files))):
        yield f"commit {MAIN}\ncommitter Bench <b@example.org> {version} +0000\ndata 0\n".encode()
        for number in changed:
            # About 300 bytes that compress as manifests do, and differ in every file.
            content = f"name: file-{number}\nversion: {version}\n" + f"key-{number}: value\n" * 16
            path = file_name(number, layers)
            yield f"M 644 inline {path}\ndata {len(content)}\n{content}\n".encode()


def make_routing(entries: Sequence[Repository]) -> Routing:
    layers = [layer for entry in entries for layer in entry.layers]
    return Routing(
        digest="bench",
        hooks={"bench": Hook(name="bench", provider="generic")},
        clusters={"bench": Cluster(name="bench", url="http://127.0.0.1:9")},
        repositories=tuple(entries),
        receivers={
            key: Receiver(cluster="bench", namespace="n", name=layer.name, type="generic")
            for layer in layers
            for key in layer.receivers
        },
        generation=1,
    )


def make_entry(name: str, url: str, *, layers: int) -> Repository:
    made = tuple(
        Layer(
            name=f"{name}-{number}",
            repository=name,
            patterns=(f"apps/layer-{number}/",),
            receivers=(f"bench/n/{name}-{number}",),
        )
        for number in range(layers)
    )
    return Repository(
        name=name,
        hook="bench",
        url=url,
        ref=MAIN,
        layers=made,
        index=LayerIndex((layer.name, layer.patterns) for layer in made),
        git=GitAccess(url=url, sweep_interval_seconds=SWEEP_INTERVAL_SECONDS),
    )


class TimedGit:
    """Git, and when its last fetch began and ended."""

    def __init__(self, clones: GitClones) -> None:
        self._clones = clones
        self.began_at = self.ended_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clones, name)

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, str]:
        self.began_at = perf_counter()
        tips = await self._clones.fetch_tips(access, refs)
        self.ended_at = perf_counter()
        return tips


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts that plan, on a store and clones of their own."""

    git: TimedGit
    parts: Parts
    refs: RefObserver
    woken_at: list[float]
    """When dispatch was woken."""


@asynccontextmanager
async def start(folder: Path, entries: Sequence[Repository]) -> AsyncIterator[Service]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(folder / "bench.db", clock=clock)
        stack.push_async_callback(store.close)
        clones = GitClones(
            folder / "clones",
            clock=clock,
            deadline_seconds=600,
            concurrency=16,
            limit_bytes=1 << 40,
        )
        stack.push_async_callback(clones.close)
        routing = make_routing(entries)
        await store.activate(describe_activation(routing, ""), adopt=lambda _names: ())
        woken_at: list[float] = []
        parts = Parts(
            replica="us",
            store=store,
            in_force=InForce(routing),
            clock=clock,
            observer=Observers(),
            wake=lambda: woken_at.append(perf_counter()),
        )
        git = TimedGit(clones)
        refs = RefObserver(parts, cast("Git", git))
        yield Service(git=git, parts=parts, refs=refs, woken_at=woken_at)


async def measure_clone(folder: Path, *, files: int, layers: int, rounds: int) -> None:
    """Print what pushes to one repository cost: of a few files, and of all of them."""
    host = folder / "host.git"
    write_history(host, files=files, layers=layers)
    whole_seconds, whole_bytes = clone_whole(host, folder / "whole.git")
    commits = git(host, "rev-list", "--reverse", MAIN).decode().split()
    entry = make_entry("fleet", host.as_uri(), layers=layers)
    assert entry.git is not None
    async with start(folder, [entry]) as service:
        git(host, "update-ref", MAIN, commits[0])
        await service.refs.look(entry.name)
        clones = folder / "clones"
        for name, pair in (("few", commits[:2]), ("all", commits[1:])):
            size = pack_bytes(clones)
            git(host, "update-ref", MAIN, pair[1])
            await service.refs.look(entry.name)
            fetched_bytes = pack_bytes(clones) - size
            fetch_seconds = service.git.ended_at - service.git.began_at
            plans = []
            for number in range(rounds):
                git(host, "update-ref", MAIN, pair[number % 2])
                await service.refs.look(entry.name)
                plans.append(service.woken_at[-1] - service.git.ended_at)
            print(
                f"{files:>8}{name:>9}{median(plans) * 1e3:>10.1f}{max(plans) * 1e3:>9.1f}"
                f"{fetch_seconds * 1e3:>12.0f}{fetched_bytes / 1e3:>12.1f}"
                f"{whole_seconds * 1e3:>14.0f}{whole_bytes / 1e3:>14.1f}",
                flush=True,
            )


def clone_whole(host: Path, folder: Path) -> tuple[float, int]:
    """Seconds and bytes of a shallow clone with contents, as a job without state makes it."""
    started = perf_counter()
    words = ["git", "clone", "--quiet", "--bare", "--depth=1", host.as_uri(), str(folder)]
    subprocess.run(words, check=True, env=ENVIRONMENT)
    return perf_counter() - started, pack_bytes(folder)


def pack_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.pack"))


async def measure_sweep(folder: Path, *, repositories: int, rounds: int) -> None:
    """Print what it takes to ask very many repositories where their branch stands."""
    template = folder / "template.git"
    write_history(template, files=20, layers=1)
    entries = []
    for number in range(repositories):
        host = folder / "hosts" / f"{number}.git"
        shutil.copytree(template, host, copy_function=os.link)
        entries.append(make_entry(f"repo-{number}", host.as_uri(), layers=1))
    async with start(folder, entries) as service:
        for _ in range(rounds):
            wall, own, children = perf_counter(), cpu(RUSAGE_SELF), cpu(RUSAGE_CHILDREN)
            sweeper = Sweeper(service.parts, cast("Git", service.git), service.refs)
            with service.parts.hints.heard_by(lambda _name, _is_kept: None):
                for _ in range(-(-repositories // SWEEPS_OF_A_HOST)):
                    await sweeper.sweep_due()
            wall = perf_counter() - wall
            own, children = cpu(RUSAGE_SELF) - own, cpu(RUSAGE_CHILDREN) - children
            share = (own + children) / SWEEP_INTERVAL_SECONDS
            print(
                f"{repositories:>8}{wall:>9.1f}{own / repositories * 1e3:>11.2f}"
                f"{children / repositories * 1e3:>11.2f}{share * 100:>12.1f}",
                flush=True,
            )


def cpu(whose: int) -> float:
    """CPU seconds so far."""
    used = getrusage(whose)
    return used.ru_utime + used.ru_stime


async def measure(options: argparse.Namespace, folder: Path) -> None:
    print(f"{options.layers} layers, {options.rounds} rounds; a push changes a few files or all")
    print(
        f"{'files':>8}{'changed':>9}{'plan ms':>10}{'max':>9}{'fetch ms':>12}{'fetch kB':>12}"
        f"{'whole ms':>14}{'whole kB':>14}"
    )
    for files in options.files:
        part = folder / str(files)
        part.mkdir()
        await measure_clone(part, files=files, layers=options.layers, rounds=options.rounds)
        shutil.rmtree(part)
    print(
        f"\nsweeps by one process, CPU a repository; all of them every {SWEEP_INTERVAL_SECONDS} s"
    )
    print(f"{'repos':>8}{'round s':>9}{'own ms':>11}{'git ms':>11}{'% of a core':>12}")
    await measure_sweep(folder, repositories=options.repositories, rounds=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 50_000, 500_000])
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--repositories", type=int, default=1_000)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
