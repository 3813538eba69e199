"""Who is due, leases, and what an attempt makes of a receiver's numbers.

Each function runs inside a transaction; instants are microseconds on the store's clock.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from router.core.model import Asked, Claim
from router.ports import Claimed
from router.store.queries import SQLITE as SQL
from router.store.rows import (
    from_attempt,
    seconds_to_micros,
    text_or_none,
    to_instant,
    to_micros,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from sqlite3 import Connection, Row

    from router.core.model import Attempt

MAX_ASKED = 1000
"""Askers told with one claim, the newest: a day of a suspended layer must not fill a request."""

FEW_CLUSTERS = 4
"""So many are asked in turn about as quickly as it is found out which of them to ask."""

GATEWAY_STATUSES = frozenset({502, 504})
"""What a proxy answers that cannot reach Flux: RFC 9110, sections 15.6.3 and 15.6.5."""


def claim_due(
    connection: Connection,
    free: Mapping[str, int],
    *,
    limit: int,
    owner: str,
    lease_until: int,
    now: int,
) -> Claimed:
    """See Store.claim_due. Writes nothing when nothing is due."""
    room = {cluster: min(count, limit) for cluster, count in free.items() if count > 0}
    due = _due_receivers(connection, room, now)[: max(0, limit)]
    connection.executemany(SQL["lease"], [(owner, lease_until, row["id"]) for row in due])
    taken = Counter(row["cluster"] for row in due)
    left = [cluster for cluster, count in room.items() if count > taken[cluster]]
    return Claimed(
        claims=tuple(_claim(connection, row, now) for row in due),
        next_due_seconds=_next_due_seconds(connection, left, now) if len(due) < limit else None,
    )


def _due_receivers(connection: Connection, room: Mapping[str, int], now: int) -> Sequence[Row]:
    """What is due where there is room, oldest due first over all clusters."""
    due: list[Row] = []
    for cluster in _clusters_due(connection, list(room), now):
        limits = {"cluster": cluster, "now": now, "count": room[cluster]}
        due += connection.execute(SQL["due_receivers"], limits)
    return sorted(due, key=lambda row: (row["due_at"], row["key"]))


def _clusters_due(connection: Connection, clusters: Sequence[str], now: int) -> Sequence[str]:
    """The clusters to ask in turn: of many, only those where something is due."""
    if len(clusters) <= FEW_CLUSTERS:
        return clusters
    asked = {"clusters": json.dumps(clusters), "now": now}
    return [cluster for (cluster,) in connection.execute(SQL["clusters_due"], asked)]


def _next_due_seconds(connection: Connection, clusters: Sequence[str], now: int) -> float | None:
    asked = {"clusters": json.dumps(clusters), "now": now}
    (instant,) = connection.execute(SQL["next_due"], asked).fetchone()
    return None if instant is None else (instant - now) / 1_000_000


def _claim(connection: Connection, row: Row, now: int) -> Claim:
    limits = (row["id"], row["notified"], row["wanted"], MAX_ASKED)
    askers = connection.execute(SQL["asked"], limits).fetchall()[::-1]
    return Claim(
        receiver=row["key"],
        wanted=row["wanted"],
        failures=row["failures"],
        asked=tuple(_asked(asker) for asker in askers),
        wanted_since=to_instant(min((asker["received_at"] for asker in askers), default=now)),
    )


def _asked(row: Row) -> Asked:
    return Asked(
        layer=row["layer"],
        delivery=row["delivery"],
        repository=row["repository"],
        ref=text_or_none(row["ref"]),
        commit=row["commit_id"],
    )


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
    return _note_reachability(connection, row, attempt, now)


def _after_success(row: Row, attempt: Attempt, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; what was asked for during the call is due at once."""
    notified = max(row["notified"], min(attempt.wanted, row["wanted"]))
    return notified, 0, now if row["callable"] > notified else row["due_at"]


def _after_failure(row: Row, attempt: Attempt, retry_at: int, now: int) -> tuple[int, int, int]:
    """notified, failures and due_at; a call that we gave up ourselves counts no failure."""
    if attempt.outcome == "cancelled":
        return row["notified"], row["failures"], now
    return row["notified"], row["failures"] + 1, retry_at


def _note_reachability(connection: Connection, row: Row, attempt: Attempt, now: int) -> bool:
    """Whether this success made its cluster reachable again; its waiting receivers are woken."""
    cluster = row["cluster"]
    if attempt.outcome == "notified":
        connection.execute(SQL["mark_reachable"], (cluster, now))
        if row["is_reachable"] == 0:
            connection.execute(SQL["wake_cluster"], {"cluster": cluster, "now": now})
            return True
    elif _is_unanswered(attempt) and not _has_succeeded_since(row, attempt):
        connection.execute(SQL["mark_unreachable"], (cluster,))
    return False


def _is_unanswered(attempt: Attempt) -> bool:
    """Whether Flux gave no answer: there was none, or a proxy in front of it gave one instead."""
    if attempt.outcome == "rejected":
        return attempt.status in GATEWAY_STATUSES
    return attempt.outcome in ("unreachable", "timed_out")


def _has_succeeded_since(row: Row, attempt: Attempt) -> bool:
    """Whether its cluster answered another call 200 after this one began: one call hangs alone."""
    succeeded_at = row["succeeded_at"]
    return succeeded_at is not None and succeeded_at >= to_micros(attempt.started_at)


def reset_backoff(connection: Connection, receivers: Collection[str] | None, *, now: int) -> None:
    """See Store.reset_backoff."""
    if receivers is None:
        connection.execute(SQL["forget_all_failures"], (now,))
    else:
        connection.executemany(SQL["forget_failures"], [(now, key) for key in receivers])
