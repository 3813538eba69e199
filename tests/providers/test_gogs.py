"""Gogs: tags come as another event, mirrors without full names, and no list is ever complete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers import gogs
from router.core.push import Ignored, Push
from tests.providers.outgoing import URL, commit, push, send
from tests.providers.signing import SECRET, sample, sample_json

Change = dict[str, Any]
ZERO = "0" * 40


def read(case: str, change: Change) -> Push | Ignored:
    """The sample with fields of its payload replaced, or removed where they are `...`."""
    headers, payload = sample_json("gogs", case)
    changed = {key: value for key, value in (payload | change).items() if value is not ...}
    return gogs.parse_push(headers, json.dumps(changed).encode())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"commits": []},
        {"commits": None},
        {"commits": ...},
        {"commits": [{"added": ["a"], "removed": [], "modified": []}]},
        {"total_commits": 2},
    ],
)
def test_no_list_is_ever_complete(change: Change) -> None:
    result = read("push", change)
    assert isinstance(result, Push)
    assert result.updates[0].incomplete == gogs.NEVER_COMPLETE
    assert result.updates[0].forced is None


def test_a_name_that_is_not_utf8_is_the_reason_given() -> None:
    commits = [{"added": ["\ufffd"], "removed": None, "modified": None}]
    result = read("push", {"commits": commits})
    assert isinstance(result, Push)
    assert "is not UTF-8" in (result.updates[0].incomplete or "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ref": ...}, "missing required field `ref`"),
        ({"ref_type": ...}, "missing required field `ref_type`"),
        ({"repository": ...}, "missing required field `repository`"),
        ({"repository": None}, r"\$\.repository"),
        ({"repository": {}}, "names no URL"),
        ({"repository": {}, "sha": ""}, "names no URL"),
        ({"ref": ""}, "names no tag"),
        ({"ref": "v1\n"}, "full name of a ref"),
        ({"ref": 1}, r"\$\.ref"),
        ({"ref_type": None}, r"\$\.ref_type"),
        ({"sha": 7}, r"\$\.sha"),
        ({"sha": "v1.4.0"}, "is not a commit id"),
        ({"sha": "a" * 5000}, "is not a commit id"),
    ],
)
def test_a_tag_event_that_cannot_be_one_is_malformed(change: Change, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        read("tag", change)


@pytest.mark.parametrize("sha", ["", None, ...])
def test_a_tag_without_its_commit_may_be_any_ref(sha: Any) -> None:
    result = read("tag", {"sha": sha})
    assert isinstance(result, Push)
    assert (result.updates, result.refs_not_told) == ((), gogs.NO_SHA)
    assert result.repository_urls


@pytest.mark.parametrize("length", [40, 64])
def test_a_tag_is_told_as_new_whatever_it_was_before(length: int) -> None:
    result = read("tag", {"sha": "A" * length})
    assert isinstance(result, Push)
    (update,) = result.updates
    assert (update.ref, update.after) == ("refs/tags/v1.4.0", "a" * length)
    assert update.is_created


def test_only_a_mirror_may_tell_the_short_name_of_a_ref() -> None:
    result = read("mirror", {"before": "", "after": ""})  # as it is told of a new tag
    assert isinstance(result, Push)
    assert result.refs_not_told == gogs.MIRROR
    with pytest.raises(MalformedPayload, match="full name"):
        read("push", {"ref": "main"})


def test_a_mirror_that_tells_the_full_name_is_an_ordinary_push() -> None:
    result = read("mirror", {"ref": "refs/heads/main"})
    assert isinstance(result, Push)
    assert result.refs_not_told is None
    assert result.updates[0].ref == "refs/heads/main"


@pytest.mark.parametrize(
    ("provider", "case"), [("github", "push"), ("gitlab", "push"), ("generic", "push")]
)
def test_a_delivery_of_another_provider_is_refused(provider: str, case: str) -> None:
    headers, body = sample(provider, case)
    with pytest.raises(MalformedPayload, match="no X-Gogs-Event header"):
        gogs.parse_push(headers, body)


def test_gogs_lists_the_newest_5_commits_newest_first_without_what_it_loses() -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 7)]
    last = commit(
        7, added=("apps/two words.yaml", " "), renamed=(("apps/old", "apps/new"),), removed=("b",)
    )
    headers, payload = send("gogs", push(*many, last))
    listed = payload["commits"]
    assert [each["id"] for each in listed] == [last.id, *(each.id for each in many[:1:-1])]
    assert (listed[0]["added"], listed[0]["removed"], listed[0]["modified"]) == (
        ["apps/two"],
        ["b"],
        [],
    )
    assert "total_commits" not in payload
    assert headers["X-Gogs-Event"] == headers["X-Github-Event"] == "push"
    assert headers["X-Gogs-Delivery"] == headers["X-Github-Delivery"] == "d-1"


@pytest.mark.parametrize(
    ("changes", "event", "fields"),
    [
        ({"before": ZERO}, "push", {"ref": "refs/heads/main", "compare_url": ""}),
        ({"after": ZERO}, "delete", {"ref": "main", "ref_type": "branch"}),
        (
            {"ref": "refs/tags/v1"},
            "create",
            {"ref": "v1", "ref_type": "tag", "sha": "b" * 40},
        ),
        ({"ref": "refs/tags/v1", "after": ZERO}, "delete", {"ref": "v1", "ref_type": "tag"}),
    ],
)
def test_gogs_tells_tags_and_deleted_refs_by_events_of_their_own(
    changes: Change, event: str, fields: Change
) -> None:
    headers, payload = send("gogs", push(commit(modified=("a",)), **changes), SECRET)
    assert headers["X-Gogs-Event"] == event
    assert payload.items() >= fields.items()
    assert payload["repository"]["clone_url"] == URL
