"""Who is due, leases, and what an attempt makes of a receiver's numbers.

Each function runs inside a transaction; instants are microseconds on the store's clock.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from router.ports.store import Claimed
from router.store.calls import (
    MAX_ASKED,
    has_succeeded_since,
    is_unanswered,
    numbers_after,
    to_claim,
)
from router.store.queries import SQLITE as SQL
from router.store.rows import from_attempt, seconds_to_micros
from router.store.sqlite.saving import check_generations
from router.store.sqlite.statements import execute_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from sqlite3 import Connection, Row

    from router.core.model import Attempt, Claim
    from router.store.calls import Numbers

FEW_NUMBERS = 8
"""A receiver that waits with so many wanted numbers at most is asked about with the others."""

LONGEST_LEASE_SECONDS = 305.0
"""The longest deadline of a call that can be set, and what a lease outlasts it by. One that ends
later was given before a start at which the clock had been set back, and counts as ended."""

FEW_CLUSTERS = 4
"""So many are asked in turn about as quickly as it is found out which of them to ask."""


def claim_due(
    connection: Connection,
    free: Mapping[str, int],
    *,
    limit: int,
    owner: str,
    lease_until: int,
    now: int,
    generation: int,
) -> Claimed:
    """See Store.claim_due. Writes nothing when nothing is due."""
    room = {cluster: min(count, limit) for cluster, count in free.items() if count > 0}
    if limit > 0 and room:
        check_generations(connection, [generation])
    longest = now + seconds_to_micros(LONGEST_LEASE_SECONDS)
    due = _due_receivers(connection, room, now, longest)[: max(0, limit)]
    execute_rows(connection, SQL["lease"], [(owner, lease_until, row["id"]) for row in due])
    askers = _find_askers(connection, due)
    taken = Counter(row["cluster"] for row in due)
    left = [cluster for cluster, count in room.items() if count > taken[cluster]]
    return Claimed(
        claims=tuple(_claim(row, askers.get(row["id"], ()), now) for row in due),
        next_due_seconds=_next_due_seconds(connection, left, now) if len(due) < limit else None,
    )


def _find_askers(connection: Connection, due: Sequence[Row]) -> Mapping[int, Sequence[Row]]:
    """Who asked for the numbers that the calls of *due* serve, newest first, by receiver."""
    few = [row for row in due if row["wanted"] - row["notified"] <= FEW_NUMBERS]
    many = [row for row in due if row["wanted"] - row["notified"] > FEW_NUMBERS]
    askers: dict[int, list[Row]] = {}
    numbers = [(row["id"], row["notified"], row["wanted"]) for row in few]
    for asker in execute_rows(connection, SQL["asked_of_few"], numbers):
        askers.setdefault(asker["receiver"], []).append(asker)
    for row in many:
        limits = (row["id"], row["notified"], row["wanted"], MAX_ASKED)
        askers[row["id"]] = connection.execute(SQL["asked"], limits).fetchall()
    return askers


def _due_receivers(
    connection: Connection, room: Mapping[str, int], now: int, longest: int
) -> Sequence[Row]:
    """What is due where there is room, oldest due first over all clusters."""
    due: list[Row] = []
    for cluster in _clusters_due(connection, list(room), now, longest):
        limits = {"cluster": cluster, "now": now, "longest": longest, "count": room[cluster]}
        due += connection.execute(SQL["due_receivers"], limits)
    return sorted(due, key=lambda row: (row["due_at"], row["key"]))


def _clusters_due(
    connection: Connection, clusters: Sequence[str], now: int, longest: int
) -> Sequence[str]:
    """The clusters to ask in turn: of many, only those where something is due."""
    if len(clusters) <= FEW_CLUSTERS:
        return clusters
    asked = {"clusters": json.dumps(clusters), "now": now, "longest": longest}
    return [cluster for (cluster,) in connection.execute(SQL["clusters_due"], asked)]


def _next_due_seconds(connection: Connection, clusters: Sequence[str], now: int) -> float | None:
    asked = {"clusters": json.dumps(clusters), "now": now}
    (instant,) = connection.execute(SQL["next_due"], asked).fetchone()
    return None if instant is None else (instant - now) / 1_000_000


def _claim(row: Row, newest_first: Sequence[Row], now: int) -> Claim:
    return to_claim(row, newest_first[:MAX_ASKED][::-1], now)


class Record(NamedTuple):
    """A call's outcome, the lease that ends with it, and how long until the next try."""

    attempt: Attempt
    owner: str
    retry_seconds: float | None


