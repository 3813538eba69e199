"""The stand-in for Flux, that also notices how many calls of one receiver are under way at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from router.demo.receivers import FluxStandIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.demo.receivers import Receive, Scope, Send, StandInReceiver


class WatchedFlux(FluxStandIn):
    def __init__(self, receivers: Sequence[StandInReceiver]) -> None:
        super().__init__(receivers)
        self.most_at_once = 0
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self._under_way[path] += 1
        self.most_at_once = max(self.most_at_once, self._under_way[path])
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._under_way[path] -= 1
