"""From what changed to what is wanted: the plans of a push, an adoption, a replay, a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.changes import UnknownPaths, changes_since, next_cursor
from router.core.match import match_layers
from router.core.model import Intent, Match, Plan, TrackedRef, Want
from router.core.routing import normalize_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from router.core.changes import ExactPaths
    from router.core.match import Matched
    from router.core.model import RefState, SavedPlan
    from router.core.push import RefUpdate
    from router.core.routing import Repository, Routing

ADOPTED = "adopted: the layer's definition is new or has changed"


def plan_update(
    routing: Routing,
    entry: Repository,
    update: RefUpdate,
    listed: ExactPaths | UnknownPaths,
    matched: Matched,
) -> Intent:
    """The plan of one update of a tracked ref, to be decided when the ref's state is certain.

    *matched* holds the layers of the *listed* changes: matching may be slow, deciding must not be.
    """

    def decide(state: RefState) -> Plan:
        changes = changes_since(state, update, listed)
        found = matched if changes is listed else match_layers(entry.index, changes)
        return Plan(
            repository=entry.name,
            knowledge="unknown" if isinstance(changes, UnknownPaths) else "exact",
            reason=describe_changes(changes, found),
            matches=found.matches,
            wants=plan_wants(routing, affected_layers(found.matches)),
            ref=update.ref,
            commit=update.after,
            before=state.cursor,
            cursor=next_cursor(state, update),
            unmapped_count=found.unmapped_count,
        )

    return Intent(
        decide=decide,
        tracked=tracked_ref(entry),
        before=update.before,
        after=update.after,
    )


def remember_update(entry: Repository, update: RefUpdate) -> Intent:
    """No plan for a deleted ref: its cursor stays, and its last commit counts as seen."""
    return Intent(
        decide=lambda _state: None,
        tracked=tracked_ref(entry),
        before=update.before,
        after=update.after,
    )


def tracked_ref(entry: Repository) -> TrackedRef:
    """What an entry's cursor belongs to; the spelling of the URL does not count."""
    return TrackedRef(repository=entry.name, url=normalize_url(entry.url), ref=entry.ref)


def describe_changes(changes: ExactPaths | UnknownPaths, matched: Matched) -> str:
    """One sentence on what the file lists proved, or why they do not."""
    if isinstance(changes, UnknownPaths):
        return changes.reason
    count = len(changes.paths)
    text = f"the file lists are complete: {count} changed path{'' if count == 1 else 's'}"
    if matched.unmapped_count:
        text += f", {matched.unmapped_count} of no layer (e.g. {matched.unmapped[0]!r})"
    return text


def affected_layers(matches: Iterable[Match]) -> tuple[str, ...]:
    """The names of the layers that a plan affects."""
    return tuple(match.layer for match in matches if match.is_affected)


def plan_wants(routing: Routing, layers: Iterable[str]) -> tuple[Want, ...]:
    """The receivers of *layers*, each once, with the layers that ask for it."""
    asking: dict[str, list[str]] = {}
    for layer in layers:
        for receiver in routing.layers[layer].receivers:
            asking.setdefault(receiver, []).append(layer)
    return tuple(
        Want(
            receiver=receiver,
            layers=tuple(names),
            is_held=all(routing.is_held(receiver, name) for name in names),
        )
        for receiver, names in asking.items()
    )


def plan_adoption(routing: Routing, names: Collection[str]) -> tuple[Plan, ...]:
    """One plan for each repository with layers among *names*; every one of these is wanted once."""
    plans = []
    for entry in routing.repositories:
        layers = [layer.name for layer in entry.layers if layer.name in names]
        if layers:
            plans.append(_plan_request(routing, entry.name, layers, ADOPTED))
    return tuple(plans)


def plan_notify(routing: Routing, layer: str) -> Plan:
    """The plan of an operator's request for one layer."""
    repository = routing.layers[layer].repository
    return _plan_request(routing, repository, [layer], "requested by an operator")


def plan_replay(
    routing: Routing, plans: Sequence[SavedPlan]
) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """The plans of a replay, and the layers that are not in the routing file any more.

    Each layer that the first plans affected is wanted once more, by its receivers of now. The call
    names the commit of then; Flux fetches the tip of now in any case.
    """
    replayed, gone = [], []
    for saved in plans:
        names = affected_layers(saved.plan.matches)
        gone += [name for name in names if name not in routing.layers]
        kept = [name for name in names if name in routing.layers]
        if kept:
            replayed.append(
                _plan_request(
                    routing,
                    saved.plan.repository,
                    kept,
                    "replayed by an operator",
                    ref=saved.plan.ref,
                    commit=saved.plan.commit,
                )
            )
    return tuple(replayed), tuple(dict.fromkeys(gone))


def _plan_request(
    routing: Routing,
    repository: str,
    layers: Sequence[str],
    reason: str,
    *,
    ref: str | None = None,
    commit: str | None = None,
) -> Plan:
    return Plan(
        repository=repository,
        knowledge="requested",
        reason=reason,
        matches=tuple(Match(layer=name, is_affected=True, reason=reason) for name in layers),
        wants=plan_wants(routing, layers),
        ref=ref,
        commit=commit,
    )
