"""Whether an OIDC bearer token proves a sender: against the issuer's keys, which are cached.

Nothing that a request holds decides whom we ask, and how often: an issuer is one of the routing
file, and it is asked once a minute at most, whatever tokens arrive. A request waits for an issuer
only where no key is at hand that could decide about it; keys are renewed behind their backs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.core.errors import KeysUnavailable
from router.core.oidc import UnknownKey, bearer_token, verify_token
from router.core.routing import OidcAuth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.core.oidc import Keys
    from router.core.routing import Routing
    from router.flow.routing import InForce
    from router.ports.clock import Clock
    from router.ports.keys import KeySource
    from router.ports.observer import Observer

FRESH_SECONDS = 3600.0
"""How old keys may be before they are read again; issuers announce new ones for longer."""

STALE_SECONDS = 86_400.0
"""How long keys are used while their issuer cannot be asked."""

PAUSE_SECONDS = 60.0
"""Between two questions to one issuer, whoever wants what."""

TICK_SECONDS = 5.0
"""How often it is looked up which keys are due, and whether the routing file names new issuers."""


@dataclass(slots=True)
class _Issuer:
    """What is known of an issuer; times on the monotonic clock."""

    keys: Keys | None = None
    read_at: float = 0.0
    asked_at: float | None = None
    trouble: str = "they were not read yet"
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Identities:
    """Checks bearer tokens, and keeps the keys of issuers fresh."""

    def __init__(self, source: KeySource, clock: Clock, observer: Observer) -> None:
        self._source = source
        self._clock = clock
        self._observer = observer
        self._issuers: dict[str, _Issuer] = {}

    async def verify(self, auth: OidcAuth, headers: Mapping[str, str]) -> None:
        """Check the bearer token of a request. Raises InvalidSignature, or KeysUnavailable."""
        token = bearer_token(headers)
        keys = self._usable_keys(auth.issuer)
        if keys is None:
            await self._ask(auth.issuer)
            keys = self._usable_keys(auth.issuer)
        if keys is None:
            trouble = self._issuer(auth.issuer).trouble
            raise KeysUnavailable(f"the keys of the issuer cannot be had: {trouble}")
        now_seconds = self._clock.now().timestamp()
        try:
            verify_token(token, auth, keys=keys, now_seconds=now_seconds)
        except UnknownKey:
            await self._ask(auth.issuer)
            keys = self._usable_keys(auth.issuer) or keys
            verify_token(token, auth, keys=keys, now_seconds=now_seconds)

    async def run(self, in_force: InForce, stop: asyncio.Event) -> None:
        """Keep the keys of all issuers in force fresh until *stop* is set."""
        stopping = asyncio.create_task(stop.wait())
        refreshing = asyncio.create_task(self._keep_fresh(in_force))
        try:
            # An issuer that does not answer must not hold up the end of the service.
            await asyncio.wait({stopping, refreshing}, return_when=asyncio.FIRST_COMPLETED)
            if refreshing.done():
                refreshing.result()
        finally:
            for task in (stopping, refreshing):
                task.cancel()
            await asyncio.gather(stopping, refreshing, return_exceptions=True)

    async def refresh(self, issuers: Iterable[str]) -> None:
        """Read the keys of those *issuers* whose keys are missing or not fresh any more."""
        due = [name for name in issuers if self._is_due(self._issuer(name))]
        async with asyncio.TaskGroup() as group:
            for name in due:
                group.create_task(self._ask(name))

    async def _keep_fresh(self, in_force: InForce) -> None:
        while True:
            await self.refresh(issuers_of(in_force.current))
            await asyncio.sleep(TICK_SECONDS)

    def _issuer(self, name: str) -> _Issuer:
        return self._issuers.setdefault(name, _Issuer())

    def _is_due(self, issuer: _Issuer) -> bool:
        return issuer.keys is None or self._age(issuer) >= FRESH_SECONDS

    def _usable_keys(self, name: str) -> Keys | None:
        issuer = self._issuer(name)
        return issuer.keys if self._age(issuer) < STALE_SECONDS else None

    def _age(self, issuer: _Issuer) -> float:
        return self._clock.monotonic() - issuer.read_at

    async def _ask(self, name: str) -> None:
        """Read an issuer's keys, unless it was asked a moment ago; those that wait share one."""
        issuer = self._issuer(name)
        async with issuer.lock:
            now = self._clock.monotonic()
            if issuer.asked_at is not None and now - issuer.asked_at < PAUSE_SECONDS:
                return
            issuer.asked_at = now
            trouble: str | None = None
            try:
                issuer.keys = await self._source.read(name)
                issuer.read_at = self._clock.monotonic()
            except KeysUnavailable as error:
                trouble = issuer.trouble = str(error)
        self._observer.issuer_read(issuer=name, trouble=trouble)


def issuers_of(routing: Routing) -> set[str]:
    """The issuers whose tokens some hook of *routing* asks for."""
    auths = [hook.auth for hook in routing.hooks.values()]
    return {auth.issuer for auth in auths if isinstance(auth, OidcAuth)}
