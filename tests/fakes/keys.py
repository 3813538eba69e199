"""A KeySource whose issuers have the keys that a test gives them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.core.errors import KeysUnavailable

if TYPE_CHECKING:
    from router.core.oidc import Keys


class FakeKeySource:
    """Implements KeySource. Without *keys* the issuers are away."""

    def __init__(self, keys: Keys | None = None) -> None:
        self.keys = keys
        self.asked: list[str] = []
        self.answers = asyncio.Event()
        """Cleared: issuers let those who ask wait."""
        self.answers.set()

    async def read(self, issuer: str) -> Keys:
        self.asked.append(issuer)
        await asyncio.sleep(0)
        await self.answers.wait()
        if self.keys is None:
            raise KeysUnavailable("it is away")
        return self.keys
