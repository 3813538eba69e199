"""What is decided and kept, as frozen values: deliveries, plans, numbers, attempts.

What counts is kept as numbers that only grow, like a Kubernetes controller's generation and
observedGeneration: a receiver is due when its *wanted* number is ahead of its *notified* one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from router.core.push import Commit, RefUpdate


Origin: TypeAlias = Literal[
    "webhook",  # a provider's POST
    "sweep",  # a look at the Git host that found a tip no delivery told of
    "adoption",  # a ref or a layer's definition that is new
    "replay",  # an operator
    "notify",  # an operator
]

DeliveryStatus: TypeAlias = Literal[
    "routed",  # planned: its layers are wanted
    "accepted",  # git mode: to be planned once the Git host was asked
    "ignored",  # nothing in it concerns us
    "not_visible",  # git mode: the host never showed its commit
]

Knowledge: TypeAlias = Literal[
    "exact",  # git mode: two trees were compared
    "payload",  # the push's own file lists, where they are complete
    "unknown",  # every layer
    "requested",  # someone asked for it
]

Outcome: TypeAlias = Literal[
    "notified",  # answered 200
    "rejected",  # answered anything else
    "unreachable",  # no answer: refused, reset, DNS, TLS
    "timed_out",  # no answer within the deadline
    "misconfigured",  # could not be sent: its token or bearer file cannot be used
    "cancelled",  # given up because the service stops
]

ReceiverState: TypeAlias = Literal["idle", "held", "due", "calling", "retrying", "stuck"]

MAX_KEPT_PATHS = 10_000
"""Changed paths kept of an update or a plan; matching sees all of them."""

STUCK_AFTER_FAILURES = 10
"""Failures in a row after which a receiver is called stuck: about ten minutes of backoff."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Bytes that no repr, log or error shows."""

    value: bytes = field(repr=False)

    def __str__(self) -> str:
        return "**********"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error or warning of a routing file, at the place where it can be mended."""

    file: str
    line: int
    column: int
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Why one layer is, or is not, affected by one plan."""

    layer: str
    is_affected: bool
    reason: str
    path: str | None = None
    """The path that decided, where one did."""
    pattern: str | None = None
    """The pattern that decided, where one did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One receiver whose wanted number a plan raises, and the layers that ask for it."""

    receiver: str
    layers: tuple[str, ...]
    is_held: bool = False
    """Every asking layer is suspended there: wanted rises, nothing is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One decision: which layers, why, and what becomes of the ref's cursor."""

    repository: str
    knowledge: Knowledge
    reason: str
    matches: tuple[Match, ...]
    """Affected layers, and those that an exclusion kept out; all others own no changed path."""
    wants: tuple[Want, ...]
    ref: str | None = None
    commit: Commit | None = None
    before: Commit | None = None
    """The cursor this plan was made against."""
    cursor: Commit | None = None
    """What the ref's cursor becomes; only read for a plan of a tracked ref."""
    told: Commit | None = None
    """What the ref's last told commit becomes; the cursor, but for a fallback of git mode. See
    RefState for an artifact's tag."""
    unmapped_count: int = 0
    """Changed paths that no layer owns."""
    path_count: int = 0
    """Changed paths; 0 where they are not known."""
    paths: tuple[str, ...] = ()
    """Git mode: the first MAX_KEPT_PATHS changed paths. Else the delivery's updates have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRef:
    """What one cursor belongs to: an entry of the routing file, its URL and its ref or wildcard.

    For an artifact, instead of the URL: the hook that tells of it, and its name.
    """

    repository: str
    url: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefState:
    """What the store knows of a tracked ref at the moment of deciding."""

    cursor: Commit | None = None
    """The commit last planned; None when never planned, or when it is not known any more."""
    told: Commit | None = None
    """The commit that layers were told of last: the cursor, but after a fallback of git mode. None
    when it is not known what they were told of. An artifact's tag has here when the newest of its
    planned pushes was made, in ISO 8601, where the registry tells that."""
    was_planned: bool = False
    is_tip_known: bool = False
    """The update's *after* was a before or after on this ref already."""
    tips: Mapping[str, Commit] = field(default_factory=dict)
    """A wildcard in git mode: the tips seen last, by full ref name; told by Store.ref_state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A plan to be made inside the saving transaction, when the ref's state is certain.

    *decide* is pure and quick, and may be called more than once; all slow work is done before. It
    may raise StaleCursor: then nothing is saved.
    """

    decide: Callable[[RefState], Plan | None]
    """None plans nothing: the commits are only remembered as seen on the tracked ref."""
    tracked: TrackedRef | None = None
    """The ref whose state is told. A plan without a ref moves no cursor and takes no number."""
    before: Commit | None = None
    """The update's own before and after: commits the ref is known to have had."""
    after: Commit | None = None
    tips: Mapping[str, Commit] = field(default_factory=dict)
    """A wildcard in git mode: the tips to remember as seen on the tracked ref."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRecord:
    """One ref update as it is kept: what the push said, capped, and what became of it."""

    ref: str
    before: Commit
    after: Commit
    forced: bool | None
    repository: str | None
    """The entry of the routing file that tracks it; None when none does."""
    status: DeliveryStatus
    reason: str
    """Why it was ignored, or closed without a plan of its own; empty when a plan tells."""
    paths: tuple[str, ...] = ()
    is_truncated: bool = False
    """More paths were named than are kept."""
    incomplete: str | None = None
    """Why the push's lists do not prove what changed (a sentence), or None where they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One hint that something moved; append-only history."""

    id: str
    origin: Origin
    received_at: datetime
    status: DeliveryStatus
    reason: str = ""
    hook: str | None = None
    provider_delivery_id: str | None = None
    body_digest: str | None = None
    """SHA-256 of the body, hex."""
    updates: tuple[UpdateRecord, ...] = ()
    replay_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan with the sequence number the store gave it (None when no ref asked for it)."""

    plan: Plan
    sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a delivery; for a duplicate, what became of the first one."""

    delivery: Delivery
    plans: tuple[SavedPlan, ...]
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One update of an accepted delivery that is still to be planned."""

    delivery: str
    received_at: datetime
    update: RefUpdate
    """As the push told it, with the paths that were kept; *incomplete* tells if some were not."""
    is_followed: bool
    """Another push of this ref starts at its *after*: the ref has moved on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What becomes of the waiting updates that a delivery has for one ref of a repository."""

    delivery: str
    ref: str
    status: DeliveryStatus
    """Never "accepted"."""
    reason: str = ""
    """Empty when a plan tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a look at a Git host leads to; saved whole or not at all."""

    repository: str
    intents: tuple[Intent, ...] = ()
    delivery: Delivery | None = None
    """A new delivery for the plans; without one they belong to the first of *closings*."""
    closings: tuple[Closing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked for a call: one layer of one plan."""

    layer: str
    delivery: str
    repository: str
    ref: str | None
    commit: Commit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A due receiver, leased to us for one call."""

    receiver: str
    wanted: int
    """The number that becomes notified when this call is answered 200."""
    failures: int
    """Attempts that failed in a row before this one."""
    asked: tuple[Asked, ...]
    """Oldest first; what this call serves."""
    wanted_since: datetime
    """When the oldest of them was received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP call of a receiver."""

    receiver: str
    wanted: int
    started_at: datetime
    duration_seconds: float
    outcome: Outcome
    status: int | None = None
    detail: str = ""
    """What went wrong, without secrets and without the receiver's path."""
    retry_after_seconds: float | None = None
    """What the remote asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverStatus:
    """A receiver's numbers as the store has them."""

    receiver: str
    wanted: int
    notified: int
    callable: int
    """The highest wanted number that a layer which is not suspended asked for."""
    failures: int
    is_leased: bool
    due_at: datetime
    last_attempt: Attempt | None = None

    @property
    def state(self) -> ReceiverState:
        """The one word for where this receiver stands."""
        if self.is_leased:
            return "calling"
        if self.callable <= self.notified:
            return "held" if self.wanted > self.notified else "idle"
        if self.failures >= STUCK_AFTER_FAILURES:
            return "stuck"
        return "retrying" if self.failures else "due"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGeneration:
    """A routing file that was in force, as text without secrets, and its number."""

    number: int
    digest: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which routing file is in force, as the replica sees it that tells of its own file."""

    number: int
    digest: str
    is_held: bool
    """Another replica that lives has this file on its disk."""
    own_number: int | None
    """Under which number the replica's own file was last in force; None when it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A routing file that comes into force."""

    digest: str
    text: str
    definitions: Mapping[str, str]
    """Layer name → definition digest."""
    receivers: Mapping[str, frozenset[str]]
    """Receiver key → its layers that are not suspended there (empty: nothing is called)."""
    clusters: Mapping[str, str]
    """Receiver key → cluster name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStory:
    """A delivery with everything that followed from it."""

    position: int
    """Grows with time; the cursor for paging."""
    delivery: Delivery
    plans: tuple[SavedPlan, ...]
    attempts: tuple[Attempt, ...] = ()
    """Only in the story of a single delivery: the calls that served it."""
