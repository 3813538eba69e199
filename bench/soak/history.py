"""What happened in a soak, as values: pushes and answers, calls, kills, outages of the store.

Every instant is on the monotonic clock of the soak's own process, which sends all pushes and is all
receivers, so that they can be put in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One request with a push, and what became of it."""

    id: str
    """The Git host's id; a push that is sent again has the same."""
    sent_at: float
    answered_at: float | None = None
    status: int | None = None
    """None: there was no answer."""
    delivery: str | None = None
    """The router's id, of a 202."""
    layers: frozenset[str] = frozenset()
    """The layers that a 202 named."""
    receivers: frozenset[str] = frozenset()
    """All receivers of these layers."""
    changed: frozenset[str] = frozenset()
    """The layers whose files the push changed, in truth."""
    every: frozenset[str] = frozenset()
    """All layers of the repository: those called when the truth cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a receiver, as the receiver saw it."""

    receiver: str
    deliveries: frozenset[str]
    """What the call says it serves."""
    started_at: float
    """When the whole request had come."""
    answered_at: float | None = None
    """When the answer was given, to a caller who was still there."""
    status: int | None = None
    """The status it was answered; None: the caller had gone, or the receiver cut the connection."""
    closed_at: float
    """When it was over for the caller: answered, cut, or given up."""
    worked_until: float
    """When the receiver was done with it, though nobody may have listened any more."""

    @property
    def is_success(self) -> bool:
        return self.status == 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From when to when something lasted."""

    began_at: float
    ended_at: float

    def meets(self, began_at: float, ended_at: float) -> bool:
        """Whether any instant of that time is in this window."""
        return self.began_at <= ended_at and self.ended_at >= began_at


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it."""

    pushes: tuple[Push, ...] = ()
    calls: tuple[Call, ...] = ()
    kills: tuple[Window, ...] = ()
    """Each from just before SIGKILL was sent until the process was gone."""
    outages: tuple[Window, ...] = ()
    """While the store could not be written."""
    adoptions: int = 0
    """Deliveries of the router's own making that calls may name: layers seen for the first time."""
    is_idle: bool = True
    """Whether at the end nothing was due any more."""
    lost: frozenset[str] = frozenset()
    """Deliveries of a 202 that the router knows nothing of at the end."""
    strangers: int = 0
    """Calls that no receiver has the path of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a history amounts to; *broken* holds a sentence for each promise that was not kept."""

    counts: dict[str, int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
