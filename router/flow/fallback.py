"""Git mode when a Git host cannot be read: what the pushes themselves prove, else every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.changes import fallback_changes
from router.core.kustomize.changed import unknown_builds
from router.core.match import match_layers
from router.core.model import Delivery, Observation
from router.core.plan import ADOPTED_REF, PAYLOAD, known_without_host, plan_without_host
from router.core.tips import close_with_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import RefState, Waiting
    from router.core.routing import Repository, Routing


def plan_fallback(
    routing: Routing,
    entry: Repository,
    state: RefState,
    waiting: Sequence[Waiting],
    *,
    why: str,
    adoption: Delivery,
) -> Observation:
    """The one plan of all that waits, made without the host, and *why* it is made so.

    The cursor stays: the next look compares from there, and repeats what this plan did. If nothing
    waits, a ref that was never planned is adopted by the *adoption* delivery.
    """
    updates = [item.update for item in waiting]
    reason = why if waiting else f"{ADOPTED_REF}; {why}"
    changes = fallback_changes(state.told, updates, why=reason, force_pushes=entry.force_pushes)
    intent = plan_without_host(
        routing,
        entry,
        state,
        waiting[-1] if waiting else None,
        known=known_without_host(changes, how=f"{why}; {PAYLOAD}"),
        matched=match_layers(
            entry.index,
            changes,
            unmapped=entry.unmapped,
            builds=unknown_builds(entry.builds, why),
        ),
    )
    return Observation(
        repository=entry.name,
        intents=(intent,),
        delivery=None if waiting else adoption,
        closings=close_with_plan(waiting, updates[-1].after if waiting else None),
    )
