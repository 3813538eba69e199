"""Bitbucket Cloud: several refs in a delivery, sides that are null, and no lists of files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.naming import normalize_url
from router.core.providers import bitbucket
from router.core.push import Ignored, Push
from tests.providers.outgoing import commit, push, send
from tests.providers.signing import (
    NOW_SECONDS,
    SECRET,
    hex_signature,
    sample,
    signed,
)

OLD, NEW = "8f3c1d5b7a9e2460c8d4f1b36e5a7902d1c4b8e6", "1be07c95d2f84a63907b5ce1f48d2a36b09c7e15"
ZERO = "0" * 40
HEADERS, BODY = sample("bitbucket", "push")
REPOSITORY = {"full_name": "acme/fleet", "links": {"html": {"href": "https://bitbucket.org/a/b"}}}


def side(**changes: Any) -> dict[str, Any]:
    """One side of a change, with fields replaced, or removed where they are `...`."""
    fields = {"type": "branch", "name": "main", "target": {"hash": OLD}} | changes
    return {key: value for key, value in fields.items() if value is not ...}


def moved(**changes: Any) -> dict[str, Any]:
    fields = {"old": side(), "new": side(target={"hash": NEW}), "forced": False} | changes
    return {key: value for key, value in fields.items() if value is not ...}


def read(changes: Any, **fields: Any) -> Push | Ignored:
    payload = {"push": {"changes": changes}, "repository": REPOSITORY} | fields
    body = json.dumps({key: value for key, value in payload.items() if value is not ...})
    return bitbucket.parse_push(HEADERS, body.encode())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (moved(), ("refs/heads/main", OLD, NEW, False)),
        (moved(forced=True), ("refs/heads/main", OLD, NEW, True)),
        (moved(forced=None), ("refs/heads/main", OLD, NEW, None)),
        (moved(forced=...), ("refs/heads/main", OLD, NEW, None)),
        (moved(old=None), ("refs/heads/main", ZERO, OLD, False)),
        (moved(new=None), ("refs/heads/main", OLD, ZERO, False)),
        (moved(old=None, new=side(type="tag", name="v1")), ("refs/tags/v1", ZERO, OLD, False)),
        (
            moved(old=None, new=side(type="annotated_tag", name="v1")),
            ("refs/tags/v1", ZERO, OLD, False),
        ),
        # A tag that was moved may have become an annotated one.
        (
            moved(
                old=side(type="tag", name="v1"),
                new=side(type="annotated_tag", name="v1", target={"hash": NEW}),
            ),
            ("refs/tags/v1", OLD, NEW, False),
        ),
        # What the flags say of null sides is in the sides already.
        (moved(created=True, closed=True), ("refs/heads/main", OLD, NEW, False)),
    ],
)
def test_a_change_tells_its_ref_and_both_sides(
    change: Any, told: tuple[str, str, str, bool | None]
) -> None:
    if change["old"] is None:
        told = (told[0], told[1], change["new"]["target"]["hash"], told[3])
    result = read([change])
    assert isinstance(result, Push)
    (update,) = result.updates
    assert (update.ref, update.before, update.after, update.forced) == told
    assert "Bitbucket does not tell which files changed" in (update.incomplete or "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (..., "missing required field"),
        (None, r"\$\.push\.changes"),
        ({}, r"\$\.push\.changes"),
        ("main", r"\$\.push\.changes"),
        ([None], r"\$\.push\.changes\[0\]"),
        ([moved(old=...)], "missing required field `old`"),
        ([moved(new=...)], "missing required field `new`"),
        ([moved(new="main")], r"\.new"),
        ([moved(forced="yes")], r"\.forced"),
        ([moved(new=side(type=...))], "missing required field `type`"),
        ([moved(new=side(type="bookmark"))], "neither branch nor tag"),
        ([moved(new=side(type=""))], "neither branch nor tag"),
        ([moved(new=side(name=...))], "missing required field `name`"),
        ([moved(old=None, new=side(name=""))], "full name of a ref"),
        ([moved(old=None, new=side(name="a\nb"))], "full name of a ref"),
        ([moved(new=side(target=...))], "missing required field `target`"),
        ([moved(new=side(target=None))], r"\.new\.target"),
        ([moved(new=side(target={}))], "missing required field `hash`"),
        ([moved(new=side(target={"hash": None}))], r"\.hash"),
        ([moved(new=side(target={"hash": NEW[:12]}))], "after is not a commit id"),
        ([moved(new=side(name="other"))], "not the same ref"),
        ([moved(new=side(type="tag"))], "not the same ref"),
        # A change that is right does not save one that is not.
        ([moved(), moved(new=side(target={"hash": ""}))], "after is not a commit id"),
    ],
)
def test_changes_that_cannot_be_are_malformed(changes: Any, message: str) -> None:
    pushed = {} if changes is ... else {"changes": changes}
    with pytest.raises(MalformedPayload, match=message):
        read([], push=pushed)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"push": ...}, "missing required field `push`"),
        ({"push": None}, r"\$\.push"),
        ({"push": []}, r"\$\.push"),
        ({"repository": ...}, "missing required field `repository`"),
        ({"repository": None}, r"\$\.repository"),
        ({"repository": {"full_name": 7}}, r"\$\.repository\.full_name"),
        ({"repository": {"links": []}}, r"\$\.repository\.links"),
        ({"repository": {"links": {"html": "x"}}}, r"\$\.repository\.links\.html"),
        ({"repository": {"links": {"html": {"href": 1}}}}, r"\.href"),
    ],
)
def test_what_is_around_the_changes_has_to_be_there(fields: Any, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        read([moved()], **fields)


def test_more_objects_than_can_be_held_are_malformed() -> None:
    body = b'{"push":{"changes":[' + b"{}," * 70_000 + b'{"o":"' + b" " * 60_000 + b'"}]}}'
    with pytest.raises(MalformedPayload, match="more than 65536 braces"):
        bitbucket.parse_push(HEADERS, body)


def test_a_change_of_a_ref_that_is_on_no_side_moves_nothing() -> None:
    gone = moved(old=None, new=None)
    assert isinstance(read([gone]), Ignored)
    result = read([gone, moved()])
    assert isinstance(result, Push)
    assert [update.ref for update in result.updates] == ["refs/heads/main"]


@pytest.mark.parametrize(
    "url",
    [
        "https://bitbucket.org/acme/fleet",
        "https://ada@bitbucket.org/acme/fleet.git",
        "git@bitbucket.org:acme/fleet.git",
        "ssh://git@bitbucket.org/acme/fleet.git",
        "ssh://git@altssh.bitbucket.org:443/acme/fleet.git",
    ],
)
@pytest.mark.parametrize("links", [..., None, {}, {"html": None}, {"html": {}}])
def test_every_way_to_clone_leads_to_the_repository_with_and_without_links(
    url: str, links: Any
) -> None:
    repository = {"full_name": "acme/fleet"} | ({} if links is ... else {"links": links})
    result = read([moved()], repository=repository)
    assert isinstance(result, Push)
    assert normalize_url(url) in map(normalize_url, result.repository_urls)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-request-uuid": "a", "x-attempt-number": "2", "x-hook-uuid": "b"}, "a"),
        ({"x-request-uuid": "", "x-hook-uuid": "b"}, None),
        ({"x-hook-uuid": "b"}, None),
    ],
)
def test_the_delivery_id_is_that_of_the_request_not_of_the_hook(
    headers: dict[str, str], expected: str | None
) -> None:
    base = {"content-type": "application/json", "x-event-key": "repo:push"}
    assert bitbucket.parse_push(base | headers, BODY).delivery_id == expected


@pytest.mark.parametrize("case", ["push", "ping", "mirror"])
def test_a_body_of_data_center_is_refused_and_names_the_other_provider(case: str) -> None:
    headers, body = sample("bitbucket-server", case)
    with pytest.raises(MalformedPayload, match="has to be bitbucket-server"):
        bitbucket.parse_push(headers, body)
    with pytest.raises(MalformedPayload, match="missing required field"):
        bitbucket.parse_push(HEADERS, body)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea", "generic"])
def test_a_body_of_another_host_is_refused_whatever_its_headers(provider: str) -> None:
    headers, body = sample(provider, "push")
    with pytest.raises(MalformedPayload, match=r"^no X-Event-Key header$"):
        bitbucket.parse_push(headers, body)
    with pytest.raises(MalformedPayload, match="cannot be read"):
        bitbucket.parse_push(HEADERS, body)
    with pytest.raises(InvalidSignature):
        with_proof = signed(provider, headers, body, secret=SECRET)
        bitbucket.verify(with_proof, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_a_signature_over_another_body_is_refused() -> None:
    headers = {"x-hub-signature": "sha256=" + hex_signature(BODY + b"\n", secret=SECRET)}
    with pytest.raises(InvalidSignature, match="does not match"):
        bitbucket.verify(headers, BODY, secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_we_send_the_newest_5_commits_of_a_branch_and_say_that_there_were_more() -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 8)]
    headers, payload = send("bitbucket", push(*many))
    (change,) = payload["push"]["changes"]
    assert [each["hash"] for each in change["commits"]] == [each.id for each in many[:1:-1]]
    assert change["truncated"] is True
    assert headers["X-Event-Key"] == "repo:push"
    assert headers["X-Request-UUID"] == "d-1"
    assert "modified" not in json.dumps(payload)


@pytest.mark.parametrize(
    ("changes", "flags", "has_commits"),
    [
        ({}, (False, False, False), True),
        ({"forced": True}, (False, False, True), True),
        ({"before": ZERO}, (True, False, False), True),
        ({"after": ZERO}, (False, True, False), False),
        ({"ref": "refs/tags/v1"}, (False, False, False), False),
    ],
)
def test_the_flags_we_send_say_what_became_of_the_ref(
    changes: dict[str, Any], flags: tuple[bool, bool, bool], has_commits: bool
) -> None:
    _, payload = send("bitbucket", push(commit(), **changes))
    (change,) = payload["push"]["changes"]
    assert (change["created"], change["closed"], change["forced"]) == flags
    assert ("commits" in change) is has_commits
    assert change["truncated"] is False


def test_we_tell_nothing_of_a_ref_that_bitbucket_does_not_show() -> None:
    _, payload = send("bitbucket", push(commit(), ref="refs/notes/commits"))
    assert payload["push"]["changes"] == []
