"""Bodies are read under the limits, however they arrive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import BodyTimeout, BodyTooLarge, MalformedPayload, Overloaded
from router.web.body import BodyBudget, collect_body

if TYPE_CHECKING:
    from starlette.types import Receive

    from router.core.forms import Body


def receive_of(*messages: dict[str, Any]) -> Receive:
    """A request's body arrives in *messages*; what comes after them never arrives."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return receive


def part(body: bytes, *, is_last: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": not is_last}


async def collect(*messages: dict[str, Any], budget: BodyBudget, seconds: float = 30) -> Body:
    with budget.reserve() as reservation:
        return await collect_body(
            receive_of(*messages),
            reservation,
            content_length=None,
            limit_bytes=10,
            deadline_seconds=seconds,
        )


@pytest.mark.parametrize(
    "messages",
    [[part(b"12345", is_last=True)], [part(b"12"), part(b""), part(b"345", is_last=True)]],
)
async def test_a_body_is_put_together_of_its_parts(messages: list[dict[str, Any]]) -> None:
    assert await collect(*messages, budget=BodyBudget(100)) == b"12345"


@pytest.mark.parametrize(
    ("messages", "seconds", "error"),
    [
        ([part(b"1")] * 3, 0, BodyTimeout),  # one byte now and then, and no end
        ([part(b"12345")] * 3, 30, BodyTooLarge),
        ([part(b"1"), {"type": "http.disconnect"}], 30, MalformedPayload),
    ],
)
async def test_a_body_that_is_not_read_gives_back_what_it_held(
    messages: list[dict[str, Any]], seconds: float, error: type[Exception]
) -> None:
    budget = BodyBudget(100)
    with pytest.raises(error):
        await collect(*messages, budget=budget, seconds=seconds)
    assert budget.free_bytes == 100


async def test_a_part_of_a_budget_ends_with_either() -> None:
    whole = BodyBudget(20)
    part_of_it = BodyBudget(8, within=whole)
    with whole.reserve() as other, part_of_it.reserve() as doubted:
        with pytest.raises(Overloaded):
            doubted.take(9)
        doubted.take(5)
        other.take(13)
        with pytest.raises(Overloaded):
            doubted.take(3)
        assert (part_of_it.free_bytes, whole.free_bytes) == (3, 2)
    assert (part_of_it.free_bytes, whole.free_bytes) == (8, 20)
