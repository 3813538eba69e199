"""How often issuers are asked for their keys, and what happens while they cannot be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from router.core.errors import InvalidSignature, KeysUnavailable
from router.core.oidc import Keys
from router.core.routing import OidcAuth
from router.flow.identities import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, Identities
from router.flow.routing import InForce
from tests.builders import make_routing
from tests.core.test_oidc import ISSUER, KEYS, make
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeySource
from tests.fakes.observer import RecordingObserver

ANYBODY = OidcAuth(issuer=ISSUER, audience="us")
PATIENCE_SECONDS = 10.0
"""How long a test waits for what it expects; only a failing test waits that long."""


class World:
    def __init__(self, keys: Keys | None = KEYS) -> None:
        self.clock = FakeClock()
        self.source = FakeKeySource(keys)
        self.observer = RecordingObserver()
        self.identities = Identities(self.source, self.clock, self.observer)

    async def verify(self, kid: str = "r") -> None:
        now = int(self.clock.now().timestamp())
        token = make(kid=kid, iat=now, exp=now + 60)
        await self.identities.verify(ANYBODY, {"authorization": f"Bearer {token}"})


async def test_keys_are_read_once_for_many_requests() -> None:
    world = World()
    await asyncio.gather(*(world.verify() for _ in range(10)))
    await world.verify()
    assert world.source.asked == [ISSUER]


async def test_keys_are_renewed_when_they_are_not_fresh_any_more_and_not_before() -> None:
    world = World()
    await world.identities.refresh([ISSUER])
    world.clock.advance(FRESH_SECONDS - 1)
    await world.identities.refresh([ISSUER])
    assert world.source.asked == [ISSUER]
    world.clock.advance(1)
    await world.identities.refresh([ISSUER])
    assert world.source.asked == [ISSUER, ISSUER]


async def test_no_request_waits_while_keys_are_renewed() -> None:
    world = World()
    await world.verify()
    world.clock.advance(FRESH_SECONDS)
    world.source.answers.clear()
    renewing = asyncio.create_task(world.identities.refresh([ISSUER]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(world.source.asked) < 2:
            await asyncio.sleep(0)
        await world.verify()
    assert not renewing.done()
    world.source.answers.set()
    await renewing


@pytest.mark.parametrize("is_silent", [True, False])
async def test_the_issuers_in_force_are_asked_at_the_start_and_do_not_hold_up_the_end(
    is_silent: bool,
) -> None:
    world, stop = World(), asyncio.Event()
    if is_silent:
        world.source.answers.clear()
    auths = {"gar": ANYBODY, "other": replace(ANYBODY, issuer="https://b.example"), "git": None}
    given = make_routing()
    hook = given.hooks["github"]
    hooks = {name: replace(hook, name=name, auth=auth) for name, auth in auths.items()}
    routing = replace(given, hooks=hooks)
    running = asyncio.create_task(world.identities.run(InForce(routing), stop))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(world.source.asked if is_silent else world.observer.issuers) < 2:
            await asyncio.sleep(0)
        for _ in range(5):  # let the task come to its rest
            await asyncio.sleep(0)
        stop.set()
        await running
    assert sorted(world.source.asked) == ["https://accounts.example.com", "https://b.example"]


async def test_what_fails_in_the_background_is_told_to_who_runs_it() -> None:
    class BrokenSource(FakeKeySource):
        async def read(self, issuer: str) -> Keys:
            raise RuntimeError(issuer)

    world, stop = World(), asyncio.Event()
    identities = Identities(BrokenSource(), world.clock, world.observer)
    routing = make_routing()
    hooks = {"gar": replace(routing.hooks["github"], auth=ANYBODY)}
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.RaisesGroup(RuntimeError):
            await identities.run(InForce(replace(routing, hooks=hooks)), stop)


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
    assert world.observer.issuers == [(ISSUER, "it is away"), (ISSUER, None)]
