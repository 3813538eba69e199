"""How often issuers are asked for their keys, and what happens while they cannot be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from router.core.errors import InvalidSignature, KeysUnavailable
from router.core.oidc import Keys
from router.core.routing import OidcAuth
from router.flow.identities import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, Identities
from tests.core.test_oidc import ISSUER, KEYS, make
from tests.fakes.clock import FakeClock

ANYBODY = OidcAuth(issuer=ISSUER, audience="us")


@dataclass
class FakeKeySource:
    """Implements KeySource."""

    keys: Keys | None = None
    asked: list[str] = field(default_factory=list)

    async def read(self, issuer: str) -> Keys:
        self.asked.append(issuer)
        await asyncio.sleep(0)
        if self.keys is None:
            raise KeysUnavailable("it is away")
        return self.keys


class World:
    def __init__(self, keys: Keys | None = KEYS) -> None:
        self.clock = FakeClock()
        self.source = FakeKeySource(keys)
        self.identities = Identities(self.source, self.clock)

    async def verify(self, kid: str = "r") -> None:
        now = int(self.clock.now().timestamp())
        token = make(kid=kid, iat=now, exp=now + 60)
        await self.identities.verify(ANYBODY, {"authorization": f"Bearer {token}"})


async def test_keys_are_read_once_for_many_requests() -> None:
    world = World()
    await asyncio.gather(*(world.verify() for _ in range(10)))
    await world.verify()
    assert world.source.asked == [ISSUER]
    world.clock.advance(FRESH_SECONDS)
    await world.verify()
    assert len(world.source.asked) == 2


async def test_a_request_without_a_token_asks_nobody() -> None:
    world = World()
    for headers in ({}, {"authorization": "Basic x"}):
        with pytest.raises(InvalidSignature):
            await world.identities.verify(ANYBODY, headers)
    assert world.source.asked == []


async def test_unknown_keys_have_the_issuer_asked_once_a_minute_whoever_sends_them() -> None:
    world = World()
    await world.verify()
    for _ in range(20):
        with pytest.raises(InvalidSignature):
            await world.verify(kid="made up")
    assert len(world.source.asked) == 1
    world.clock.advance(PAUSE_SECONDS)
    world.source.keys = {**KEYS, "new": KEYS["r"]}
    await world.verify(kid="new")
    assert len(world.source.asked) == 2


async def test_keys_are_used_for_a_day_while_the_issuer_is_away() -> None:
    world = World()
    await world.verify()
    world.source.keys = None
    world.clock.advance(STALE_SECONDS - 1)
    await world.verify()
    world.clock.advance(PAUSE_SECONDS)
    with pytest.raises(KeysUnavailable, match="it is away"):
        await world.verify()


async def test_without_keys_nothing_is_decided_and_the_issuer_is_asked_again_after_a_pause() -> (
    None
):
    world = World(keys=None)
    for _ in range(3):
        with pytest.raises(KeysUnavailable, match="it is away"):
            await world.verify()
    assert len(world.source.asked) == 1
    world.source.keys = KEYS
    world.clock.advance(PAUSE_SECONDS)
    await world.verify()


async def test_a_service_without_a_source_accepts_no_token() -> None:
    with pytest.raises(KeysUnavailable):
        await Identities().verify(ANYBODY, {"authorization": f"Bearer {make()}"})
