"""What `send` makes of a hook's answers; a Git host's user reads it after a push."""

from __future__ import annotations

import json

import pytest

from router.remote.sender import Credentials, send_delivery
from tests.cli.live import serve_answer


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"status": "routed", "reason": "why", "layers": [{"name": "a"}, {"name": "b"}]},
         "routed to a, b (why)"),
        ({"status": "routed", "reason": "why", "layers": []}, "routed to no layer (why)"),
        ({"status": "routed", "reason": "", "layers": [{"name": "a"}], "layersLeftOut": 2},
         "routed to a, 2 more layers"),
        ({"status": "routed", "reason": "", "layers": [], "layersLeftOut": 5},
         "routed to 5 layers"),
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


def test_updates_that_the_answer_leaves_out_are_told() -> None:
    update = {"status": "ignored", "reason": "", "layers": []}
    answer = {"delivery": "1", "duplicate": True, "updates": [update], "updatesLeftOut": 3}
    with serve_answer(202, json.dumps(answer).encode()) as url:
        told = send_delivery(f"{url}/hooks/github", {}, b"{}")
    assert str(told) == "202: delivery 1 (a duplicate): ignored; and 3 more updates"


@pytest.mark.parametrize(
    ("credentials", "url", "headers"),
    [
        (Credentials(kind="path"), "http://h/hooks/x/s3cret", {}),
        (Credentials(kind="header", name="X-Key"), "http://h/hooks/x", {"X-Key": "s3cret"}),
        (Credentials(kind="bearer"), "http://h/hooks/x", {"Authorization": "Bearer s3cret"}),
        (
            Credentials(kind="basic", name="me"),
            "http://h/hooks/x",
            {"Authorization": "Basic bWU6czNjcmV0"},
        ),
    ],
)
def test_a_secret_goes_where_the_hook_looks_for_it(
    credentials: Credentials, url: str, headers: dict[str, str]
) -> None:
    sent = credentials.add("http://h/hooks/x", {"Content-Type": "x"}, b"s3cret")
    assert sent == (url, {"Content-Type": "x", **headers})
