"""What a routing file defines: what the store must know of it, and what a new one changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.model import Activation, Delivery
from router.core.plan import ADOPTED
from router.core.requested import plan_adoption

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.core.model import Intent
    from router.core.routing import Receiver, Routing
    from router.ports.clock import Clock


def describe_activation(routing: Routing, text: str) -> Activation:
    """What the store must know of a routing file: definitions, and who may be called for whom."""
    callers: dict[str, set[str]] = {key: set() for key in routing.receivers}
    for layer in routing.layers.values():
        for receiver in layer.receivers:
            if not routing.is_held(receiver, layer.name):
                callers[receiver].add(layer.name)
    return Activation(
        digest=routing.digest,
        text=text,
        definitions={layer.name: layer.definition for layer in routing.layers.values()},
        receivers={key: frozenset(names) for key, names in callers.items()},
        clusters={key: receiver.cluster for key, receiver in routing.receivers.items()},
    )


def changed_receivers(before: Routing, after: Routing) -> list[str]:
    """The receivers whose definition, secret or cluster address is not what it was."""

    def view(routing: Routing, receiver: Receiver) -> tuple[object, ...]:
        cluster = routing.clusters[receiver.cluster]
        return receiver, cluster.url, cluster.ca_file, cluster.ca_digest

    return [
        key
        for key, receiver in after.receivers.items()
        if key in before.receivers and view(after, receiver) != view(before, before.receivers[key])
    ]


def adopt_layers(
    routing: Routing, names: Collection[str], clock: Clock
) -> Sequence[tuple[Delivery, Intent]]:
    """A delivery for each layer to adopt, and what it plans."""
    return [(_adoption(clock), intent) for intent in plan_adoption(routing, names)]


def _adoption(clock: Clock) -> Delivery:
    return Delivery(
        id=clock.new_id(),
        origin="adoption",
        received_at=clock.now(),
        status="routed",
        reason=ADOPTED,
    )
