"""Leases and replicas of the store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass
class FakeLeases:
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Name → owner, and when it ends."""
    replicas: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Replica → digest of its file, and until when it lives."""

    def report(self, replica: str, digest: str, seconds: float, now: datetime) -> None:
        self.replicas[replica] = (digest, now + timedelta(seconds=seconds))

    def is_held(self, digest: str, besides: str, now: datetime) -> bool:
        others = [each for name, each in self.replicas.items() if name != besides]
        return any(held == digest and until > now for held, until in others)

    def take(self, name: str, owner: str, seconds: float, now: datetime) -> float:
        holder, until = self.leases.get(name, (owner, now))
        if holder != owner and until > now:
            return (until - now).total_seconds()
        self.leases[name] = (owner, now + timedelta(seconds=seconds))
        return 0.0

    def release(self, name: str, owner: str) -> None:
        if name in self.leases and self.leases[name][0] == owner:
            del self.leases[name]
