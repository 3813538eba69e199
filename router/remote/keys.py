"""Reads the public keys of OIDC issuers, over HTTPS alone.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx

from router.core.errors import KeysUnavailable
from router.core.oidc import parse_keys

if TYPE_CHECKING:
    from ssl import SSLContext

    from router.core.oidc import Keys

DEADLINE_SECONDS = 10.0
"""For both documents of one issuer together: a sender waits meanwhile."""

MAX_DOCUMENT_BYTES = 256 * 1024
"""The documents of the big issuers have a few kilobytes."""

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Nothing packed: unpacked, a small answer may be a thousand times as large."""


class HttpKeySource:
    """Implements KeySource. The usual proxy variables count."""

    def __init__(
        self, *, verify: SSLContext | bool = True, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._verify = verify
        self._deadline_seconds = deadline_seconds

    async def read(self, issuer: str) -> Keys:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._read(issuer)
        except TimeoutError:
            raise KeysUnavailable(f"no answer within {self._deadline_seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise KeysUnavailable(
                f"the issuer cannot be reached ({type(error).__name__})"
            ) from None

    async def _read(self, issuer: str) -> Keys:
        async with httpx.AsyncClient(verify=self._verify, timeout=self._deadline_seconds) as client:
            about = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                document = json.loads(await _get(client, about))
                place = document["jwks_uri"]
                is_theirs = document["issuer"] == issuer
            except (ValueError, KeyError, TypeError, RecursionError):
                raise KeysUnavailable("the issuer's configuration cannot be read") from None
            if not is_theirs:
                raise KeysUnavailable("the configuration is another issuer's")
            if not isinstance(place, str):
                raise KeysUnavailable("the issuer's configuration cannot be read")
            try:
                keys = parse_keys(await _get(client, place))
            except ValueError as error:
                raise KeysUnavailable(str(error)) from None
        if not keys:
            raise KeysUnavailable("the issuer has no key for RS256 or ES256")
        return keys


async def _get(client: httpx.AsyncClient, url: str) -> bytes:
    """A document, not redirected and within the limit."""
    if not url.startswith("https://"):
        raise KeysUnavailable("the issuer's address is not https")
    content = bytearray()
    async with client.stream("GET", url, headers=HEADERS) as response:
        if response.status_code != httpx.codes.OK:
            raise KeysUnavailable(f"the issuer answered {response.status_code}")
        async for piece in response.aiter_raw():
            content += piece
            if len(content) > MAX_DOCUMENT_BYTES:
                raise KeysUnavailable("the issuer's answer is too large")
    return bytes(content)
