"""What an operator asks for by hand: replay a delivery, notify a layer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.errors import NotFound, StaleGeneration, StoreUnavailable
from router.core.model import Delivery
from router.core.requested import intend, plan_notify, plan_replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Origin, Plan, Saved
    from router.core.routing import Routing
    from router.flow.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay's new delivery, and the layers that could not be replayed."""

    saved: Saved
    gone: tuple[str, ...]
    """Layers that the first delivery affected and that the routing file has no more."""


class Requests:
    """Raises wanted numbers on an operator's word; moves no cursor."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def notify(self, layer: str) -> Saved:
        """Have a layer's receivers called once more. Raises NotFound for an unknown layer."""
        routing = self._parts.in_force.current
        if layer not in routing.layers:
            raise NotFound(f"no layer {layer!r} in the routing file")
        plan = plan_notify(routing, layer)
        saved = await self._save(routing, "notify", plan.reason, [plan])
        entry = routing.entry(plan.repository)
        if entry is not None and entry.git is not None:
            self._parts.hints.add(entry.name)
        return saved

    async def replay(self, delivery_id: str) -> Replayed:
        """Want every layer that a delivery affected once more. Raises NotFound."""
        story = await self._parts.store.delivery(delivery_id)
        if story is None:
            raise NotFound("no such delivery")
        routing = self._parts.in_force.current
        plans, gone = plan_replay(routing, story.plans)
        saved = await self._save(
            routing, "replay", "replayed by an operator", plans, replay_of=delivery_id
        )
        return Replayed(saved=saved, gone=gone)

    async def _save(
        self,
        routing: Routing,
        origin: Origin,
        reason: str,
        plans: Sequence[Plan],
        *,
        replay_of: str | None = None,
    ) -> Saved:
        started = self._parts.clock.monotonic()
        delivery = Delivery(
            id=self._parts.clock.new_id(),
            origin=origin,
            received_at=self._parts.clock.now(),
            status="routed" if plans else "ignored",
            reason=reason if plans else "it affected no layer that is in the routing file",
            replay_of=replay_of,
        )
        intents = [intend(plan) for plan in plans]
        try:
            saved = await self._parts.store.save_delivery(
                delivery, intents, generation=routing.generation
            )
        except StaleGeneration:
            self._parts.in_force.outdated.set()
            raise StoreUnavailable("the routing file is being replaced; ask again") from None
        self._parts.observer.delivery_saved(
            saved, duration_seconds=self._parts.clock.monotonic() - started
        )
        # Whoever asks by hand has mended something, and does not mean the next try of a backoff.
        with suppress(StoreUnavailable):  # what was asked for is saved, whatever becomes of this
            await self._parts.store.reset_backoff(
                {want.receiver for plan in plans for want in plan.wants}
            )
        self._parts.wake()
        return saved
