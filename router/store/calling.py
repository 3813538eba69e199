"""Who is due, leases, and what an attempt makes of a receiver's numbers.

Each function runs inside a transaction; instants are microseconds on the store's clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.model import Asked, Claim
from router.store.queries import SQLITE as SQL
from router.store.rows import from_attempt, seconds_to_micros, text_or_none, to_instant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from sqlite3 import Connection, Row

    from router.core.model import Attempt

MAX_ASKED = 1000
"""Askers told with one claim, the newest: a day of a suspended layer must not fill a request."""


def claim_due(
    connection: Connection, free: Mapping[str, int], *, owner: str, lease_until: int, now: int
) -> Sequence[Claim]:
    """See Store.claim_due."""
    due: list[Row] = []
    for cluster, count in free.items():
        limits = {"cluster": cluster, "now": now, "count": max(0, count)}
        due += connection.execute(SQL["due_receivers"], limits)
    due.sort(key=lambda row: (row["due_at"], row["key"]))
    connection.executemany(SQL["lease"], [(owner, lease_until, row["id"]) for row in due])
    return [_claim(connection, row, now) for row in due]


def _claim(connection: Connection, row: Row, now: int) -> Claim:
    limits = (row["id"], row["notified"], row["wanted"], MAX_ASKED)
    askers = connection.execute(SQL["asked"], limits).fetchall()[::-1]
    return Claim(
        receiver=row["key"],
        wanted=row["wanted"],
        failures=row["failures"],
        asked=tuple(_asked(asker) for asker in askers),
        wanted_since=to_instant(askers[0]["received_at"] if askers else now),
    )


def _asked(row: Row) -> Asked:
    return Asked(
        layer=row["layer"],
        delivery=row["delivery"],
        repository=row["repository"],
        ref=text_or_none(row["ref"]),
        commit=row["commit_id"],
    )


def next_due_seconds(connection: Connection, *, now: int) -> float | None:
    """See Store.next_due_seconds."""
    (due_at,) = connection.execute(SQL["next_due"]).fetchone()
    return None if due_at is None else max(0, due_at - now) / 1_000_000


def record_attempt(
    connection: Connection,
    attempt: Attempt,
    *,
    owner: str,
    retry_seconds: float | None,
    now: int,
) -> bool:
    """See Store.record_attempt."""
    row = connection.execute(SQL["find_receiver"], (attempt.receiver,)).fetchone()
    if row is None:
        return False
    recorded = connection.execute(SQL["insert_attempt"], from_attempt(row["id"], attempt))
    has_lease = row["lease_owner"] == owner
    if attempt.outcome == "notified":
        numbers = _after_success(row, attempt, now)
    elif has_lease:
        numbers = _after_failure(row, attempt, now + seconds_to_micros(retry_seconds or 0), now)
    else:
        numbers = (row["notified"], row["failures"], row["due_at"])
    lease = (None, None) if has_lease else (row["lease_owner"], row["lease_until"])
    connection.execute(SQL["update_receiver"], (*numbers, *lease, recorded.lastrowid, row["id"]))
    return _note_reachability(connection, row["cluster"], attempt, now)


def _after_success(row: Row, attempt: Attempt, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; what was asked for during the call is due at once."""
    notified = max(row["notified"], min(attempt.wanted, row["wanted"]))
    return notified, 0, now if row["callable"] > notified else row["due_at"]


def _after_failure(row: Row, attempt: Attempt, retry_at: int, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; a call that we gave up ourselves counts no failure."""
    if attempt.outcome == "cancelled":
        return row["notified"], row["failures"], now
    return row["notified"], row["failures"] + 1, retry_at


def _note_reachability(connection: Connection, cluster: str, attempt: Attempt, now: int) -> bool:
    """Whether this was the first success after no answer; the cluster's waiting ones are woken."""
    if attempt.outcome in ("unreachable", "timed_out"):
        connection.execute(SQL["mark_unreachable"], (cluster,))
    if attempt.outcome != "notified":
        return False
    if not connection.execute(SQL["mark_reachable"], (cluster,)).rowcount:
        return False
    connection.execute(SQL["wake_cluster"], {"cluster": cluster, "now": now})
    return True


def reset_backoff(connection: Connection, receivers: Collection[str] | None, *, now: int) -> None:
    """See Store.reset_backoff."""
    if receivers is None:
        connection.execute(SQL["forget_all_failures"], (now,))
    else:
        connection.executemany(SQL["forget_failures"], [(now, key) for key in receivers])
