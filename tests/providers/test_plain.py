"""Our own JSON: what is wrong with a body of it, and which paths a push that we send promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.table import PROVIDERS
from router.core.push import Ignored
from tests.providers.outgoing import ZERO, commit, push, send

GENERIC = {"repository": "https://git.acme.example/fleet"}
ONE = {"ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40}


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (GENERIC, "ref, before and after have to be there, or updates"),
        (GENERIC | {"ref": "refs/heads/main"}, "ref, before and after"),
        (GENERIC | ONE | {"updates": [ONE]}, "either ref or updates"),
        (GENERIC | {"updates": [{"ref": "refs/heads/main"}]}, r"\$\.updates\[0\]"),
        (GENERIC | ONE | {"paths": "apps/"}, r"\$\.paths"),
        (GENERIC | ONE | {"forced": "no"}, r"\$\.forced"),
        ({"ping": "yes"}, r"\$\.ping"),
        (ONE, "names no URL"),
    ],
)
def test_a_generic_payload_says_what_is_wrong_with_it(
    payload: dict[str, Any], message: str
) -> None:
    headers = {"content-type": "application/json"}
    with pytest.raises(MalformedPayload, match=message):
        PROVIDERS["generic"].parse_push(headers, json.dumps(payload).encode())


def test_a_generic_payload_without_updates_is_ignored() -> None:
    headers = {"content-type": "application/json"}
    body = json.dumps(GENERIC | {"updates": []}).encode()
    result = PROVIDERS["generic"].parse_push(headers, body)
    assert result == Ignored(reason="the list of updates is empty")


@pytest.mark.parametrize(
    ("changes", "has_paths"),
    [({}, True), ({"forced": True}, False), ({"before": ZERO}, False), ({"after": ZERO}, False)],
)
def test_generic_promises_paths_only_where_the_commits_prove_them(
    changes: dict[str, Any], has_paths: bool
) -> None:
    _, payload = send("generic", push(commit(modified=("a",)), **changes))
    assert ("paths" in payload) is has_paths
    _, empty = send("generic", push())
    assert "paths" not in empty


def test_generic_names_each_path_once() -> None:
    outgoing = push(commit(modified=("a",), added=("b",)), commit(renamed=(("b", "a"), ("c", "d"))))
    _, payload = send("generic", outgoing)
    assert payload["paths"] == ["b", "a", "c", "d"]


def test_the_documented_job_has_an_id_of_its_own_for_each_push() -> None:
    """Commits are none: a push that is taken back and pushed again would be a duplicate."""
    page = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
    ids = re.findall(r"X-Delivery-Id: ([^\"]*)\"", page)
    assert ids == ["$RUN"]
