"""Plans that are asked for, whatever changed: adoptions, an operator's requests and replays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.core.model import Intent, Match, Plan
from router.core.plan import ADOPTED, affected_layers, plan_wants, tracked_ref

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.core.model import SavedPlan
    from router.core.routing import Repository, Routing


def plan_adoption(routing: Routing, names: Collection[str]) -> tuple[Intent, ...]:
    """One intent for each repository or artifact with layers among *names*, wanted once.

    In git mode a ref that was never planned plans nothing here: it is adopted by the first look at
    its Git host, together with the commit that the next one is compared with.
    """
    intents = []
    for entry in routing.repositories:
        layers = [layer.name for layer in entry.layers if layer.name in names]
        if layers:
            plan = _plan_request(routing, entry.name, layers, ADOPTED)
            intents.append(_adopt_known(entry, plan) if entry.git else intend(plan))
    intents += [
        intend(_plan_request(routing, artifact.layer.repository, [artifact.layer.name], ADOPTED))
        for artifact in routing.artifacts
        if artifact.layer.name in names
    ]
    return tuple(intents)


def _adopt_known(entry: Repository, plan: Plan) -> Intent:
    return Intent(
        decide=lambda state: plan if state.was_planned else None, tracked=tracked_ref(entry)
    )


def intend(plan: Plan) -> Intent:
    """A plan that holds whatever the state of any ref."""
    return Intent(decide=lambda _state: plan)


def plan_any_ref(routing: Routing, entry: Repository, why: str) -> Intent:
    """Every layer of an entry that may have moved, *why* tells; no cursor moves."""
    names = [layer.name for layer in entry.layers]
    plan = _plan_request(routing, entry.name, names, why)
    return intend(replace(plan, knowledge="unknown"))


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
