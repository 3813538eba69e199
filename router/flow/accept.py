"""From a request's bytes to a saved delivery: verify, parse, plan, save; then the answer."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.changes import ExactPaths, UnknownPaths, listed_changes
from router.core.errors import StaleGeneration, StoreUnavailable
from router.core.match import Matcher, match_layers
from router.core.model import Delivery, UpdateRecord
from router.core.plan import plan_update, remember_update
from router.core.providers.table import PROVIDERS
from router.core.push import Ignored, Push
from router.core.verify import verify_auth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.match import Matched
    from router.core.model import Intent, Saved
    from router.core.push import RefUpdate
    from router.core.routing import Hook, Repository, Routing
    from router.flow.parts import Parts

MAX_KEPT_PATHS = 10_000
"""Changed paths kept with a delivery; matching sees all of them."""

MATCH_SLICE_PATHS = 500
"""Paths matched before other requests get a turn: a few milliseconds of the event loop."""

UPDATES_SLICE = 50
"""Updates of one push planned before other requests get a turn."""

RELOAD_WAIT_SECONDS = 5.0
"""How long a push waits for a routing file that comes into force while it is planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one parsed push leads to under one routing file."""

    records: tuple[UpdateRecord, ...]
    intents: tuple[Intent, ...]
    reason: str = ""
    """Why nothing in the push concerns us; empty when something does."""


class Acceptor:
    """Accepts deliveries: what it returns is on disk."""

    def __init__(self, parts: Parts, *, reload_wait_seconds: float = RELOAD_WAIT_SECONDS) -> None:
        self._parts = parts
        self._reload_wait_seconds = reload_wait_seconds

    async def accept(
        self, hook: Hook, headers: Mapping[str, str], body: bytes, *, path_token: str | None = None
    ) -> Saved:
        """Verify, parse, plan and save one delivery.

        Raises InvalidSignature, MalformedPayload or UnsupportedMedia for what the sender must
        mend, and StoreUnavailable when nothing could be saved.
        """
        started = self._parts.clock.monotonic()
        self._verify(hook, headers, body, path_token)
        parsed = PROVIDERS[hook.provider].parse_push(headers, body)
        digest = hashlib.sha256(body).hexdigest()
        saved = await self._save(hook, parsed, digest)
        self._parts.observer.delivery_saved(
            saved, duration_seconds=self._parts.clock.monotonic() - started
        )
        if saved.plans and not saved.is_duplicate:
            self._parts.wake()
        return saved

    def _verify(
        self, hook: Hook, headers: Mapping[str, str], body: bytes, path_token: str | None
    ) -> None:
        if hook.auth is not None:
            verify_auth(hook.auth, headers, path_token)
            return
        PROVIDERS[hook.provider].verify(
            headers,
            body,
            secrets=[secret.value for secret in hook.secrets],
            now_seconds=self._parts.clock.now().timestamp(),
        )

    async def _save(self, hook: Hook, parsed: Push | Ignored, digest: str) -> Saved:
        while True:
            routing = self._parts.in_force.current
            planned = await plan_push(routing, hook, parsed)
            delivery = Delivery(
                id=self._parts.clock.new_id(),
                origin="webhook",
                received_at=self._parts.clock.now(),
                status="ignored" if planned.reason else "routed",
                reason=planned.reason,
                hook=hook.name,
                provider_delivery_id=parsed.delivery_id,
                body_digest=digest,
                updates=planned.records,
            )
            try:
                return await self._parts.store.save_delivery(
                    delivery, planned.intents, generation=routing.generation
                )
            except StaleGeneration:
                await self._wait_for_newer(routing)

    async def _wait_for_newer(self, routing: Routing) -> None:
        try:
            async with asyncio.timeout(self._reload_wait_seconds):
                await self._parts.in_force.newer_than(routing.generation)
        except TimeoutError:
            raise StoreUnavailable("a newer routing file is in force than this one") from None


async def plan_push(routing: Routing, hook: Hook, parsed: Push | Ignored) -> Planned:
    """What a push leads to: one record for each update and entry, one intent for each to plan."""
    if isinstance(parsed, Ignored):
        return Planned(records=(), intents=(), reason=parsed.reason)
    entries = routing.entries(hook.name, parsed.repository_urls)
    if not entries:
        records = tuple(
            _record(update, None, "no entry of this hook has this repository")
            for update in parsed.updates
        )
        return Planned(records=records, intents=(), reason="unknown repository")
    kept: list[UpdateRecord] = []
    intents: list[Intent] = []
    for number, update in enumerate(parsed.updates, start=1):
        if number % UPDATES_SLICE == 0:
            await asyncio.sleep(0)
        tracking = [entry for entry in entries if entry.tracks(update.ref)]
        if not tracking:
            kept.append(_record(update, None, "no entry tracks this ref"))
        for entry in tracking:
            reason = "the ref was deleted: nothing is left to apply" if update.is_deleted else ""
            kept.append(_record(update, entry, reason))
            intents.append(await _plan_one(routing, entry, update))
    return Planned(records=tuple(kept), intents=tuple(intents), reason=_why_ignored(kept))


def _why_ignored(records: Sequence[UpdateRecord]) -> str:
    """Why nothing in a push concerns us; empty when something does."""
    if any(record.status == "routed" for record in records):
        return ""
    return "; ".join(dict.fromkeys(record.reason for record in records))


async def _plan_one(routing: Routing, entry: Repository, update: RefUpdate) -> Intent:
    if update.is_deleted:
        return remember_update(entry, update)
    listed = listed_changes(update, force_pushes=entry.force_pushes)
    return plan_update(routing, entry, update, listed, await _match(entry, listed))


async def _match(entry: Repository, listed: ExactPaths | UnknownPaths) -> Matched:
    """Match in slices, so that a push with very many paths does not hold up the others."""
    if isinstance(listed, UnknownPaths) or len(listed.paths) <= MATCH_SLICE_PATHS:
        return match_layers(entry.index, listed, unmapped=entry.unmapped)
    matcher = Matcher(entry.index, unmapped=entry.unmapped)
    for start in range(0, len(listed.paths), MATCH_SLICE_PATHS):
        matcher.feed(listed.paths[start : start + MATCH_SLICE_PATHS])
        await asyncio.sleep(0)
    return matcher.result()


def _record(update: RefUpdate, entry: Repository | None, reason: str) -> UpdateRecord:
    return UpdateRecord(
        ref=update.ref,
        before=update.before,
        after=update.after,
        forced=update.forced,
        repository=entry.name if entry else None,
        status="ignored" if reason else "routed",
        reason=reason,
        paths=() if entry is None else update.paths[:MAX_KEPT_PATHS],
        is_truncated=entry is not None and len(update.paths) > MAX_KEPT_PATHS,
    )
