"""Git mode when a Git host cannot be read: what the pushes themselves prove, else every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.changes import UnknownPaths, fallback_changes
from router.core.match import match_layers
from router.core.model import Delivery, Observation
from router.core.plan import ADOPTED_REF, PAYLOAD, plan_tip
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
    changes = fallback_changes(state.cursor, updates, why=why, force_pushes=entry.force_pushes)
    is_unknown = isinstance(changes, UnknownPaths)
    newest = updates[-1] if updates else None
    if newest is None:
        changes = UnknownPaths(f"{ADOPTED_REF}; {why}")
    intent = plan_tip(
        routing,
        entry,
        ref=newest.ref if newest else entry.ref,
        tip=newest.after if newest else None,
        cursor=state.cursor,
        changes=changes,
        matched=match_layers(entry.index, changes, unmapped=entry.unmapped),
        knowledge="unknown" if is_unknown else "payload",
        how=f"{why}; {PAYLOAD}",
        is_tip_read=False,
    )
    return Observation(
        repository=entry.name,
        intents=(intent,),
        delivery=None if waiting else adoption,
        closings=close_with_plan(waiting, newest.after if newest else None),
    )
