"""From a request's bytes to a saved delivery: read, plan, save; then the answer."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.core.artifacts import plan_artifacts
from router.core.changes import listed_changes
from router.core.errors import KeysUnavailable, Overloaded, StaleGeneration, StoreUnavailable
from router.core.model import MAX_KEPT_PATHS, Delivery, UpdateRecord
from router.core.on_host import find_named
from router.core.plan import JOINED, find_joint, plan_update, remember_update
from router.core.providers.table import PROVIDERS
from router.core.push import NOT_TOLD, ArtifactPush, Ignored, RefUpdate
from router.core.requested import plan_any_ref
from router.core.routing import OidcAuth
from router.flow.matching import match_in_slices
from router.flow.reading import DeliveryReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.core.forms import Body
    from router.core.model import DeliveryStatus, Intent, Saved
    from router.core.plan import Joint
    from router.core.push import Push
    from router.core.routing import Hook, Repository, Routing
    from router.flow.parts import Parts

UPDATES_SLICE = 50
"""Updates of one push planned before other requests get a turn."""

MAX_UNSAVED_DELIVERIES = 2_000
"""Deliveries that may be read and wait for the store at once: about 60 MiB with what an ordinary
push takes beside its body, and four of SQLite's commits. Bodies are bounded by their bytes."""

RELOAD_WAIT_SECONDS = 5.0
"""How long a push waits for a routing file that comes into force while it is planned."""

DELETED = "the ref was deleted: nothing is left to apply"
UNKNOWN_REPOSITORY = "unknown repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one parsed push leads to under one routing file."""

    records: tuple[UpdateRecord, ...]
    intents: tuple[Intent, ...]
    reason: str = ""
    """Why nothing in the push concerns us; empty when something does."""

    @property
    def status(self) -> DeliveryStatus:
        if self.reason:
            return "ignored"
        waits = any(record.status == "accepted" for record in self.records)
        return "accepted" if waits else "routed"


