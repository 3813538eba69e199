"""--watch as an operator uses it: a process, a service that comes and goes, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from router.cli.watch import Listing, Row
from tests.cli.live import Live

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.e2e


def _heed_interrupts() -> None:
    """Ctrl-C counts also where the tests run in the background, where shells have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def watching(
    live: Live, *words: str, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "router", *words, "--watch", "--admin-url", live.url],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "160"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=60)


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def test_new_deliveries_are_printed_as_they_come_over_a_restart(live: Live) -> None:
    first = live.push(1)
    with watching(live, "deliveries") as process:
        assert line(process.stdout).split()[0] == "received"
        assert first in line(process.stdout)
        live.store.is_down = True
        assert "cannot answer now (503" in line(process.stderr)
        live.store.is_down = False
        later = [live.push(number) for number in (2, 3)]
        assert [line(process.stdout).split()[2] for _ in later] == later
        assert interrupt(process) == 0


def test_as_json_every_row_is_a_line(live: Live) -> None:
    with watching(live, "layers", "-o", "json") as process:
        rows = [json.loads(line(process.stdout)) for _ in range(7)]
        assert [row["state"] for row in rows] == ["idle"] * 7
        live.run("notify", "app2")
        changed = json.loads(line(process.stdout))
        assert (changed["layer"], changed["state"]) == ("app2", "due")
        assert interrupt(process) == 0


def test_a_service_that_is_not_there_at_first_is_an_error(live: Live) -> None:
    live.store.is_down = True
    with watching(live, "deliveries") as process:
        assert process.wait(timeout=60) == 1
        assert "cannot answer now" in line(process.stderr)


def test_on_a_terminal_the_list_is_kept_up_to_date_in_place(live: Live) -> None:
    ours, theirs = pty.openpty()
    with watching(live, "deliveries", stdout=theirs) as process, os.fdopen(ours, "rb") as screen:
        os.close(theirs)
        wait_for(screen, lambda text: "received" in text)
        delivery = live.push(1)
        wait_for(screen, lambda text: delivery in text)
        live.store.is_down = True
        wait_for(screen, lambda text: "trying again" in text)
        assert interrupt(process) == 0


def wait_for(screen: IO[bytes], holds: Callable[[str], bool]) -> None:
    seen = b""
    while not holds(seen.decode(errors="replace")):
        seen += os.read(screen.fileno(), 4096)


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ({"100", "99", "98"}, [3]),  # nothing came
        ({"98", "97", "96"}, [3]),
        ({"97", "96", "95"}, [3, 6]),
        ({"90", "89", "88"}, [3, 6, 12]),
        (set(), [3, 6, 12, 24, 48, 96, 192]),  # the first ones ever: as far as they go
    ],
)
def test_no_row_is_missed_when_more_came_than_the_limit(seen: set[str], asked: list[int]) -> None:
    limits: list[int] = []

    def read(limit: int) -> list[Row]:
        limits.append(limit)
        oldest = max(0, 100 - limit)
        return [Row(key=str(number), cells=(), value={}) for number in range(100, oldest, -1)]

    listing = Listing(columns=(), read=read, limit=3, is_newest_first=True)
    rows = listing.read_since(seen)
    assert limits == asked
    assert len(rows) == min(asked[-1], 100)
