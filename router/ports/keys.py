"""Port to the public keys of OIDC issuers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.core.oidc import Keys


class KeySource(Protocol):
    """Where the public keys of OIDC issuers are read."""

    async def read(self, issuer: str) -> Keys:
        """The keys that *issuer* signs with now. Raises KeysUnavailable; the message says why."""
        ...
