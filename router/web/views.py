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
    from router.flow.explain import Explanation, Verdict


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
        "updates": [_view_update(record) for record in delivery.updates],
        "plans": [_view_plan(item) for item in story.plans],
    }


def view_story(
    routing: Routing, story: DeliveryStory, statuses: Mapping[str, ReceiverStatus]
) -> dict[str, Any]:
    """One delivery with the updates it told, its plans with every deciding path, its calls.

    Its receivers are told as they stand now.
    """
    wanted = dict.fromkeys(want.receiver for item in story.plans for want in item.plan.wants)
    return {
        **view_summary(story),
        "bodyDigest": story.delivery.body_digest,
        "updates": [
            {
                **_view_update(record),
                "paths": list(record.paths),
                "incomplete": record.incomplete,
            }
            for record in story.delivery.updates
        ],
        "plans": [_view_whole_plan(routing, item) for item in story.plans],
        "attempts": [view_attempt(attempt) for attempt in story.attempts],
        "receivers": [view_receiver(key, statuses.get(key)) for key in wanted],
    }


def _view_update(record: UpdateRecord) -> dict[str, Any]:
    """One ref update, without its paths: lists would be far too long with them."""
    return {
        "repository": record.repository,
        "ref": record.ref,
        "before": record.before or None,
        "after": record.after or None,
        "forced": record.forced,
        "status": record.status,
        "reason": record.reason,
        "pathCount": len(record.paths),
        "truncated": record.is_truncated,
    }


def _view_plan(item: SavedPlan) -> dict[str, Any]:
    plan = item.plan
    return {
        "repository": plan.repository,
        "ref": plan.ref,
        "sequence": item.sequence,
        "before": plan.before,
        "commit": plan.commit,
        "knowledge": plan.knowledge,
        "reason": plan.reason,
        "pathCount": plan.path_count,
        "unmappedCount": plan.unmapped_count,
        "layers": [match.layer for match in plan.matches if match.is_affected],
    }


def _view_whole_plan(routing: Routing, item: SavedPlan) -> dict[str, Any]:
    """A plan with its matches; *unmatched* are the layers its entry has now without one."""
    plan, entry = item.plan, routing.entry(item.plan.repository)
    matched = {match.layer for match in plan.matches}
    layers = entry.index.layers if entry else ()
    return {
        **_view_plan(item),
        "matches": [view_match(match) for match in plan.matches],
        "unmatched": [name for name in layers if name not in matched],
        "wants": [
            {"receiver": want.receiver, "layers": list(want.layers), "held": want.is_held}
            for want in plan.wants
        ],
        "paths": list(plan.paths),
    }


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
        return {
            "receiver": key,
            "state": "idle",
            "wanted": 0,
            "notified": 0,
            "failures": 0,
            "dueAt": None,
            "lastAttempt": None,
        }
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
        "tag": next((each.tag for each in routing.artifacts if each.layer is layer), None),
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


def view_explanations(
    routing: Routing, explanations: Sequence[Explanation], *, delivery: str | None
) -> dict[str, Any]:
    """What changed paths affect under the routing file in force, whose *generation* is told."""
    return {
        "generation": routing.generation,
        "delivery": delivery,
        "explanations": [_view_explanation(routing, item) for item in explanations],
    }


def _view_explanation(routing: Routing, item: Explanation) -> dict[str, Any]:
    return {
        "repository": item.repository,
        "ref": item.ref,
        "before": item.before or None,
        "after": item.after or None,
        "known": item.is_known,
        "reason": item.reason,
        "pathCount": item.path_count,
        "unmappedCount": item.unmapped_count,
        "unmapped": list(item.unmapped),
        "layers": [_view_verdict(routing, verdict) for verdict in item.verdicts],
        "gone": list(item.gone),
        "differs": bool(item.gone) or any(verdict.differs for verdict in item.verdicts),
    }


def _view_verdict(routing: Routing, verdict: Verdict) -> dict[str, Any]:
    return {
        **view_match(verdict.now),
        "receivers": list(routing.layers[verdict.now.layer].receivers),
        "then": view_match(verdict.then) if verdict.then else None,
        "differs": verdict.differs,
    }
