"""What the store in memory is made of: refs and cursors, receivers and numbers, attempts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from router.core.model import Claim, ReceiverStatus, RefState
from router.core.push import is_zero

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from router.core.model import Asked, Attempt, Intent, Plan
    from router.core.push import Commit


@dataclass(frozen=True, kw_only=True)
class FakeRef:
    """The rules of Store that concern a single tracked ref."""

    cursor: Commit | None = None
    told: Commit | None = None
    sequence: int = 0
    seen: frozenset[Commit] = frozenset()
    tips: Mapping[str, Commit] = field(default_factory=dict)

    def read(self) -> RefState:
        """The state as it is told outside of a decision."""
        return RefState(
            cursor=self.cursor,
            told=self.told,
            was_planned=self.sequence > 0,
            tips=dict(self.tips),
        )

    def state(self, intent: Intent) -> RefState:
        return RefState(
            cursor=self.cursor,
            told=self.told,
            was_planned=self.sequence > 0,
            is_tip_known=intent.after in self.seen,
        )

    def after(self, intent: Intent, plan: Plan | None) -> FakeRef:
        named = {commit for commit in (intent.before, intent.after) if commit is not None}
        seen = self.seen | {commit for commit in named if not is_zero(commit)}
        remembered = replace(self, seen=seen, tips={**self.tips, **intent.tips})
        if plan is None or plan.ref is None:
            return remembered
        return replace(remembered, cursor=plan.cursor, told=plan.told, sequence=self.sequence + 1)


@dataclass(kw_only=True)
class FakeCluster:
    """The rules of Store that concern a single cluster."""

    is_reachable: bool = True
    succeeded_at: datetime | None = None

    def note(self, attempt: Attempt, now: datetime) -> bool:
        """Whether *attempt* is the first success after no answer."""
        if attempt.outcome == "notified":
            was_reachable, self.is_reachable, self.succeeded_at = self.is_reachable, True, now
            return not was_reachable
        is_gateway = attempt.outcome == "rejected" and attempt.status in (502, 504)
        is_silent = attempt.outcome in ("unreachable", "timed_out")
        if (is_gateway or is_silent) and not self._has_succeeded_since(attempt.started_at):
            self.is_reachable = False
        return False

    def _has_succeeded_since(self, instant: datetime) -> bool:
        return self.succeeded_at is not None and self.succeeded_at >= instant


@dataclass(kw_only=True)
class FakeReceiver:
    """The rules of Store that concern a single receiver."""

    key: str
    cluster: str
    due_at: datetime
    wanted: int = 0
    notified: int = 0
    callable: int = 0
    failures: int = 0
    lease_owner: str | None = None
    lease_until: datetime | None = None
    last_attempt: Attempt | None = None
    asked: list[tuple[int, Asked, datetime]] = field(default_factory=list)
    """Wanted number, who asked for it, and when that was received."""

    @property
    def is_waiting(self) -> bool:
        return self.callable > self.notified

    def is_leased(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now

    def is_due(self, now: datetime) -> bool:
        return self.is_waiting and self.due_at <= now and not self.is_leased(now)

    def next_instant(self, now: datetime) -> datetime:
        """When it is due; when its lease ends, if it is due already."""
        return self.due_at if self.due_at > now else self.lease_until or now

    def make_due(self, now: datetime) -> None:
        if self.is_waiting:
            self.due_at = min(self.due_at, now)

    def raise_wanted(self, now: datetime, *, is_held: bool) -> int:
        self.wanted += 1
        if not is_held:
            if not self.is_waiting:
                self.due_at = now
            self.callable = self.wanted
        return self.wanted

    def open_for(self, layers: Collection[str], now: datetime) -> None:
        """Only *layers* may have it called from now on."""
        was_waiting = self.is_waiting
        self.callable = max(
            (
                number
                for number, asked, _ in self.asked
                if number > self.notified and asked.layer in layers
            ),
            default=min(self.callable, self.notified),
        )
        if self.is_waiting and not was_waiting:
            self.due_at = now

    def claim(self, now: datetime) -> Claim:
        asked = [row for row in self.asked if row[0] > self.notified][-1000:]
        return Claim(
            receiver=self.key,
            wanted=self.wanted,
            failures=self.failures,
            asked=tuple(who for _, who, _ in asked),
            wanted_since=min((received_at for _, _, received_at in asked), default=now),
        )

    def record(
        self, attempt: Attempt, *, owner: str, retry_seconds: float | None, now: datetime
    ) -> None:
        self.last_attempt = attempt
        has_lease = self.lease_owner == owner
        if attempt.outcome == "notified":
            self.notified = max(self.notified, min(attempt.wanted, self.wanted))
            self.failures = 0
            self.due_at = now if self.is_waiting else self.due_at
        elif has_lease and attempt.outcome == "cancelled":
            self.due_at = now
        elif has_lease:
            self.failures += 1
            self.due_at = now + timedelta(seconds=retry_seconds or 0)
        if has_lease:
            self.lease_owner = self.lease_until = None

    def status(self, now: datetime) -> ReceiverStatus:
        return ReceiverStatus(
            receiver=self.key,
            wanted=self.wanted,
            notified=self.notified,
            callable=self.callable,
            failures=self.failures,
            is_leased=self.is_leased(now),
            due_at=self.due_at,
            last_attempt=self.last_attempt,
        )


def serving(
    attempts: Sequence[Attempt], numbers: Collection[tuple[str, int]]
) -> tuple[Attempt, ...]:
    """Of each receiver the *attempts* that carried its number, up to the first answered 200."""
    found: set[int] = set()
    by_number = sorted(enumerate(attempts), key=lambda row: (row[1].wanted, row[0]))
    for key, number in numbers:
        for index, attempt in by_number:
            if attempt.receiver == key and attempt.wanted >= number:
                found.add(index)
                if attempt.outcome == "notified":
                    break
    return tuple(attempts[index] for index in sorted(found))
