"""Hundreds of hostile requests to the running service: each has its documented answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import commit, github_push
from tests.e2e.conftest import World
from tests.edge.canaries import CANARIES, HOOK_SECRET
from tests.edge.delivery_rows import DELIVERIES
from tests.edge.framing_rows import FRAMING
from tests.edge.wire import Answer, Row, address_of, delivery, exchange

pytestmark = pytest.mark.e2e

ROWS = (*FRAMING, *DELIVERIES)
MEMORY_GROWTH_KIB = 64 * 1024
"""What all rows together may leave or take at most, above the service at rest: about the largest
body, once as it arrives and once as the allocator keeps it."""


def test_rows_can_be_told_apart_and_are_hundreds() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) > 250


async def test_every_hostile_request_has_its_answer_and_leaves_nothing(edge: World) -> None:
    before = await everything_kept(edge)
    at_rest = peak_kib(edge)
    answers = [
        await exchange(address_of(edge), from_client(row, number), is_cut=row.is_cut)
        for number, row in enumerate(ROWS)
    ]
    told = [(row.name, row.status, row.error) for row in ROWS]
    assert [
        (row.name, answer.status, answer.error) for row, answer in zip(ROWS, answers, strict=True)
    ] == told
    assert await everything_kept(edge) == before
    assert peak_kib(edge) - at_rest < MEMORY_GROWTH_KIB
    await check_alive(edge)
    assert await leaks(edge, answers) == []
    with (edge.folder / "log").open("ab") as log:
        log.write(HOOK_SECRET)
    assert await leaks(edge, answers) == [f"{HOOK_SECRET!r} in log"]  # it would be found


def from_client(row: Row, number: int) -> bytes:
    """The request of *row* as a proxy passes it on, each from another client."""
    client = f"x-forwarded-for: 10.9.{number // 250}.{number % 250}"
    return row.sent.replace(b"host: router.test", b"host: router.test\r\n" + client.encode(), 1)


async def everything_kept(edge: World) -> tuple[str, int]:
    """The deliveries and numbers that are stored, and how often the receiver was called."""
    stored = [
        (await edge.admin.get(f"/api/v1/{what}")).text for what in ("deliveries", "layers/app1")
    ]
    return "\n".join(stored), len(edge.stand_in.calls)


def peak_kib(edge: World) -> int:
    status = Path(f"/proc/{edge.processes[-1].pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


async def check_alive(edge: World) -> None:
    """An honest push is accepted, and its receiver called."""
    assert edge.processes[-1].returncode is None
    calls = len(edge.stand_in.calls)
    push = github_push(before=commit(7), after=commit(8))
    answer = await exchange(address_of(edge), delivery(push))
    assert answer.status == 202

    async def is_called() -> bool:
        return len(edge.stand_in.calls) > calls

    await edge.wait_until(is_called)
    await edge.wait_until_idle()


async def leaks(edge: World, answers: list[Answer]) -> list[str]:
    """Where a secret can be seen: everything that was told, and every byte that was written."""
    admin = ("/metrics", "/readyz", "/api/v1/deliveries?limit=200", "/api/v1/layers")
    seen = {path: (await edge.admin.get(path)).content for path in admin}
    seen["answers"] = b"\n".join(repr(answer.headers).encode() + answer.body for answer in answers)
    files = [file for file in edge.folder.iterdir() if file.name.startswith(("router.db", "log"))]
    assert len(files) >= 2
    seen |= {file.name: file.read_bytes() for file in files}
    assert any(b"delivery.rejected" in content for content in seen.values())
    return [
        f"{canary!r} in {name}"
        for name, content in seen.items()
        for canary in CANARIES
        if canary in content
    ]
