"""What the steps of the flow share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.flow.hints import Hints

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.flow.identities import Identities
    from router.flow.routing import InForce
    from router.ports.clock import Clock
    from router.ports.observer import Observer
    from router.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The service's one store, clock and observer, the routing in force, and the bells."""

    store: Store
    in_force: InForce
    clock: Clock
    observer: Observer
    replica: str
    """The name of this process among those that share the store: who owns its leases."""
    wake: Callable[[], None]
    """Has dispatch look for due receivers now."""
    hints: Hints = field(default_factory=Hints)
    """Has Git hosts looked at now."""
    identities: Identities | None = None
    """Checks OIDC bearer tokens; without it none can be checked."""
