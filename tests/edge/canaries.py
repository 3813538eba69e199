"""Secrets that are easy to find wherever they leak to."""

from __future__ import annotations

from router.core.flux import receiver_path
from router.core.model import Secret
from router.core.routing import Receiver

HOOK_SECRET = b"canary-hook-4b1d"
PATH_TOKEN = b"canary-path-9c2e"
HEADER_TOKEN = b"canary-header-07aa"
RECEIVER_TOKEN = b"canary-receiver-e5f3"

RECEIVER_DIGEST = receiver_path(
    Receiver(
        cluster="prod",
        namespace="flux-system",
        name="app1",
        type="generic-hmac",
        token=Secret(RECEIVER_TOKEN),
    )
).removeprefix("/hook/")

CANARIES = (
    HOOK_SECRET,
    PATH_TOKEN,
    HEADER_TOKEN,
    RECEIVER_TOKEN,
    RECEIVER_DIGEST.encode(),
)
