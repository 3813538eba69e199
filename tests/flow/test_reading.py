"""Large bodies are read beside the event loop, and come to the same as small ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.model import Secret
from router.core.providers.interface import MAX_DELIVERY_ID_CHARACTERS
from router.core.routing import Hook
from router.flow.reading import LARGE_BODY_BYTES, DeliveryReader, ReadDelivery
from tests.builders import SECRET, github_push, github_request

PING = {"zen": "Design for failure."}
HOOK = Hook(name="github", provider="github", secrets=(Secret(SECRET),))


async def read(
    reader: DeliveryReader, payload: Any, *, secret: bytes = SECRET, is_given_up: bool = False
) -> ReadDelivery:
    headers, body = github_request(payload, secret=secret)
    given = bytearray(body) if is_given_up else body
    return await reader.read(HOOK, headers, given, path_token=None, now_seconds=0)


async def turns_during(reading: asyncio.Task[ReadDelivery]) -> int:
    """How often another task got its turn before *reading* was done."""
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    return turns


def large_push() -> dict[str, Any]:
    return github_push(paths=[f"apps/app1/file-{number}.yaml" for number in range(20_000)])


@pytest.mark.parametrize("is_given_up", [False, True])
async def test_large_and_small_bodies_are_read_alike(is_given_up: bool) -> None:
    beside, here = DeliveryReader(large_body_bytes=0), DeliveryReader(large_body_bytes=2**30)
    payload = large_push()
    assert await read(beside, payload, is_given_up=is_given_up) == await read(here, payload)


async def test_others_get_their_turn_while_a_large_body_is_read() -> None:
    payload = large_push()
    assert len(json.dumps(payload)) > LARGE_BODY_BYTES
    reading = asyncio.create_task(read(DeliveryReader(), payload))
    assert await turns_during(reading) > 1  # how many is the machine's choice
    small = asyncio.create_task(read(DeliveryReader(), github_push()))
    assert await turns_during(small) == 1  # no detour


async def test_a_body_that_is_given_up_is_cleared() -> None:
    headers, body = github_request(large_push())
    given = bytearray(body)
    await DeliveryReader().read(HOOK, headers, given, path_token=None, now_seconds=0)
    assert given == b""


async def test_a_large_body_is_refused_like_a_small_one() -> None:
    reader = DeliveryReader(large_body_bytes=0)
    with pytest.raises(InvalidSignature):
        await read(reader, large_push(), secret=b"wrong")
    with pytest.raises(MalformedPayload):
        await read(reader, b"[" * 500_000)
    assert (await read(reader, github_push())).digest  # the thread goes on


@pytest.mark.parametrize(("event", "payload"), [("push", github_push()), ("ping", PING)])
async def test_an_id_that_is_too_long_to_be_kept_is_refused(event: str, payload: Any) -> None:
    async def read_with_id(delivery: str) -> ReadDelivery:
        headers, body = github_request(payload, event=event, delivery=delivery)
        return await DeliveryReader().read(HOOK, headers, body, path_token=None, now_seconds=0)

    longest = "x" * MAX_DELIVERY_ID_CHARACTERS
    assert (await read_with_id(longest)).parsed.delivery_id == longest
    with pytest.raises(MalformedPayload, match="id is longer than 256 characters"):
        await read_with_id(longest + "x")