class Acceptor:
    """Accepts deliveries: what it returns is on disk."""

    def __init__(
        self,
        parts: Parts,
        *,
        reload_wait_seconds: float = RELOAD_WAIT_SECONDS,
        max_unsaved: int = MAX_UNSAVED_DELIVERIES,
    ) -> None:
        self._parts = parts
        self._reload_wait_seconds = reload_wait_seconds
        self._free_places = max_unsaved
        self._reader = DeliveryReader()

    async def accept(
        self, hook: Hook, headers: Mapping[str, str], body: Body, *, path_token: str | None = None
    ) -> Saved:
        """Verify, parse, plan and save one delivery; a *body* that is a bytearray is cleared.

        Raises InvalidSignature, MalformedPayload or UnsupportedMedia for what the sender must
        mend, StoreUnavailable when nothing could be saved, and Overloaded, before anything is
        read, while as many wait for the store as may.
        """
        with self._hold_place():
            return await self._accept(hook, headers, body, path_token)

    async def verify_identity(self, hook: Hook, headers: Mapping[str, str]) -> None:
        """Check the bearer token of a hook that asks for one, which needs no body.

        Raises InvalidSignature, or KeysUnavailable.
        """
        if not isinstance(hook.auth, OidcAuth):
            return
        if self._parts.identities is None:
            raise KeysUnavailable("this service reads no keys of issuers")
        await self._parts.identities.verify(hook.auth, headers)

    @contextmanager
    def _hold_place(self) -> Iterator[None]:
        if self._free_places <= 0:
            raise Overloaded("too many deliveries wait for the store")
        self._free_places -= 1
        try:
            yield
        finally:
            self._free_places += 1

    async def _accept(
        self, hook: Hook, headers: Mapping[str, str], body: Body, path_token: str | None
    ) -> Saved:
        started = self._parts.clock.monotonic()
        await self.verify_identity(hook, headers)
        read = await self._reader.read(
            hook,
            headers,
            body,
            path_token=path_token,
            now_seconds=self._parts.clock.now().timestamp(),
        )
        saved = await self._save(hook, read.parsed, read.digest)
        self._parts.observer.delivery_saved(
            saved, duration_seconds=self._parts.clock.monotonic() - started
        )
        if not saved.is_duplicate:
            self._pass_on(saved)
        return saved

    def _pass_on(self, saved: Saved) -> None:
        if saved.plans:
            self._parts.wake()
        for record in saved.delivery.updates:
            if record.status == "accepted" and record.repository is not None:
                self._parts.hints.add(record.repository, is_kept=True)

    async def _save(self, hook: Hook, parsed: Push | ArtifactPush | Ignored, digest: str) -> Saved:
        while True:
            routing = self._parts.in_force.current
            planned = await plan_push(routing, hook, parsed)
            delivery = Delivery(
                id=self._parts.clock.new_id(),
                origin="webhook",
                received_at=self._parts.clock.now(),
                status=planned.status,
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
                if not await self._has_newer(routing):
                    return await self._leave_to_others(delivery)

    async def _has_newer(self, routing: Routing) -> bool:
        """Wait for the routing file that came into force meanwhile, if it can be used here."""
        in_force = self._parts.in_force
        in_force.outdated.set()
        try:
            async with asyncio.timeout(0 if in_force.is_behind else self._reload_wait_seconds):
                await in_force.newer_than(routing.generation)
        except TimeoutError:
            return False
        return True

    async def _leave_to_others(self, delivery: Delivery) -> Saved:
        """Save what is only a hint, for a replica that has the routing file in force.

        Raises StoreUnavailable for what would have to be planned, or ignored, by that file.
        """
        is_hint = delivery.status == "accepted"
        is_more = any(record.status == "routed" for record in delivery.updates)
        last = await self._parts.store.last_generation()
        if last is None or is_more or not is_hint:
            raise StoreUnavailable("a newer routing file is in force than this one")
        return await self._parts.store.save_delivery(delivery, (), generation=last.number)


async def plan_push(routing: Routing, hook: Hook, parsed: Push | ArtifactPush | Ignored) -> Planned:
    """What a push leads to: one record for each update and entry, one intent for each to plan.

    An entry in git mode plans its updates later, when its Git host was asked.
    """
    if isinstance(parsed, Ignored):
        return Planned(records=(), intents=(), reason=parsed.reason)
    if isinstance(parsed, ArtifactPush):
        records, intents = plan_artifacts(routing, hook.name, parsed)
        return Planned(records=records, intents=intents, reason=_why_ignored(records))
    entries = _find_entries(routing, hook, parsed)
    if parsed.refs_not_told is not None:
        return _plan_any_ref(routing, entries, parsed.refs_not_told)
    if not entries:
        records = tuple(
            _record(update, None, "no entry of this hook has this repository")
            for update in parsed.updates
        )
        return Planned(records=records, intents=(), reason=UNKNOWN_REPOSITORY)
    return await _plan_updates(routing, entries, parsed.updates)


def _find_entries(routing: Routing, hook: Hook, push: Push) -> Sequence[Repository]:
    host = PROVIDERS[hook.provider]
    if push.repository_urls:
        return routing.entries(hook.name, push.repository_urls, ignores_case=host.ignores_case)
    entries = routing.entries_of(hook.name)
    if push.repository_path is None:
        return entries
    return find_named(
        entries,
        push.repository_path,
        url_forms=host.url_forms,
        ignores_case=host.ignores_case,
    )


def _plan_any_ref(routing: Routing, entries: Sequence[Repository], why: str) -> Planned:
    """Which refs moved is not told: git mode asks its hosts, and payload mode knows nothing."""
    records = tuple(_record(_any_update(entry, why), entry, "") for entry in entries)
    intents = [plan_any_ref(routing, entry, why) for entry in entries if entry.git is None]
    return Planned(
        records=records, intents=tuple(intents), reason="" if entries else UNKNOWN_REPOSITORY
    )


def _any_update(entry: Repository, why: str) -> RefUpdate:
    return RefUpdate(ref=entry.ref, before=NOT_TOLD, after=NOT_TOLD, forced=None, incomplete=why)


async def _plan_updates(
    routing: Routing, entries: Sequence[Repository], updates: Sequence[RefUpdate]
) -> Planned:
    tracking: list[Sequence[Repository]] = []
    own: dict[str, list[RefUpdate]] = {entry.name: [] for entry in entries}
    for number, update in enumerate(updates, start=1):
        await _give_turn(number)
        tracking.append([entry for entry in entries if entry.tracks(update.ref)])
        for entry in tracking[-1]:
            own[entry.name].append(update)
    joints = {entry.name: find_joint(entry, own[entry.name]) for entry in entries}
    kept: list[UpdateRecord] = []
    intents: list[Intent] = []
    for number, update in enumerate(updates, start=1):
        await _give_turn(number)
        if not tracking[number - 1]:
            kept.append(_record(update, None, "no entry tracks this ref"))
        for entry in tracking[number - 1]:
            record, intent = await _plan_one(routing, entry, update, joints[entry.name])
            kept.append(record)
            if intent is not None:
                intents.append(intent)
    return Planned(records=tuple(kept), intents=tuple(intents), reason=_why_ignored(kept))


async def _give_turn(number: int) -> None:
    if number % UPDATES_SLICE == 0:
        await asyncio.sleep(0)


def _why_ignored(records: Sequence[UpdateRecord]) -> str:
    """Why nothing in a push concerns us; empty when something does."""
    if any(record.status != "ignored" for record in records):
        return ""
    return "; ".join(dict.fromkeys(record.reason for record in records))


async def _plan_one(
    routing: Routing, entry: Repository, update: RefUpdate, joint: Joint | None
) -> tuple[UpdateRecord, Intent | None]:
    """What is kept of an update, and what it intends; the last of a *joint* plans for all."""
    if update.is_deleted:
        return _record(update, entry, DELETED), remember_update(entry, update)
    record = _record(update, entry, "")
    if entry.git is not None:
        return record, None
    if joint is None:
        listed = listed_changes(update, force_pushes=entry.force_pushes)
    elif joint.last is update:
        listed = joint.changes
    else:
        return replace(record, reason=JOINED), remember_update(entry, update)
    matched = await match_in_slices(entry, listed)
    is_joint = joint is not None
    return record, plan_update(routing, entry, update, listed, matched, is_joint=is_joint)


def _record(update: RefUpdate, entry: Repository | None, reason: str) -> UpdateRecord:
    return UpdateRecord(
        ref=update.ref,
        before=update.before,
        after=update.after,
        forced=update.forced,
        repository=entry.name if entry else None,
        status="ignored" if reason else "accepted" if entry and entry.git else "routed",
        reason=reason,
        paths=() if entry is None else update.paths[:MAX_KEPT_PATHS],
        is_truncated=entry is not None and len(update.paths) > MAX_KEPT_PATHS,
        incomplete=update.incomplete,
    )
