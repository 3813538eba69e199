"""What attempts make of receivers' numbers, many of them in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.store.calls import has_succeeded_since, is_unanswered, numbers_after
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import cluster_of, from_attempt, to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.core.model import Attempt
    from router.store.postgres.statements import Connection
    from router.store.rows import Row

_NUMBERS = ("notified", "failures", "due_at", "lease_owner", "lease_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An attempt that is to be recorded."""

    attempt: Attempt
    owner: str
    retry_seconds: float | None


def key_of(recording: Recording) -> str:
    """Attempts on one receiver are recorded one after the other."""
    return recording.attempt.receiver


async def record_attempts(
    connection: Connection, batch: Sequence[Recording], *, process_now: Callable[[], int]
) -> Sequence[bool]:
    """See Store.record_attempt. Locks clusters by name, then receivers by key.

    *process_now* is the clock that attempts are timed with: where it differs from the database's,
    the time an attempt began is put right before it is compared with the time of a success.
    """
    keys = [recording.attempt.receiver for recording in batch]
    clusters = await _lock_clusters(connection, keys)
    waking = _clusters_that_may_wake(batch, clusters)
    then = process_now()  # before the locks are waited for, as the database's is told, too
    rows = await connection.fetch(SQL["lock_receivers"], keys, waking)
    if not rows:
        return [False] * len(batch)
    now = rows[0]["now"]
    books = _Books(clusters, rows, now=now, behind=now - then)
    outcomes = [books.record(recording) for recording in batch]
    await books.write(connection)
    return outcomes


async def _lock_clusters(connection: Connection, keys: Sequence[str]) -> Mapping[str, Row]:
    """A cluster that is heard of for the first time gets a row, for only rows can be locked."""
    rows = await connection.fetch(SQL["lock_clusters"], keys)
    if not {cluster_of(key) for key in keys} <= {row["name"] for row in rows}:
        await connection.execute(SQL["insert_clusters"], keys)
        rows = await connection.fetch(SQL["lock_clusters"], keys)
    return {row["name"]: row for row in rows}


def _clusters_that_may_wake(
    batch: Sequence[Recording], clusters: Mapping[str, Row]
) -> Sequence[str]:
    """Those whose waiting receivers a success may make due."""
    attempts = [recording.attempt for recording in batch]
    if not any(attempt.outcome == "notified" for attempt in attempts):
        return []
    if any(is_unanswered(attempt) for attempt in attempts):
        return sorted(clusters)
    return [name for name, row in clusters.items() if not row["is_reachable"]]


class _Books:
    """The numbers of receivers and clusters while the attempts of a batch are entered in turn."""

    def __init__(
        self, clusters: Mapping[str, Row], receivers: Sequence[Row], *, now: int, behind: int
    ) -> None:
        """*behind* is by how much the process's clock is behind the database's."""
        self._now = now
        self._behind = behind
        self._clusters = {
            name: (row["is_reachable"], row["succeeded_at"]) for name, row in clusters.items()
        }
        self._receivers: dict[str, dict[str, Any]] = {
            row["key"]: dict(row)  # type: ignore[call-overload]
            for row in receivers
        }
        self._attempts: list[tuple[Any, ...]] = []
        self._touched: set[str] = set()
        self._touched_clusters: set[str] = set()

    def record(self, recording: Recording) -> bool:
        """Whether this success made its cluster reachable again."""
        attempt = recording.attempt
        row = self._receivers.get(attempt.receiver)
        if row is None:
            return False
        self._attempts.append(from_attempt(row["id"], attempt))
        numbers = numbers_after(
            row,
            attempt,
            owner=recording.owner,
            retry_seconds=recording.retry_seconds,
            now=self._now,
        )
        row.update(zip(_NUMBERS, numbers, strict=True))
        self._touched.add(attempt.receiver)
        return self._note_reachability(row["cluster"], attempt)

    def _note_reachability(self, cluster: str, attempt: Attempt) -> bool:
        was_reachable, succeeded_at = self._clusters.get(cluster, (True, None))
        if attempt.outcome == "notified":
            self._clusters[cluster] = (True, self._now)
            self._touched_clusters.add(cluster)
            if not was_reachable:
                self._wake(cluster)
                return True
        elif is_unanswered(attempt):
            started_at = to_micros(attempt.started_at) + self._behind
            if was_reachable and not has_succeeded_since(succeeded_at, started_at):
                self._clusters[cluster] = (False, succeeded_at)
                self._touched_clusters.add(cluster)
        return False

    def _wake(self, cluster: str) -> None:
        """The waiting receivers of a cluster are due now, but for those that are being called."""
        for key, row in self._receivers.items():
            is_leased = row["lease_until"] is not None and row["lease_until"] > self._now
            is_waiting = row["callable"] > row["notified"] and row["due_at"] > self._now
            if row["cluster"] == cluster and is_waiting and not is_leased:
                row["due_at"] = self._now
                self._touched.add(key)

    async def write(self, connection: Connection) -> None:
        """Write all that was changed: a statement for receivers and attempts, one for clusters."""
        rows = [self._receivers[key] for key in sorted(self._touched)]
        receivers = [(row["id"], *(row[name] for name in _NUMBERS)) for row in rows]
        arrays = (*columns(self._attempts, 8), *columns(receivers, 6))
        await connection.execute(SQL["record_attempts"], *arrays)
        clusters = [(name, *self._clusters[name]) for name in sorted(self._touched_clusters)]
        await write_rows(connection, "save_clusters", clusters)
