"""What a call makes of a receiver's numbers, whichever database keeps them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from router.core.model import Asked, Claim
from router.store.rows import seconds_to_micros, text_or_none, to_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt
    from router.store.rows import Row

MAX_ASKED = 1000
"""Askers told with one claim, the newest: a day of a suspended layer must not fill a request."""

GATEWAY_STATUSES = frozenset({502, 504})
"""What a proxy answers that cannot reach Flux: RFC 9110, sections 15.6.3 and 15.6.5."""

Numbers: TypeAlias = tuple[int, int, int, str | None, int | None]
"""A receiver's notified, failures, due_at, lease_owner and lease_until."""


def to_claim(row: Row, askers: Sequence[Row], now: int) -> Claim:
    """A leased receiver and who asked for the call, oldest first."""
    return Claim(
        receiver=row["key"],
        wanted=row["wanted"],
        failures=row["failures"],
        asked=tuple(to_asked(asker) for asker in askers),
        wanted_since=to_instant(min((asker["received_at"] for asker in askers), default=now)),
    )


def to_asked(row: Row) -> Asked:
    """Who asked for a call."""
    return Asked(
        layer=row["layer"],
        delivery=row["delivery"],
        repository=row["repository"],
        ref=text_or_none(row["ref"]),
        commit=row["commit_id"],
    )


def numbers_after(
    row: Row, attempt: Attempt, *, owner: str, retry_seconds: float | None, now: int
) -> Numbers:
    """What *attempt* makes of the receiver of *row*; see Store.record_attempt."""
    has_lease = row["lease_owner"] == owner
    if attempt.outcome == "notified":
        numbers = _after_success(row, attempt, now)
    elif has_lease:
        numbers = _after_failure(row, attempt, now + seconds_to_micros(retry_seconds or 0), now)
    else:
        numbers = (row["notified"], row["failures"], row["due_at"])
    lease = (None, None) if has_lease else (row["lease_owner"], row["lease_until"])
    return *numbers, *lease


def _after_success(row: Row, attempt: Attempt, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; what was asked for during the call is due at once."""
    notified = max(row["notified"], min(attempt.wanted, row["wanted"]))
    return notified, 0, now if row["callable"] > notified else row["due_at"]


def _after_failure(row: Row, attempt: Attempt, retry_at: int, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; a call that we gave up ourselves counts no failure."""
    if attempt.outcome == "cancelled":
        return row["notified"], row["failures"], now
    return row["notified"], row["failures"] + 1, retry_at


def is_unanswered(attempt: Attempt) -> bool:
    """Whether Flux gave no answer: there was none, or a proxy in front of it gave one instead."""
    if attempt.outcome == "rejected":
        return attempt.status in GATEWAY_STATUSES
    return attempt.outcome in ("unreachable", "timed_out")


def has_succeeded_since(succeeded_at: int | None, started_at: int) -> bool:
    """Whether its cluster answered another call 200 after this one began: one call hangs alone."""
    return succeeded_at is not None and succeeded_at >= started_at
