"""Pushes that we send, for tests: defaults, and keywords for what a test is about."""

from __future__ import annotations

import json
from typing import Any

from router.core.providers.interface import OutgoingCommit, OutgoingPush
from router.core.providers.table import PROVIDERS
from tests.providers.signing import NOW_SECONDS, SECRET

ZERO = "0" * 40
MAIN = "refs/heads/main"
URL = "https://git.acme.example/acme/fleet.git"
CODECOMMIT_URL = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/fleet"


def commit(number: int = 1, **changes: Any) -> OutgoingCommit:
    fields: dict[str, Any] = {
        "id": f"{number:040x}",
        "message": f"Commit {number}",
        "timestamp": "2026-03-14T09:26:53+01:00",
        "author_name": "Ada Quill",
        "author_email": "ada@acme.example",
    }
    return OutgoingCommit(**(fields | changes))


def push(*commits: OutgoingCommit, **changes: Any) -> OutgoingPush:
    fields: dict[str, Any] = {
        "repository_url": URL,
        "ref": MAIN,
        "before": "a" * 40,
        "after": "b" * 40,
        "forced": False,
        "commits": commits,
    }
    return OutgoingPush(**(fields | changes))


def send(provider: str, outgoing: OutgoingPush, secret: bytes = SECRET) -> tuple[Any, Any]:
    headers, body = PROVIDERS[provider].encode_push(
        outgoing, secret=secret, delivery_id="d-1", now_seconds=NOW_SECONDS
    )
    return headers, json.loads(body)
