"""Leases and replicas of a database that one process has for itself: they end with the process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Leases:
    """Instants are microseconds on the store's clock."""

    _leases: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name → owner and until when."""
    _replicas: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Replica → digest of the routing file on its disk, and until when it is known to live."""

    def take(self, name: str, owner: str, *, until: int, now: int) -> int:
        """Take or renew a lease; returns 0, or for how long another owner has it."""
        holder, ends_at = self._leases.get(name, (owner, now))
        if holder != owner and ends_at > now:
            return ends_at - now
        self._leases[name] = (owner, until)
        return 0

    def release(self, name: str, owner: str) -> None:
        """End a lease, if it is *owner*'s."""
        if self._leases.get(name, ("", 0))[0] == owner:
            del self._leases[name]

    def report(self, replica: str, digest: str, *, until: int) -> None:
        """Note that *replica* lives, with the routing file of *digest* on its disk."""
        self._replicas[replica] = (digest, until)

    def leave(self, replica: str) -> None:
        """*replica* does not live any more."""
        self._replicas.pop(replica, None)

    def is_held(self, digest: str, *, besides: str, now: int) -> bool:
        """Whether another replica than *besides* has the routing file of *digest*."""
        return any(
            held == digest and until > now
            for replica, (held, until) in self._replicas.items()
            if replica != besides
        )
