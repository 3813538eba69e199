"""What `send` makes of a hook's answers; a Git host's user reads it after a push."""

from __future__ import annotations

import json

import pytest

from router.remote.sender import send_delivery
from tests.cli.live import serve_answer


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"status": "routed", "reason": "why", "layers": [{"name": "a"}, {"name": "b"}]},
         "routed to a, b (why)"),
        ({"status": "routed", "reason": "why", "layers": []}, "routed to no layer (why)"),
        ({"status": "accepted", "reason": "", "layers": []}, "accepted"),
        ({"status": "ignored", "reason": "why", "layers": []}, "ignored (why)"),
    ],
)  # fmt: skip
def test_an_update_is_told_with_what_became_of_it(update: dict[str, object], told: str) -> None:
    body = json.dumps({"delivery": "1", "duplicate": False, "updates": [update]}).encode()
    with serve_answer(202, body) as url:
        answer = send_delivery(f"{url}/hooks/github", {}, b"{}")
    assert str(answer) == f"202: delivery 1: {told}"
    assert answer.is_accepted