def record_attempts(
    connection: Connection, records: Sequence[Record], *, now: int
) -> Sequence[bool]:
    """See Store.record_attempt; as if one were recorded after the other."""
    keys = [(record.attempt.receiver,) for record in records]
    rows = {row["key"]: row for row in execute_rows(connection, SQL["find_receivers"], keys)}
    if len(records) > 1 and not _are_independent(records, rows):
        return [record_attempts(connection, [record], now=now)[0] for record in records]
    known = [
        (record, rows[record.attempt.receiver])
        for record in records
        if record.attempt.receiver in rows
    ]
    _update_receivers(connection, known, now)
    clusters = {row["cluster"]: (row, record.attempt) for record, row in known}
    recovered = {
        cluster
        for cluster, (row, attempt) in clusters.items()
        if _note_reachability(connection, row, attempt, now)
    }
    return [
        key in rows and rows[key]["cluster"] in recovered
        for key in (record.attempt.receiver for record in records)
    ]


def _are_independent(records: Sequence[Record], rows: Mapping[str, Row]) -> bool:
    """Whether none of *records* changes what another one finds: the common case."""
    return len(rows) == len(records) and all(
        record.attempt.outcome == "notified" and rows[record.attempt.receiver]["is_reachable"] != 0
        for record in records
    )


def _update_receivers(
    connection: Connection, known: Sequence[tuple[Record, Row]], now: int
) -> None:
    (last,) = connection.execute(SQL["last_attempt"]).fetchone()
    numbered = list(enumerate(known, start=last + 1))
    attempts = [
        (number, *from_attempt(row["id"], record.attempt)) for number, (record, row) in numbered
    ]
    execute_rows(connection, SQL["insert_attempt"], attempts)
    states = [
        (*_state_after(record, row, now), number, row["id"]) for number, (record, row) in numbered
    ]
    execute_rows(connection, SQL["update_receivers"], states)


def _state_after(record: Record, row: Row, now: int) -> Numbers:
    """What the attempt makes of the receiver's numbers and of its lease."""
    return numbers_after(
        row, record.attempt, owner=record.owner, retry_seconds=record.retry_seconds, now=now
    )


def _note_reachability(connection: Connection, row: Row, attempt: Attempt, now: int) -> bool:
    """Whether this success made its cluster reachable again; its waiting receivers are woken."""
    cluster = row["cluster"]
    if attempt.outcome == "notified":
        connection.execute(SQL["mark_reachable"], (cluster, now))
        if row["is_reachable"] == 0:
            connection.execute(SQL["wake_cluster"], {"cluster": cluster, "now": now})
            return True
    elif is_unanswered(attempt) and not _has_succeeded_since(row, attempt, now):
        connection.execute(SQL["mark_unreachable"], (cluster,))
    return False


def _has_succeeded_since(row: Row, attempt: Attempt, now: int) -> bool:
    """When the attempt began is told by its duration: its own instants are on the wall clock."""
    began_at = now - seconds_to_micros(attempt.duration_seconds)
    return has_succeeded_since(row["succeeded_at"], began_at)


def reset_backoff(connection: Connection, receivers: Collection[str] | None, *, now: int) -> None:
    """See Store.reset_backoff."""
    if receivers is None:
        connection.execute(SQL["forget_all_failures"], (now,))
    else:
        connection.executemany(SQL["forget_failures"], [(now, key) for key in receivers])
