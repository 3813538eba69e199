"""What is particular to Gerrit: projects without a URL, reviews, and refs that move together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.gerrit import MERGED, ONLY_REVIEWS, parse_push
from router.core.providers.interface import TOO_MANY_REFS
from router.core.push import Ignored, Push
from tests.providers.signing import sample_json

HEADERS = {"content-type": "application/json; charset=utf-8"}
UPDATE = {"project": "acme/fleet", "refName": "refs/heads/main", "oldRev": "a" * 40}
UPDATE |= {"newRev": "b" * 40}
REVIEW = UPDATE | {"refName": "refs/changes/42/4242/1"}


def parse(payload: Any) -> Push | Ignored:
    return parse_push(HEADERS, json.dumps(payload).encode())


def batch(*updates: Any) -> dict[str, Any]:
    return {"type": "batch-ref-updated", "refUpdates": list(updates)}


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "missing required field `type`"),
        ({"type": None}, "$.type"),
        ({"type": ["ref-updated"]}, "$.type"),
        ({"type": "ref-updated"}, "missing required field `refUpdate`"),
        ({"type": "ref-updated", "refUpdate": None}, "$.refUpdate"),
        ({"type": "ref-updated", "refUpdate": [UPDATE]}, "$.refUpdate"),
        ({"type": "ref-updated", "refUpdates": [UPDATE]}, "missing required field `refUpdate`"),
        ({"type": "batch-ref-updated"}, "missing required field `refUpdates`"),
        ({"type": "batch-ref-updated", "refUpdates": None}, "$.refUpdates"),
        (batch(None), "$.refUpdates[0]"),
        (batch(UPDATE, {}), "$.refUpdates[1]"),
        (batch(UPDATE, UPDATE | {"project": "acme/other"}), "of more than one project"),
        (batch(UPDATE | {"project": ""}), "names no project"),
        (batch(UPDATE, REVIEW | {"oldRev": "x"}), "before is not a commit id"),
        (batch(*[UPDATE] * 70_000), "more than 65536 braces"),
        # Short names ended in 2014: they would be those of a branch or a tag.
        (batch(UPDATE | {"refName": "main"}), "ref is not the full name"),
    ],
)
def test_a_payload_says_what_is_wrong_with_it(payload: Any, message: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        parse(payload)
    assert message in str(caught.value)


@pytest.mark.parametrize("field", list(UPDATE))
@pytest.mark.parametrize("wrong", ["-", None, 7, ["a"], {"a": "b"}])
def test_every_field_of_an_update_is_needed(field: str, wrong: Any) -> None:
    update: dict[str, Any] = UPDATE | {field: wrong}
    if wrong == "-":
        del update[field]
    with pytest.raises(MalformedPayload, match=rf"`{field}`|\.{field}`"):
        parse({"type": "ref-updated", "refUpdate": update})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (batch(), "the list of updates is empty"),
        (batch(REVIEW, REVIEW), ONLY_REVIEWS),
        ({"type": "ref-updated", "refUpdate": REVIEW}, ONLY_REVIEWS),
        ({"type": "change-merged", "newRev": "b" * 40}, MERGED),
        ({"type": "patchset-created"}, "the patchset-created event is not a push"),
        (batch(UPDATE | {"newRev": "A" * 40}), "nothing moved"),
    ],
)
def test_what_moves_no_branch_and_no_tag_is_ignored(payload: Any, reason: str) -> None:
    result = parse(payload)
    assert isinstance(result, Ignored)
    assert result.reason.startswith(reason)


def test_of_refs_that_move_together_the_reviews_are_left_out() -> None:
    tag = UPDATE | {"refName": "refs/tags/v1", "oldRev": "0" * 40}
    result = parse(batch(REVIEW, UPDATE, REVIEW, tag))
    assert isinstance(result, Push)
    assert [update.ref for update in result.updates] == ["refs/heads/main", "refs/tags/v1"]
    assert (result.repository_urls, result.repository_path) == ((), "acme/fleet")


def test_of_too_many_refs_any_may_have_moved_and_reviews_are_not_counted() -> None:
    result = parse(batch(*[UPDATE] * 1001))
    assert isinstance(result, Push)
    assert (result.updates, result.refs_not_told) == ((), TOO_MANY_REFS)
    assert (result.repository_urls, result.repository_path) == ((), "acme/fleet")
    told = parse(batch(*[REVIEW] * 1001, UPDATE))
    assert isinstance(told, Push)
    assert (len(told.updates), told.refs_not_told) == (1, None)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea", "generic", "azure-devops"])
def test_a_body_of_another_provider_is_refused(provider: str) -> None:
    headers, payload = sample_json(provider, "push")
    with pytest.raises(MalformedPayload, match="missing required field `type`"):
        parse_push(headers, json.dumps(payload).encode())
