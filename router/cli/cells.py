"""How the admin API's values are shown in a cell of a table: times, refs, commits, calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_NAMES = 3
"""Names that one cell lists; the others are counted."""

SHORTEST_ID = 13
"""An id's milliseconds: of two deliveries, almost always enough to tell which one is meant."""

COMMIT_DIGITS = 12

NOTHING = "-"


def instant(text: str | None) -> str:
    """A time in UTC, to the second."""
    if not text:
        return NOTHING
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def short_instant(text: str | None) -> str:
    """The same for lists of what is recent: without the year."""
    return instant(text)[-len("01-01 00:00:00") :]


def shorten_ref(ref: str | None) -> str:
    """A branch by its bare name, as a routing file may have it; other refs but for `refs/`."""
    if not ref:
        return NOTHING
    return ref.removeprefix("refs/").removeprefix("heads/")


def shorten_commit(commit: str | None) -> str:
    """The first digits, also of a digest; all zeros stand for no commit."""
    if not commit or not commit.strip("0"):
        return NOTHING
    kind, colon, digits = commit.rpartition(":")
    return f"{kind}{colon}{digits[:COMMIT_DIGITS]}"


def moved(before: str | None, after: str | None) -> str:
    """From which commit to which a ref moved."""
    return f"{shorten_commit(before)} → {shorten_commit(after)}"


def count_names(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - SHOWN_NAMES
    told = ", ".join(distinct[:SHOWN_NAMES]) or NOTHING
    return f"{told} +{more}" if more > 0 else told


def first_of(values: Sequence[str]) -> str:
    """The first value, and how many others there are."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) < 2:
        return distinct[0] if distinct else NOTHING
    return f"{distinct[0]} +{len(distinct) - 1}"


def id_length(ids: Sequence[str]) -> int:
    """How many characters tell *ids* apart."""
    distinct, length = set(ids), SHORTEST_ID
    while len({each[:length] for each in distinct}) < len(distinct):
        length += 1
    return length


def numbers(receiver: dict[str, Any]) -> str:
    """What a receiver has answered 200 to, of what was wanted."""
    return f"{receiver['notified']}/{receiver['wanted']}"


def call(attempt: dict[str, Any]) -> str:
    """What became of a call, and how long it took."""
    return f"{outcome(attempt)}, {_duration(attempt['durationMs'])}"


def outcome(attempt: dict[str, Any]) -> str:
    """What became of a call, with the status of its answer."""
    return f"{attempt['outcome']} {attempt['status'] or ''}".rstrip()


def _duration(milliseconds: float) -> str:
    """To the digits by which somebody may decide something."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def last_call(receiver: dict[str, Any]) -> tuple[str, str]:
    """When a receiver was called last, and what became of it."""
    attempt = receiver.get("lastAttempt")
    if attempt is None:
        return NOTHING, NOTHING
    return short_instant(attempt["startedAt"]), outcome(attempt)


def reason_beside(reason: str, *, told: str, where: str) -> str:
    """A layer's reason; that of all, when nobody knows what changed, is *told* once elsewhere."""
    if reason == f"not known: {told}":
        return f"not known what changed, see {where}"
    return reason


def stands(receiver: dict[str, Any]) -> str:
    """The word for where a receiver stands."""
    suspended = " (suspended)" if receiver.get("suspended") else ""
    return f"{receiver['state']}{suspended}"
