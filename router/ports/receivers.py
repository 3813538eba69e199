"""Port to Flux Receivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.core.model import Attempt, Claim
    from router.core.routing import Receiver, Routing


class ReceiverClient(Protocol):
    """Calls Flux Receivers. Never raises: whatever happens is an outcome of the attempt."""

    async def call(self, receiver: Receiver, claim: Claim) -> Attempt:
        """Call *receiver* once, within the call's deadline."""
        ...

    async def use(self, routing: Routing) -> None:
        """Take over the clusters of a routing file that came into force."""
        ...

    async def close(self) -> None: ...
