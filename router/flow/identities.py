"""Whether an OIDC bearer token proves a sender: against the issuer's keys, which are cached.

Nothing that a request holds decides whom we ask, and how often: an issuer is one of the routing
file, and it is asked once a minute at most, whatever tokens arrive.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.errors import KeysUnavailable
from router.core.oidc import UnknownKey, bearer_token, verify_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.oidc import Keys
    from router.core.routing import OidcAuth
    from router.ports import Clock, KeySource

FRESH_SECONDS = 3600.0
"""How long keys are used without asking again; issuers announce new ones for longer."""

STALE_SECONDS = 86_400.0
"""How long keys are used while their issuer cannot be asked."""

PAUSE_SECONDS = 60.0
"""Between two questions to one issuer, whoever wants what."""


@dataclass(slots=True)
class _Issuer:
    """What is known of an issuer; times on the monotonic clock."""

    keys: Keys | None = None
    read_at: float = 0.0
    asked_at: float | None = None
    trouble: str = "they were not read yet"
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Identities:
    """Checks bearer tokens."""

    def __init__(self, source: KeySource | None = None, clock: Clock | None = None) -> None:
        """Without a *source* no token can be checked."""
        self._source = source
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}

    async def verify(self, auth: OidcAuth, headers: Mapping[str, str]) -> None:
        """Check the bearer token of a request. Raises InvalidSignature, or KeysUnavailable."""
        token = bearer_token(headers)
        if self._source is None or self._clock is None:
            raise KeysUnavailable("this service reads no keys of issuers")
        issuer = self._issuers.setdefault(auth.issuer, _Issuer())
        if issuer.keys is None or self._age(issuer) >= FRESH_SECONDS:
            await self._ask(self._source, self._clock, auth.issuer, issuer)
        if issuer.keys is None or self._age(issuer) >= STALE_SECONDS:
            raise KeysUnavailable(f"the keys of the issuer cannot be had: {issuer.trouble}")
        now_seconds = self._clock.now().timestamp()
        try:
            verify_token(token, auth, keys=issuer.keys, now_seconds=now_seconds)
        except UnknownKey:
            await self._ask(self._source, self._clock, auth.issuer, issuer)
            verify_token(token, auth, keys=issuer.keys, now_seconds=now_seconds)

    def _age(self, issuer: _Issuer) -> float:
        assert self._clock is not None
        return self._clock.monotonic() - issuer.read_at

    async def _ask(self, source: KeySource, clock: Clock, name: str, issuer: _Issuer) -> None:
        """Read an issuer's keys, unless it was asked a moment ago; those that wait share one."""
        async with issuer.lock:
            now = clock.monotonic()
            if issuer.asked_at is not None and now - issuer.asked_at < PAUSE_SECONDS:
                return
            issuer.asked_at = now
            try:
                issuer.keys = await source.read(name)
                issuer.read_at = clock.monotonic()
            except KeysUnavailable as error:
                issuer.trouble = str(error)
