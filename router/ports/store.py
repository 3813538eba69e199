"""Port to everything durable: deliveries, plans, cursors, receivers, leases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.model import (
        Activation,
        Attempt,
        Claim,
        Delivery,
        DeliveryStory,
        Intent,
        Observation,
        ReceiverStatus,
        RefState,
        Saved,
        Standing,
        StoredGeneration,
        TrackedRef,
        Waiting,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """The outcome of bringing a routing file into force."""

    number: int
    adopted: tuple[str, ...]
    """Names of the layers whose definition is new or changed; their receivers are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a request for due receivers came to."""

    claims: tuple[Claim, ...]
    next_due_seconds: float | None
    """Until a receiver of a cluster that still has room becomes due, or a lease there ends; None
    when none will, or when *limit* was reached: then only the end of a call makes room."""


class Store(Protocol):
    """Everything durable. A method that returns has committed; one that raises saved nothing.

    Every method may raise StoreUnavailable. Leases and due times run on the store's own clock.
    """

    async def last_generation(self) -> StoredGeneration | None:
        """The routing file last in force, if any."""
        ...

    async def activate(
        self,
        activation: Activation,
        *,
        adopt: Callable[[Collection[str]], Sequence[tuple[Delivery, Intent]]],
        after: int | None = None,
    ) -> Activated:
        """Bring a routing file into force, in one transaction.

        Raises StaleGeneration when *after* is given and is not the number in force (0: none is).

        A digest other than the last one's gets the next generation number. Layers whose
        definition is not the stored one are adopted: *adopt* is called with their names, and those
        of the deliveries it returns are saved whose intent plans something. What may be called is
        worked out anew: receivers and layers that are suspended or gone keep their numbers and are
        not called.
        """
        ...

    async def report(self, replica: str, *, digest: str, seconds: float) -> Standing | None:
        """Note that *replica* lives, for *seconds*, and which routing file it has on its disk.

        Returns which one is in force; None before the first.
        """
        ...

    async def leave(self, replica: str) -> None:
        """*replica* does not live any more."""
        ...

    async def lease(self, name: str, *, owner: str, seconds: float, generation: int) -> float:
        """Have *owner* take or renew the lease *name*, from now on for *seconds*.

        Returns 0.0, or for how many seconds another owner has it: then nothing is changed. Raises
        StaleGeneration when *generation* is not the one in force.
        """
        ...

    async def release(self, name: str, *, owner: str) -> None:
        """End the lease *name*, if it is *owner*'s."""
        ...

    async def save_delivery(
        self, delivery: Delivery, intents: Sequence[Intent], *, generation: int
    ) -> Saved:
        """Save a delivery with its plans: raise wanted, give sequence numbers, move cursors.

        A duplicate (same hook, provider's delivery id and body digest as one that was routed or
        accepted) changes nothing and returns the first one's story. The updates of the delivery
        whose status is "accepted" wait to be planned, see `waiting`.
        Raises StaleGeneration when *generation* is not the one in force.
        """
        ...

    async def ref_state(self, tracked: TrackedRef) -> RefState:
        """A tracked ref's cursor and tips; is_tip_known is not told."""
        ...

    async def waiting(self, repository: str) -> Sequence[Waiting]:
        """The updates that wait to be planned for one entry of the routing file, oldest first."""
        ...

    async def waiting_repositories(self) -> Sequence[str]:
        """The entries for which updates wait, also those that the routing file has no more."""
        ...

    async def save_observation(self, observation: Observation, *, generation: int) -> Saved | None:
        """Save what a look at a Git host leads to: plans as in save_delivery, tips, closings.

        A closing's updates wait no more and have its status and reason. A delivery of which none
        waits any more is "routed" if one of its updates is, else it has the status and reason of
        the last closing. A closing of what does not wait changes nothing. Returns the delivery the
        plans belong to, as it stands then, and the plans; None when nothing was planned.
        Raises StaleGeneration, StaleCursor.
        """
        ...

    async def claim_due(
        self,
        free: Mapping[str, int],
        *,
        limit: int,
        owner: str,
        lease_seconds: float,
        generation: int,
    ) -> Claimed:
        """Lease due receivers: oldest due first over all clusters named in *free*.

        At most *limit* in all and *free[cluster]* of each cluster. *owner* names this one request:
        only its holder can end these leases. Claims nothing when *generation* is not the one in
        force, for definitions may have changed; then, where there is room, raises StaleGeneration.
        """
        ...

    async def record_attempt(
        self, attempt: Attempt, *, owner: str, retry_seconds: float | None
    ) -> bool:
        """Record a call's outcome and end the lease.

        *retry_seconds* is None when the receiver answered 200: notified becomes the attempt's
        wanted and failures become 0. Otherwise failures rise by one and the receiver is due in
        *retry_seconds*; a "cancelled" attempt counts no failure.

        A cluster is unreachable when a call of it got no answer from Flux (no answer at all, or a
        proxy's 502 or 504) and none was answered 200 since that call began. The first success on
        an unreachable cluster makes its waiting receivers due at once; returns whether it did.
        """
        ...

    async def reset_backoff(self, receivers: Collection[str] | None = None) -> None:
        """Forget the failures of *receivers* (None: of all) and make the waiting ones due now."""
        ...

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Remove at most *limit* deliveries received before *before*, with their history.

        Cursors, numbers, and deliveries that wait to be planned or stand behind a wanted number
        that is still ahead are kept.
        Works in short steps, between which others write. Returns how many were removed.
        """
        ...

    async def check(self) -> None:
        """Prove that the store can be written, by writing. Raises StoreUnavailable."""
        ...

    async def deliveries(self, *, limit: int, before: int | None = None) -> Sequence[DeliveryStory]:
        """Deliveries, newest first, those with a position below *before*.

        Their plans hold the affected layers' matches without path and pattern, no wants, no paths.
        """
        ...

    async def delivery(self, delivery_id: str) -> DeliveryStory | None:
        """One delivery's whole story, with the calls that served it."""
        ...

    async def receivers(self) -> Sequence[ReceiverStatus]:
        """The numbers of every receiver ever wanted, by key."""
        ...

    async def layer_deliveries(self, layer: str, *, limit: int) -> Sequence[DeliveryStory]:
        """The newest deliveries that affected a layer."""
        ...

    async def close(self) -> None:
        """Finish what was handed in, then let go of the store."""
        ...
