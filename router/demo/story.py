"""The demo's story: real pushes into a real repository, and what Flux was called for."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from router.demo.chapters import ALL, CHAPTERS, Chapter
from router.demo.fleet import LAYERS, Fleet, GitFailed
from router.demo.ports import reserve_ports
from router.demo.receivers import FluxStandIn, StandInReceiver, serve_stand_in
from router.demo.service import Service, ServiceFailed, wait_until, write_routing_file

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("mode", "push", "layers expected", "receivers called", "time", "known", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one chapter came to."""

    chapter: Chapter
    called: tuple[str, ...]
    milliseconds: float | None
    """From the webhook's arrival to the last receiver's answer; None when none was called."""
    knowledge: str

    @property
    def is_right(self) -> bool:
        return sorted(self.called) == sorted(self.chapter.expected)


async def run_story(*, keep: bool = False) -> bool:
    """Play the story and print it; returns whether every push reached exactly its layers."""
    folder = Path(tempfile.mkdtemp(prefix="flux-router-demo-"))
    console = Console(width=None if os.isatty(1) else 120)
    try:
        results = await _play(folder, console)
    except (GitFailed, ServiceFailed, FileNotFoundError) as error:
        console.print(f"[red]the demo could not go on:[/] {error}", highlight=False)
        return False
    finally:
        if keep:
            console.print(f"kept in {folder}", highlight=False)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    is_right = len(results) == len(CHAPTERS) + 1 and all(result.is_right for result in results)
    verdict = "every push reached exactly its layers" if is_right else "[red]MISMATCH[/]"
    console.print(verdict, highlight=False)
    return is_right


async def _play(folder: Path, console: Console) -> list[Result]:
    path_variable = os.environ.get("PATH", os.defpath)
    tokens = write_secrets(folder)
    stand_in = FluxStandIn(
        [
            StandInReceiver(namespace="flux-system", name=name, type="generic-hmac", token=token)
            for name, token in tokens.items()
        ]
    )
    async with AsyncExitStack() as stack:
        flux_url = await stack.enter_async_context(serve_stand_in(stand_in))
        fleet = Fleet(folder, path_variable)
        file = write_routing_file(folder, repository_url=fleet.host.as_uri(), flux_url=flux_url)
        ports = stack.enter_context(reserve_ports(2))
        service = Service(folder, file, path_variable, ports=ports)
        stack.push_async_callback(service.stop)
        await service.start()
        await fleet.create(
            hook_url=f"http://127.0.0.1:{service.public_port}/hooks/github",
            secret_file=folder / "secrets" / "github",
        )
        results = [await _start(service, stand_in)]
        for chapter in CHAPTERS:
            if chapter.mode == "git" and results[-1].chapter.mode == "payload":
                await service.switch_to_git(file)
            results.append(await _tell(chapter, fleet, service, stand_in))
        print_results(console, results)
        return results


def write_secrets(folder: Path) -> dict[str, bytes]:
    """Make up the hook's secret and a token for each receiver; returns the tokens by layer."""
    (folder / "secrets" / "receivers").mkdir(parents=True)
    (folder / "secrets" / "github").write_text(secrets.token_hex(32))
    tokens = {name: secrets.token_hex(32).encode() for name in LAYERS}
    for name, token in tokens.items():
        (folder / "secrets" / "receivers" / name).write_bytes(token)
    return tokens


async def _start(service: Service, stand_in: FluxStandIn) -> Result:
    """The service has just started: every layer is new to it and is notified once."""

    async def nothing(_fleet: Fleet) -> None:
        return None

    await service.wait_until_idle()
    chapter = Chapter(title="(start: new layers are adopted)", expected=ALL, act=nothing)
    called = tuple(call.name for call in stand_in.calls)
    return Result(chapter=chapter, called=called, milliseconds=None, knowledge="")


async def _tell(chapter: Chapter, fleet: Fleet, service: Service, stand_in: FluxStandIn) -> Result:
    newest = (await service.deliveries(after=None))[0]["id"]
    calls_before = len(stand_in.calls)
    await chapter.act(fleet)

    async def is_planned() -> bool:
        news = await service.deliveries(after=newest)
        return bool(news) and all(delivery["status"] != "accepted" for delivery in news)

    await wait_until(is_planned, f"the push {chapter.title!r} was not planned")
    await service.wait_until_idle()
    news = await service.deliveries(after=newest)
    plans = [plan for delivery in news for plan in delivery["plans"]]
    times = [milliseconds for delivery in news if (milliseconds := measure(delivery)) is not None]
    return Result(
        chapter=chapter,
        called=tuple(call.name for call in stand_in.calls[calls_before:]),
        milliseconds=max(times, default=None),
        knowledge=", ".join(dict.fromkeys(plan["knowledge"] for plan in plans)),
    )


def measure(delivery: dict[str, Any]) -> float | None:
    """Milliseconds from a delivery's arrival to the last answer of a receiver it called."""
    received = datetime.fromisoformat(delivery["receivedAt"])
    ends = [
        datetime.fromisoformat(attempt["startedAt"]) + timedelta(milliseconds=attempt["durationMs"])
        for attempt in delivery["attempts"]
    ]
    return (max(ends) - received).total_seconds() * 1000 if ends else None


def print_results(console: Console, results: Sequence[Result]) -> None:
    """The table: one row for each push."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column == "time" else "left")
    for result in results:
        table.add_row(
            result.chapter.mode,
            result.chapter.title,
            name_layers(result.chapter.expected),
            name_layers(result.called),
            "" if result.milliseconds is None else f"{result.milliseconds:.0f} ms",
            result.knowledge,
            "ok" if result.is_right else "MISMATCH",
        )
    console.print(table)
    console.print(
        "time: from the webhook's arrival (or the sweep's finding) to the last receiver's 200",
        highlight=False,
    )


def name_layers(names: Sequence[str]) -> str:
    """Layer names in the order of the chain."""
    if len(names) == len(ALL) and set(names) == set(ALL):
        return f"all {len(ALL)}"
    return ", ".join(sorted(names, key=lambda name: ALL.index(name))) or "none"
