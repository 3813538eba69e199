"""Measure closures: what the builds of 400 layers read, at first sight and after each push.

    python -m bench.closure
    python -m bench.closure --builds 400 --rounds 11

The repository has an overlay for each build, on bases and components that they share: about 5,000
files for 400 builds. Git is real, and all contents are in the clone; *cold* reads one commit with
nothing known, *warm* a push with the closures of the commit before it at hand.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import uvloop

from bench.git import MAIN, git
from router.core.changes import ExactPaths
from router.core.kustomize.closure import Build
from router.core.match import LayerIndex
from router.core.routing import GitAccess, Layer, Repository
from router.flow.builds import BuildReader
from router.remote.git.clones import GitClones
from router.remote.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILDS_A_BASE = 10
BUILDS_A_PART = 20
FILES_OF_A_BASE = 14
OWN_FILES = ("deploy", "service", "ingress", "policy", "account", "budget")

COLD = "cold"

Files = dict[str, str]


def make_files(builds: int) -> Files:
    """Overlays `apps/N`, bases `bases/N` and components `parts/N`."""
    files: Files = {}
    for number in range(-(-builds // BUILDS_A_BASE)):
        names = [f"file-{each}.yaml" for each in range(FILES_OF_A_BASE)]
        files[f"bases/{number}/kustomization.yaml"] = _kustomization(resources=names)
        files |= {f"bases/{number}/{name}": _manifest(f"base-{number}") for name in names}
    for number in range(-(-builds // BUILDS_A_PART)):
        files[f"parts/{number}/kustomization.yaml"] = _kustomization(patches=["patch.yaml"])
        files[f"parts/{number}/patch.yaml"] = _manifest(f"part-{number}")
    for number in range(builds):
        folder = f"apps/{number}"
        own = [f"{name}.yaml" for name in OWN_FILES]
        files[f"{folder}/kustomization.yaml"] = _kustomization(
            resources=[f"../../bases/{number // BUILDS_A_BASE}", *own],
            components=[f"../../parts/{number // BUILDS_A_PART}"],
            patches=["patch.yaml"],
            files=["settings.env"],
        )
        names = [*own, "patch.yaml", "settings.env", "README.md", "test.yaml"]
        files |= {f"{folder}/{name}": _manifest(f"app-{number}") for name in names}
    return files


def _kustomization(
    resources: list[str] | None = None,
    components: list[str] | None = None,
    patches: list[str] | None = None,
    files: list[str] | None = None,
) -> str:
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "namespace: n"]
    lines += ["resources:", *(f"  - {each}" for each in resources)] if resources else []
    lines += ["components:", *(f"  - {each}" for each in components)] if components else []
    lines += ["patches:"] if patches else []
    for path in patches or ():
        lines += [f"  - path: {path}", "    target:", "      kind: Deployment"]
    lines += ["configMapGenerator:", "  - name: settings"] if files else []
    lines += ["    files:", *(f"      - {each}" for each in files)] if files else []
    return "\n".join([*lines, "images:", "  - name: web", "    newTag: '1'", ""])


def _manifest(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"


def pushes(files: Files) -> Mapping[str, Files]:
    """What each kind of push changes; the first is the one that is read cold."""
    app, base = "apps/7/kustomization.yaml", "bases/3/kustomization.yaml"
    return {
        COLD: {"apps/7/test.yaml": "x"},
        "a manifest of one build": {"apps/7/deploy.yaml": "x"},
        "a manifest of a base": {"bases/3/file-1.yaml": "x"},
        "a file that no build reads": {"apps/7/README.md": "x"},
        "a new file": {"apps/7/new.yaml": "x"},
        "the kustomization of one build": {app: files[app] + "# new\n"},
        "the kustomization of a base": {base: files[base] + "# new\n"},
        "every kustomization of a build": {
            path: text + "# new\n"
            for path, text in files.items()
            if path.startswith("apps/") and path.endswith("kustomization.yaml")
        },
    }


def write_history(folder: Path, files: Files) -> None:
    """The first commit has all files; then two for each kind of push, there and back."""
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", stdin=b"".join(history_lines(files)))


def history_lines(files: Files) -> Iterator[bytes]:
    yield from _commit(0, files)
    for number, change in enumerate(pushes(files).values()):
        yield from _commit(number, change)
        yield from _commit(number, {path: files.get(path, "") for path in change})


def _commit(number: int, change: Files) -> Iterator[bytes]:
    yield f"commit {MAIN}\ncommitter Bench <b@example.org> {number} +0000\ndata 0\n".encode()
    for path, text in change.items():
        if text:
            yield f"M 644 inline {path}\ndata {len(text)}\n{text}\n".encode()
        else:
            yield f"D {path}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A repository in a clone, and a layer for each build."""

    git: GitClones
    access: GitAccess
    entry: Repository
    commits: list[str]

    async def read(self, reader: BuildReader, before: str, after: str) -> tuple[float, int]:
        """Milliseconds to tell what builds make of a push, and how many of them it concerns."""
        changes = ExactPaths(await self.git.changed_paths(self.access, before, after))
        started = perf_counter()
        builds = await reader.read(self.entry, self.access, (before, after), changes)
        assert not builds.unknown
        return (perf_counter() - started) * 1e3, len(builds.readings)


