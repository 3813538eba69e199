"""From a request's bytes to a push: verify, digest, parse; large bodies beside the event loop.

A large body is read in one thread, one at a time: others are served meanwhile, and however many
large bodies arrive at once, only one of them is unpacked in memory. Signatures and digests are
worked out without the interpreter's lock, and lists are decoded in slices (core/lists.py), so that
the event loop gets its turn within milliseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from router.core.providers.interface import check_delivery_id
from router.core.providers.registry import Registry
from router.core.providers.table import SERVED
from router.core.routing import OidcAuth
from router.core.verify import verify_auth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.forms import Body
    from router.core.push import ArtifactPush, Ignored, Push
    from router.core.routing import Hook

LARGE_BODY_BYTES = 256 * 1024
"""Bodies above this are read in the thread: up to it, reading takes 2 to 3 ms at most, and handing
over would cost more than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDelivery:
    """An authentic delivery, read."""

    parsed: Push | ArtifactPush | Ignored
    digest: str
    """SHA-256 of the body, in hex."""


class DeliveryReader:
    """Reads deliveries; a body that is a bytearray is given up to it."""

    def __init__(self, *, large_body_bytes: int = LARGE_BODY_BYTES) -> None:
        self._large_body_bytes = large_body_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-bodies")

    async def read(
        self,
        hook: Hook,
        headers: Mapping[str, str],
        body: Body,
        *,
        path_token: str | None,
        now_seconds: float,
    ) -> ReadDelivery:
        """Verify and parse one delivery.

        Raises InvalidSignature, MalformedPayload or UnsupportedMedia.
        """
        if len(body) <= self._large_body_bytes:
            return read_delivery(
                hook, headers, body, path_token=path_token, now_seconds=now_seconds
            )
        read = partial(
            read_delivery, hook, headers, body, path_token=path_token, now_seconds=now_seconds
        )
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)


def read_delivery(
    hook: Hook,
    headers: Mapping[str, str],
    body: Body,
    *,
    path_token: str | None,
    now_seconds: float,
) -> ReadDelivery:
    """Verify a body, then parse it. Raises as DeliveryReader.read."""
    provider = SERVED[hook.provider]
    if isinstance(hook.auth, OidcAuth):
        pass  # its token was checked before, for that may take a question to the issuer
    elif hook.auth is not None:
        verify_auth(hook.auth, headers, path_token)
    else:
        secrets = [secret.value for secret in hook.secrets]
        provider.verify(headers, body, secrets=secrets, now_seconds=now_seconds)
    digest = hashlib.sha256(body).hexdigest()
    parsed: Push | ArtifactPush | Ignored
    if isinstance(provider, Registry):
        parsed = provider.parse_artifact(headers, body)
    else:
        parsed = provider.parse_push(headers, body)
    check_delivery_id(parsed.delivery_id)
    if isinstance(body, bytearray):
        body.clear()
    return ReadDelivery(parsed=parsed, digest=digest)
