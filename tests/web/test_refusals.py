"""An address that has too many requests refused is told to wait; what it proves still counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx
import pytest

from router.core.model import Secret
from router.core.routing import HeaderAuth
from router.web.limits import (
    MAX_DOUBTED_BODIES_BYTES,
    MAX_REFUSING_ADDRESSES,
    REFUSALS_AT_ONCE,
    REFUSALS_PER_SECOND,
)
from router.web.refusals import RefusalLimit
from tests.builders import github_push, github_request, make_routing
from tests.web.conftest import MakeWeb, Web

BURST = int(REFUSALS_AT_ONCE)
FORMED = {"x-hub-signature-256": "sha256=" + "0" * 64}


class Seconds:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def spend(limit: RefusalLimit, address: str, count: int = BURST) -> None:
    for _ in range(count):
        limit.charge(address)


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Seconds()
    limit = RefusalLimit(clock)
    spend(limit, "192.0.2.1", BURST - 1)
    assert limit.wait_seconds("192.0.2.1") == 0
    spend(limit, "192.0.2.1", 1)
    assert limit.wait_seconds("192.0.2.1") == pytest.approx(1 / REFUSALS_PER_SECOND)
    spend(limit, "192.0.2.1", 1000)  # no debt is kept
    clock.now += 1 / REFUSALS_PER_SECOND
    assert limit.wait_seconds("192.0.2.1") == 0
    spend(limit, "192.0.2.1", 1)
    assert limit.wait_seconds("192.0.2.1") > 0
    clock.now += 1_000_000
    spend(limit, "192.0.2.1", BURST - 1)  # and no more than a bucket is saved up
    assert limit.wait_seconds("192.0.2.1") == 0
    spend(limit, "192.0.2.1", 1)
    assert limit.wait_seconds("192.0.2.1") > 0


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", False),
        ("192.0.2.1", False),
        ("unknown", False),
    ],
)
def test_an_ipv6_address_counts_by_its_64(other: str, is_same: bool) -> None:
    limit = RefusalLimit(Seconds())
    spend(limit, "2001:db8::1")
    assert (limit.wait_seconds(other) > 0) is is_same


def test_the_addresses_refused_last_are_remembered_and_no_others() -> None:
    limit = RefusalLimit(Seconds())
    spend(limit, "198.51.100.1")
    spend(limit, "198.51.100.2")
    for number in range(MAX_REFUSING_ADDRESSES - 2):
        limit.charge(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    limit.charge("198.51.100.1")
    limit.charge("192.0.2.1")
    assert limit.wait_seconds("198.51.100.1") > 0
    assert limit.wait_seconds("198.51.100.2") == 0


async def refuse(web: Web, count: int, **headers: str) -> set[int]:
    """The statuses of *count* requests that are not signed."""
    answers = [await web.public.post("/hooks/github", headers=headers) for _ in range(count)]
    return {answer.status_code for answer in answers}


async def test_over_the_limit_what_is_not_signed_is_429_and_what_is_signed_passes(
    web: Web,
) -> None:
    assert await refuse(web, BURST) == {401}
    assert await refuse(web, 5) == {429}
    answer = await web.public.post("/hooks/github")
    assert (answer.json()["error"], answer.headers["retry-after"]) == ("too_many_refused", "1")
    headers, body = github_request(github_push())
    assert (await web.public.post("/hooks/github", headers=headers, content=body)).is_success
    forged = await web.public.post("/hooks/github", headers={**headers, **FORMED}, content=body)
    assert forged.status_code == 401  # on its merits
    web.clock.advance(2.5)
    assert await refuse(web, 2) == {401}
    assert web.observer.rejected[-1] == ("github", 401, "unauthorized")


async def test_wrong_signatures_count_too(web: Web) -> None:
    headers, body = github_request(github_push(), secret=b"wrong")
    for _ in range(BURST):
        answer = await web.public.post("/hooks/github", headers=headers, content=body)
        assert answer.status_code == 401
    assert await refuse(web, 1) == {429}


async def test_other_refusals_do_not_count(web: Web) -> None:
    for _ in range(BURST):
        assert (await web.public.post("/hooks/nowhere")).status_code == 404
    headers, body = github_request(b"{")
    for _ in range(BURST):
        answer = await web.public.post("/hooks/github", headers=headers, content=body)
        assert answer.status_code == 400
    assert await refuse(web, 1) == {401}


async def test_over_the_limit_a_right_token_passes_and_a_wrong_one_is_429(
    make_web: MakeWeb,
) -> None:
    auth = HeaderAuth(name="x-key", value=Secret(b"right"))
    web = await make_web(make_routing(generation=1, auth=auth, secrets=()))
    assert await refuse(web, BURST) == {401}
    assert await refuse(web, 1, **{"x-key": "wrong"}) == {429}
    headers, body = github_request(github_push())
    headers["x-key"] = "right"
    assert (await web.public.post("/hooks/github", headers=headers, content=body)).is_success


async def test_behind_trusted_proxies_each_client_has_its_own_limit(make_web: MakeWeb) -> None:
    web = await make_web(trusted_proxies=[ip_network("127.0.0.0/8")])
    assert await refuse(web, BURST + 1, **{"x-forwarded-for": "198.51.100.1"}) == {401, 429}
    assert await refuse(web, 1, **{"x-forwarded-for": "198.51.100.2"}) == {401}
    assert await refuse(web, 1, **{"x-forwarded-for": "198.51.100.2, 198.51.100.1"}) == {429}


async def test_bodies_of_doubted_addresses_leave_room_for_others(make_web: MakeWeb) -> None:
    web = await make_web(trusted_proxies=[ip_network("127.0.0.0/8")])
    await refuse(web, BURST, **{"x-forwarded-for": "198.51.100.1"})
    hold = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * (MAX_DOUBTED_BODIES_BYTES // 3 + 1)
        await hold.wait()

    def post(client: str) -> asyncio.Task[httpx.Response]:
        headers = {**FORMED, "x-forwarded-for": client}
        return asyncio.create_task(
            web.public.post("/hooks/github", headers=headers, content=slow())
        )

    doubted = [post("198.51.100.1") for _ in range(3)]
    refused, waiting = await asyncio.wait(doubted, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().json()["error"] for task in refused] == ["overloaded"]
    others = [post("198.51.100.2") for _ in range(3)]
    headers, body = github_request(github_push())
    answer = await web.public.post("/hooks/github", headers=headers, content=body)
    assert answer.status_code == 202
    hold.set()
    statuses = [(await task).status_code for task in (*waiting, *others)]
    assert statuses == [401] * 5  # all were read, and verified
