"""Many hostile clients at once, and honest ones among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from router.web.limits import REFUSALS_AT_ONCE
from tests.builders import commit, github_push
from tests.e2e.conftest import World
from tests.edge.wire import (
    JSON,
    PATIENCE_SECONDS,
    address_of,
    delivery,
    exchange,
    head,
    read_answer,
)

pytestmark = pytest.mark.e2e

POST = "POST /hooks/github HTTP/1.1"
HONEST = 20
FORMED = ("x-hub-signature-256", "sha256=" + "0" * 64)


@asynccontextmanager
async def open_requests(
    edge: World, starts: Iterable[bytes]
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """Connections on each of which one request has begun, and goes on as long as the block."""
    opened: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        for start in starts:
            connection = await asyncio.open_connection(*address_of(edge))
            opened.append(connection)
            connection[1].write(start)
            await connection[1].drain()
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


def honest(number: int, **changed: str) -> bytes:
    push = github_push(before=commit(100 + number), after=commit(101 + number))
    return delivery(push, changed={"x-github-delivery": f"honest-{number}", **changed})


async def test_honest_pushes_are_answered_while_200_bodies_are_half_open(edge: World) -> None:
    top = head(POST, FORMED, ("content-type", JSON), ("content-length", "1000000"))
    slow = [b"POST /hooks/gi"] * 50 + [top] * 50
    async with open_requests(edge, [top + b"{" * 1000] * 200 + slow) as opened:
        waiting = [asyncio.create_task(read_answer(reader)) for reader, _ in opened]
        for number in range(HONEST):
            for _, writer in opened[200:]:  # byte by byte
                writer.write(b"t" if number % 2 else b"h")
            assert (await exchange(address_of(edge), honest(number))).status == 202
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_push_of_400_000_paths_is_accepted_and_others_are_served_meanwhile(
    edge: World,
) -> None:
    paths = [f"apps/app{number % 9}/file-{number}.yaml" for number in range(400_000)]
    large = delivery(github_push(before=commit(1), after=commit(2), paths=paths))
    pushing = asyncio.create_task(exchange(address_of(edge), large))
    served = 0
    while not pushing.done():
        assert (await exchange(address_of(edge), honest(served))).status == 202
        served += 1
    assert pushing.result().status == 202
    assert served > 3


async def test_bodies_in_flight_are_bounded_and_what_they_held_is_given_back(edge: World) -> None:
    half = 12 * 1024 * 1024
    top = head(POST, FORMED, ("content-type", JSON), ("content-length", str(2 * half)))
    async with open_requests(edge, [top] * 24) as opened:
        for _, writer in opened:
            writer.write(b"{" * half)
        waiting = {asyncio.create_task(read_answer(reader)) for reader, _ in opened}
        async with asyncio.timeout(PATIENCE_SECONDS):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        assert {(answer.status, answer.error) for answer in refused} == {(503, "overloaded")}
        assert all(answer.headers["retry-after"] == "5" for answer in refused)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def is_accepted() -> bool:
        return (await exchange(address_of(edge), honest(1))).status == 202

    await edge.wait_until(is_accepted)


async def test_a_client_that_is_refused_too_often_is_told_to_wait(edge: World) -> None:
    stranger, neighbour = {"x-forwarded-for": "9.9.9.9"}, {"x-forwarded-for": "9.9.9.8"}
    wrong = delivery(changed={"x-hub-signature-256": None, **stranger})
    forged = delivery(changed={"x-hub-signature-256": FORMED[1], **stranger})
    statuses = []
    for _ in range(int(REFUSALS_AT_ONCE) + 40):
        answer = await exchange(address_of(edge), wrong)
        statuses.append(answer.status)
    assert statuses[: int(REFUSALS_AT_ONCE)] == [401] * int(REFUSALS_AT_ONCE)
    assert statuses.count(429) > 0
    body = head(POST, ("content-length", "20000000"), ("x-forwarded-for", "9.9.9.9"))
    answers = [await exchange(address_of(edge), body) for _ in range(5)]  # one a second is a 401
    early = next(answer for answer in answers if answer.status == 429)
    assert (early.error, early.headers["retry-after"]) == ("too_many_refused", "1")
    assert (await exchange(address_of(edge), forged)).status == 401
    assert (await exchange(address_of(edge), honest(1, **stranger))).status == 202
    unsigned = delivery(changed={"x-hub-signature-256": None, **neighbour})
    assert (await exchange(address_of(edge), unsigned)).status == 401
    metrics = (await edge.admin.get("/metrics")).text
    assert 'flux_router_deliveries_total{hook="github",outcome="too_many_refused"}' in metrics
    assert "9.9.9" not in metrics
    assert '"client":"9.9.9.9"' in edge.log()
