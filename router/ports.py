"""What the flow needs of the outside, as Protocols. Adapters implement them; tests have fakes."""

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
        Problem,
        ReceiverStatus,
        Saved,
        StoredGeneration,
    )
    from router.core.routing import Receiver, Routing


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
    ) -> Activated:
        """Bring a routing file into force, in one transaction.

        A digest other than the last one's gets the next generation number. Layers whose
        definition is not the stored one are adopted: *adopt* is called with their names, and the
        deliveries it returns are saved. What may be called is worked out anew: receivers and
        layers that are suspended or gone keep their numbers and are not called.
        """
        ...

    async def save_delivery(
        self, delivery: Delivery, intents: Sequence[Intent], *, generation: int
    ) -> Saved:
        """Save a delivery with its plans: raise wanted, give sequence numbers, move cursors.

        A duplicate (same hook, provider's delivery id and body digest as one that was routed or
        accepted) changes nothing and returns the first one's story.
        Raises StaleGeneration when *generation* is not the one in force.
        """
        ...

    async def claim_due(
        self, free: Mapping[str, int], *, limit: int, owner: str, lease_seconds: float
    ) -> Claimed:
        """Lease due receivers: oldest due first over all clusters named in *free*.

        At most *limit* in all and *free[cluster]* of each cluster. *owner* names this one request:
        only its holder can end these leases.
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

        Cursors, numbers, and deliveries behind a wanted number that is still ahead are kept.
        Works in short steps, between which others write. Returns how many were removed.
        """
        ...

    async def check(self) -> None:
        """Prove that the store can be written, by writing. Raises StoreUnavailable."""
        ...

    async def deliveries(self, *, limit: int, before: int | None = None) -> Sequence[DeliveryStory]:
        """Deliveries, newest first, those with a position below *before*.

        Their plans hold the affected layers' matches without path and pattern, and no wants.
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


class ReceiverClient(Protocol):
    """Calls Flux Receivers. Never raises: whatever happens is an outcome of the attempt."""

    async def call(self, receiver: Receiver, claim: Claim) -> Attempt:
        """Call *receiver* once, within the call's deadline."""
        ...

    async def use(self, routing: Routing) -> None:
        """Take over the clusters of a routing file that came into force."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A routing file that loads."""

    routing: Routing
    text: str
    warnings: tuple[Problem, ...] = ()


class RoutingSource(Protocol):
    """The routing file and the secrets it names."""

    async def has_changed(self) -> bool:
        """Whether the file or a secret it names is not what was last loaded."""
        ...

    async def load(self) -> LoadedFile:
        """Read the file and its secrets. Raises ConfigInvalid with every problem."""
        ...

    async def load_text(self, text: str) -> LoadedFile:
        """Read *text* as if it were the file. Raises ConfigInvalid, but not for missing secrets."""
        ...


class Clock(Protocol):
    """Time, chance and names."""

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def jitter(self) -> float:
        """A random number from 0 up to, not including, 1."""
        ...

    def new_id(self) -> str:
        """A new unique id that sorts by time."""
        ...


class Observer(Protocol):
    """Told of every outcome, for logs and metrics. Must not raise and must not block."""

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None: ...

    def delivery_rejected(self, *, hook: str, status: int, code: str) -> None:
        """*hook* is a configured name, or "unknown"."""
        ...

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None: ...

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None: ...

    def routing_rejected(self, problems: Sequence[Problem]) -> None: ...

    def failed(self, *, task: str, error: BaseException) -> None:
        """A background task failed and is started again."""
        ...
