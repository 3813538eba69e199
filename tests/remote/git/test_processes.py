from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from router.core.errors import GitUnavailable
from router.remote.git import processes as processes_module
from router.remote.git.processes import CutShort, Processes

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter, Task
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.remote.git.processes import Finished

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


async def run(script: str, *, deadline_seconds: float = 30.0, stdin: bytes = b"") -> Finished:
    processes = Processes(concurrency=2, deadline_seconds=deadline_seconds)
    return await processes.run(shell(script), environment=ENVIRONMENT, stdin=stdin)


async def test_status_output_and_complaint_are_told() -> None:
    finished = await run("cat; echo out; echo err >&2; exit 3", stdin=b"in\n")
    assert (finished.status, finished.output, finished.complaint) == (3, b"in\nout\n", "err\n")


async def test_input_and_output_may_be_larger_than_a_pipe() -> None:
    content = os.urandom(3_000_000)
    assert (await run("cat", stdin=content)).output == content


async def test_of_a_long_complaint_the_end_is_kept() -> None:
    finished = await run("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done")
    assert finished.complaint.endswith("line 2999\n")
    assert len(finished.complaint) == processes_module.MAX_COMPLAINT_BYTES


async def test_without_input_there_is_an_end_to_read_and_no_terminal() -> None:
    assert (await run("cat; tty < /dev/tty")).output == b""


async def test_only_the_given_environment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "sings")
    assert b"CANARY" not in (await run("env")).output


async def test_the_signal_that_ended_a_process_is_told() -> None:
    assert "signal 9" in (await run("kill -9 $$")).complaint


async def test_what_says_too_much_is_ended() -> None:
    quick = Processes(concurrency=1, deadline_seconds=30, max_output_bytes=100_000)
    with pytest.raises(CutShort, match="too large"):
        await quick.run(shell("yes"), environment=ENVIRONMENT)


async def test_what_cannot_be_started_is_explained(tmp_path: Path) -> None:
    processes = Processes(concurrency=1, deadline_seconds=30)
    (tmp_path / "git").write_text("not a program")
    for command, word in ((["no-such-git"], "not installed"), ([f"{tmp_path}/git"], "denied")):
        with pytest.raises(GitUnavailable, match=word):
            await processes.run(command, environment=ENVIRONMENT)


@dataclass
class Nursery:
    """Processes that live until they are told to go, or killed; each has a child."""

    port: int = 0
    alive: list[str] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)
    """How many lived at once, by name and in all ("")."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def command(self, name: str, *, prelude: str = "") -> list[str]:
        """A process whose child holds a connection for as long as it lives."""
        child = (
            f"import socket, signal; {prelude}\n"
            f"connection = socket.create_connection(('127.0.0.1', {self.port}))\n"
            f"connection.sendall(b'{name}\\n'); connection.recv(1)"
        )
        return ["sh", "-c", '"$@" & wait', "sh", sys.executable, "-S", "-c", child]

    async def wait_for(self, count: int) -> None:
        """Until so many are alive."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.alive) == count)

    async def hold(self, reader: StreamReader, writer: StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        await self._change(name, is_born=True)
        leaving = asyncio.ensure_future(self.go.wait())
        gone = asyncio.ensure_future(reader.read())
        await asyncio.wait([leaving, gone], return_when=asyncio.FIRST_COMPLETED)
        await self._change(name, is_born=False)
        for waiting in (leaving, gone):
            waiting.cancel()
        writer.close()

    async def _change(self, name: str, *, is_born: bool) -> None:
        async with self.changed:
            if is_born:
                self.alive.append(name)
            else:
                self.alive.remove(name)
            for key in (name, ""):
                count = len([other for other in self.alive if key in ("", other)])
                self.most[key] = max(self.most.get(key, 0), count)
            self.changed.notify_all()


@asynccontextmanager
async def make_nursery() -> AsyncIterator[Nursery]:
    nursery = Nursery()
    server = await asyncio.start_server(nursery.hold, "127.0.0.1", 0)
    nursery.port = server.sockets[0].getsockname()[1]
    async with server:
        yield nursery
        await nursery.wait_for(0)


async def test_no_more_run_at_once_than_may_and_half_of_them_for_one_host() -> None:
    processes = Processes(concurrency=4, deadline_seconds=30)

    def start(host: str) -> Task[Finished]:
        command = nursery.command(host)
        return asyncio.ensure_future(
            processes.run(command, environment=ENVIRONMENT, host=host if host != "none" else None)
        )

    async with make_nursery() as nursery:
        work = [start("slow") for _ in range(5)]
        await nursery.wait_for(2)
        work += [start("none") for _ in range(4)]
        await nursery.wait_for(4)
        nursery.go.set()
        await asyncio.gather(*work)
    assert nursery.most == {"slow": 2, "none": nursery.most["none"], "": 4}


async def test_a_process_is_ended_with_its_children_at_the_deadline() -> None:
    processes = Processes(concurrency=1, deadline_seconds=1.0)
    async with make_nursery() as nursery:
        with pytest.raises(CutShort, match="longer than 1 s"):
            await processes.run(nursery.command("a"), environment=ENVIRONMENT)


async def test_children_that_ignore_a_polite_word_are_killed() -> None:
    processes = Processes(concurrency=1, deadline_seconds=30, grace_seconds=0.1)
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    async with make_nursery() as nursery:
        command = nursery.command("a", prelude=stubborn)
        work = asyncio.ensure_future(processes.run(command, environment=ENVIRONMENT))
        await nursery.wait_for(1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


async def test_a_process_is_ended_with_its_children_when_nobody_waits_for_it() -> None:
    processes = Processes(concurrency=1, deadline_seconds=30)
    async with make_nursery() as nursery:
        work = asyncio.ensure_future(processes.run(nursery.command("a"), environment=ENVIRONMENT))
        waiting = asyncio.ensure_future(
            processes.run(nursery.command("b"), environment=ENVIRONMENT)
        )
        await nursery.wait_for(1)
        for task in (waiting, work):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert nursery.most == {"a": 1, "": 1}


async def test_closing_ends_what_runs_and_refuses_what_waits() -> None:
    processes = Processes(concurrency=1, deadline_seconds=30)
    async with make_nursery() as nursery:
        work = [
            asyncio.ensure_future(processes.run(nursery.command(name), environment=ENVIRONMENT))
            for name in ("a", "b")
        ]
        await nursery.wait_for(1)
        await processes.close()
        for task in work:
            with pytest.raises(CutShort, match="stopping"):
                await task
        assert "b" not in nursery.most


async def test_a_watch_may_end_a_process() -> None:
    processes = Processes(concurrency=1, deadline_seconds=30)

    def watch() -> None:
        raise CutShort("seen enough")

    async with make_nursery() as nursery:
        with pytest.raises(CutShort, match="seen enough"):
            await processes.run(nursery.command("a"), environment=ENVIRONMENT, watch=watch)
