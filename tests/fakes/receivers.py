"""Flux Receivers that answer as a test scripts them."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.model import Attempt

if TYPE_CHECKING:
    from router.core.model import Claim, Outcome
    from router.core.routing import Receiver, Routing
    from router.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one call ends; by default well."""

    outcome: Outcome = "notified"
    status: int | None = 200
    detail: str = ""
    retry_after_seconds: float | None = None


REFUSED = Answer(outcome="rejected", status=500, detail="answered 500")
UNREACHABLE = Answer(outcome="unreachable", status=None, detail="connection refused")


class FakeReceivers:
    """Implements ReceiverClient: answers what was scripted for a receiver, else 200, at once."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[tuple[Receiver, Claim]] = []
        """Every call, as it began."""
        self.routings: list[Routing] = []
        self.is_closed = False
        self.most_at_once = 0
        self.overlapped: set[str] = set()
        """Keys of receivers that were called while a call of them was still running."""
        self._clock = clock
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._may_answer: dict[str, asyncio.Event] = {}
        self._running: list[str] = []
        self._changed = asyncio.Condition()

    def script(self, key: str, *answers: Answer) -> None:
        """The next calls of receiver *key* end like this, one after the other."""
        self._scripts[key].extend(answers)

    def hold(self, key: str) -> None:
        """Calls of receiver *key* stay in flight until they are released."""
        self._may_answer[key] = asyncio.Event()

    def release(self, key: str) -> None:
        self._may_answer.pop(key).set()

    def called(self) -> list[str]:
        """Keys of the receivers, in the order of their calls."""
        return [receiver.key for receiver, _ in self.calls]

    async def wait_for_calls(self, count: int) -> None:
        """Wait until *count* calls have begun since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= count)

    async def call(self, receiver: Receiver, claim: Claim) -> Attempt:
        key, started_at, started = receiver.key, self._clock.now(), self._clock.monotonic()
        await self._begin(receiver, claim)
        try:
            if key in self._may_answer:
                await self._may_answer[key].wait()
        finally:
            self._running.remove(key)
        answer = self._scripts[key].popleft() if self._scripts[key] else Answer()
        return Attempt(
            receiver=key,
            wanted=claim.wanted,
            started_at=started_at,
            duration_seconds=self._clock.monotonic() - started,
            outcome=answer.outcome,
            status=answer.status,
            detail=answer.detail,
            retry_after_seconds=answer.retry_after_seconds,
        )

    async def use(self, routing: Routing) -> None:
        self.routings.append(routing)

    async def close(self) -> None:
        self.is_closed = True

    async def _begin(self, receiver: Receiver, claim: Claim) -> None:
        if receiver.key in self._running:
            self.overlapped.add(receiver.key)
        self._running.append(receiver.key)
        self.most_at_once = max(self.most_at_once, len(self._running))
        self.calls.append((receiver, claim))
        async with self._changed:
            self._changed.notify_all()
