"""Stored things as the admin API's JSON. No secret and no receiver's URL path is in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.model import (
        Attempt,
        DeliveryStory,
        Match,
        ReceiverStatus,
        SavedPlan,
        UpdateRecord,
    )
    from router.core.routing import Layer, Routing


def view_summary(story: DeliveryStory) -> dict[str, Any]:
    """One row of the list of deliveries."""
    delivery = story.delivery
    return {
        "id": delivery.id,
        "origin": delivery.origin,
        "hook": delivery.hook,
        "receivedAt": delivery.received_at.isoformat(),
        "status": delivery.status,
        "reason": delivery.reason,
        "providerDeliveryId": delivery.provider_delivery_id,
        "replayOf": delivery.replay_of,
        "plans": [_view_plan(item, with_matches=False) for item in story.plans],
    }


def view_story(story: DeliveryStory) -> dict[str, Any]:
    """One delivery with the updates it told, its plans with every deciding path, its calls."""
    return {
        **view_summary(story),
        "bodyDigest": story.delivery.body_digest,
        "updates": [_view_update(record) for record in story.delivery.updates],
        "plans": [_view_plan(item, with_matches=True) for item in story.plans],
        "attempts": [view_attempt(attempt) for attempt in story.attempts],
    }


def _view_update(record: UpdateRecord) -> dict[str, Any]:
    return {
        "repository": record.repository,
        "ref": record.ref,
        "before": record.before,
        "after": record.after,
        "forced": record.forced,
        "status": record.status,
        "reason": record.reason,
        "paths": list(record.paths),
        "truncated": record.is_truncated,
    }


def _view_plan(item: SavedPlan, *, with_matches: bool) -> dict[str, Any]:
    plan = item.plan
    affected = [match.layer for match in plan.matches if match.is_affected]
    view: dict[str, Any] = {
        "repository": plan.repository,
        "ref": plan.ref,
        "sequence": item.sequence,
        "before": plan.before,
        "commit": plan.commit,
        "knowledge": plan.knowledge,
        "reason": plan.reason,
        "pathCount": plan.path_count,
        "unmappedCount": plan.unmapped_count,
        "layers": affected,
    }
    if with_matches:
        view["matches"] = [view_match(match) for match in plan.matches]
        view["paths"] = list(plan.paths)
    return view


def view_match(match: Match) -> dict[str, Any]:
    """Why a layer is, or is not, affected."""
    return {
        "layer": match.layer,
        "affected": match.is_affected,
        "reason": match.reason,
        "path": match.path,
        "pattern": match.pattern,
    }


def view_attempt(attempt: Attempt) -> dict[str, Any]:
    """One call of a receiver."""
    return {
        "receiver": attempt.receiver,
        "wanted": attempt.wanted,
        "startedAt": attempt.started_at.isoformat(),
        "durationMs": round(attempt.duration_seconds * 1000, 2),
        "outcome": attempt.outcome,
        "status": attempt.status,
        "detail": attempt.detail,
    }


def view_receiver(key: str, status: ReceiverStatus | None) -> dict[str, Any]:
    """A receiver's numbers and the word for where it stands."""
    if status is None:
        return {"receiver": key, "state": "idle", "wanted": 0, "notified": 0, "failures": 0}
    is_waiting = status.state in {"due", "retrying", "stuck"}
    return {
        "receiver": key,
        "state": status.state,
        "wanted": status.wanted,
        "notified": status.notified,
        "failures": status.failures,
        "dueAt": status.due_at.isoformat() if is_waiting else None,
        "lastAttempt": view_attempt(status.last_attempt) if status.last_attempt else None,
    }


def view_layer(
    routing: Routing, layer: Layer, statuses: Mapping[str, ReceiverStatus]
) -> dict[str, Any]:
    """A layer of the routing file in force, with its receivers."""
    return {
        "name": layer.name,
        "repository": layer.repository,
        "paths": list(layer.patterns),
        "dependsOn": list(layer.depends_on),
        "suspended": layer.is_suspended,
        "receivers": [
            {
                **view_receiver(key, statuses.get(key)),
                "suspended": routing.is_held(key, layer.name),
            }
            for key in layer.receivers
        ],
    }


def view_page(stories: Sequence[DeliveryStory], *, limit: int) -> dict[str, Any]:
    """A page of deliveries; *next* is what to pass as `before` for the page that follows."""
    return {
        "deliveries": [view_summary(story) for story in stories],
        "next": stories[-1].position if len(stories) == limit else None,
    }