def make_entry(url: str, builds: int) -> Repository:
    layers = tuple(
        Layer(
            name=f"app-{number}",
            repository="fleet",
            patterns=(),
            receivers=(f"bench/n/app-{number}",),
            build=Build(folders=(f"./apps/{number}",)),
        )
        for number in range(builds)
    )
    index = LayerIndex((layer.name, layer.patterns) for layer in layers)
    access = GitAccess(url=url)
    return Repository(
        name="fleet", hook="bench", url=url, ref=MAIN, layers=layers, index=index, git=access
    )


async def measure(options: argparse.Namespace, folder: Path) -> None:
    files = make_files(options.builds)
    host = folder / "host.git"
    write_history(host, files)
    entry = make_entry(host.as_uri(), options.builds)
    assert entry.git is not None
    clones = GitClones(
        folder / "clones",
        clock=SystemClock(),
        deadline_seconds=600,
        concurrency=4,
        limit_bytes=1 << 40,
    )
    try:
        commits = git(host, "rev-list", "--reverse", MAIN).decode().split()
        bench = Bench(git=clones, access=entry.git, entry=entry, commits=commits)
        await bring(bench)
        print(f"{len(files)} files, {options.builds} builds, {options.rounds} rounds")
        print(f"{'a push changes':<32}{'ms':>9}{'max':>9}{'layers':>9}")
        await measure_pushes(bench, list(pushes(files)), options.rounds)
    finally:
        await clones.close()


async def bring(bench: Bench) -> None:
    """Have every commit, and every content, in the clone."""
    await bench.git.fetch_tips(bench.access, [MAIN])
    for commit in bench.commits:
        assert await bench.git.fetch_commit(bench.access, commit)
        tree = await bench.git.read_tree(bench.access, commit)
        await bench.git.read_blobs(bench.access, {each.blob for each in tree.files.values()})


async def measure_pushes(bench: Bench, names: list[str], rounds: int) -> None:
    """Print what each push takes, one after the other, as a service meets them."""
    times: dict[str, list[float]] = {name: [] for name in names}
    layers: dict[str, int] = {}
    for _ in range(rounds):
        reader = BuildReader(bench.git)
        for number, (before, after) in enumerate(pairwise(bench.commits)):
            milliseconds, concerned = await bench.read(reader, before, after)
            if number % 2 == 0:
                times[names[number // 2]].append(milliseconds)
                layers[names[number // 2]] = concerned
    for name in names:
        spent = times[name]
        print(f"{name:<32}{median(spent):>9.1f}{max(spent):>9.1f}{layers[name]:>9}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builds", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=11)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
