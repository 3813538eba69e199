"""What the flow needs of the outside, as Protocols. Adapters implement them; tests have fakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.kustomize.tree import FileEntry, Tree
    from router.core.model import (
        Activation,
        Attempt,
        Claim,
        Delivery,
        DeliveryStory,
        Intent,
        Observation,
        Problem,
        ReceiverStatus,
        RefState,
        Saved,
        Standing,
        StoredGeneration,
        TrackedRef,
        Waiting,
    )
    from router.core.oidc import Keys
    from router.core.push import Commit
    from router.core.routing import GitAccess, Receiver, Routing


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


class ReceiverClient(Protocol):
    """Calls Flux Receivers. Never raises: whatever happens is an outcome of the attempt."""

    async def call(self, receiver: Receiver, claim: Claim) -> Attempt:
        """Call *receiver* once, within the call's deadline."""
        ...

    async def use(self, routing: Routing) -> None:
        """Take over the clusters of a routing file that came into force."""
        ...

    async def close(self) -> None: ...


class Git(Protocol):
    """Reads repositories and keeps a clone of each, that holds commits and trees but no contents.

    Every method but `use` and `close` raises GitUnavailable when the repository cannot be read: the
    message says why, fit to be shown. A later call may succeed.
    """

    async def list_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        """The tips on the host of the refs that *refs* (full names or wildcards) stand for.

        By full name. The tip of an annotated tag is the commit it stands for.
        """
        ...

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        """Bring the tips of *refs* (full names) into the clone; those that the host has."""
        ...

    async def fetch_commit(self, access: GitAccess, commit: Commit) -> bool:
        """Have *commit* in the clone, asking the host if need be; False if it has it no more."""
        ...

    async def has_commit(self, access: GitAccess, commit: Commit) -> bool:
        """Whether the clone has *commit* (or the tag object of that id); never asks the host."""
        ...

    async def changed_paths(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> tuple[str, ...]:
        """The paths that differ between the trees of two commits of the clone, sorted.

        Both sides of a rename; submodules and modes, too. Undecodable bytes are surrogates.
        """
        ...

    async def read_tree(self, access: GitAccess, commit: Commit) -> Tree:
        """The files of a commit of the clone: names, kinds and blobs."""
        ...

    async def changed_entries(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> Mapping[str, FileEntry | None]:
        """As `changed_paths`, with what is there *after*; None for a path that went."""
        ...

    async def read_blobs(
        self, access: GitAccess, blobs: Collection[str]
    ) -> Mapping[str, bytes | None]:
        """Contents of files of the clone's commits; the host is asked at once for all it lacks.

        None for one that is over MAX_DOCUMENT_BYTES, or that the host does not give.
        """
        ...

    async def keep(self, access: GitAccess, repository: str, commit: Commit) -> None:
        """Keep *commit* in the clone, as the one that entry *repository* was last planned at."""
        ...

    def clone_bytes(self, access: GitAccess) -> int:
        """What the clone takes on disk, as last measured; 0 while there is none."""
        ...

    async def use(self, routing: Routing) -> None:
        """Take over a routing file that came into force: clones that it does not name are removed.

        Never raises.
        """
        ...

    async def close(self) -> None:
        """End every git process."""
        ...


class KeySource(Protocol):
    """Where the public keys of OIDC issuers are read."""

    async def read(self, issuer: str) -> Keys:
        """The keys that *issuer* signs with now. Raises KeysUnavailable; the message says why."""
        ...


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

    async def load_text(self, text: str, *, is_strict: bool = False) -> LoadedFile:
        """Read *text* as if it were the file. Raises ConfigInvalid.

        Secrets that are missing are an error only if *is_strict*.
        """
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

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        """*hook* is a configured name, or "unknown"; *client* is the sender's address."""
        ...

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        """Git mode: a look at a Git host led to plans, so long after the delivery was received."""
        ...

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        """Git mode: an update that waited leads to no plan of its own."""
        ...

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        """Git mode: an entry's Git host was asked; *trouble* is why it could not be read."""
        ...

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        """Git mode: a sweep asked for an entry's tips; *is_moved* when one is not planned yet."""
        ...

    def repository_dropped(self, *, repository: str) -> None:
        """Git mode: an entry is not read any more."""
        ...

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        """The keys of an OIDC issuer were asked for; *trouble* is why they could not be read."""
        ...

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None: ...

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None: ...

    def routing_rejected(self, problems: Sequence[Problem]) -> None: ...

    def routing_followed(self, *, number: int, reason: str) -> None:
        """The routing file of another replica is taken over, and not the one on this disk."""
        ...

    def failed(self, *, task: str, error: BaseException) -> None:
        """A background task failed and is started again."""
        ...
