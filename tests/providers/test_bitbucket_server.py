"""Bitbucket Data Center: many names for one repository, mirrors, and refs that are not told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.naming import normalize_url
from router.core.providers import bitbucket_server
from router.core.providers.interface import TOO_MANY_REFS
from router.core.push import Ignored, Push
from tests.providers.outgoing import commit, push, send
from tests.providers.signing import NOW_SECONDS, SECRET, hex_signature, sample, sample_json, signed

OLD, NEW = "8f3c1d5b7a9e2460c8d4f1b36e5a7902d1c4b8e6", "1be07c95d2f84a63907b5ce1f48d2a36b09c7e15"
ZERO = "0" * 40
MOVED = {"ref": {"id": "refs/heads/main"}, "fromHash": OLD, "toHash": NEW, "type": "UPDATE"}
HEADERS, BODY = sample("bitbucket-server", "push")
MIRROR = sample("bitbucket-server", "mirror")[0]
PAYLOAD = sample_json("bitbucket-server", "push")[1]
REPOSITORY = PAYLOAD["repository"]


def read(headers: dict[str, str] = HEADERS, **changes: Any) -> Push | Ignored:
    """Read the `push` sample with fields replaced, or removed where they are `...`."""
    payload = PAYLOAD | changes
    body = json.dumps({key: value for key, value in payload.items() if value is not ...})
    return bitbucket_server.parse_push(headers, body.encode())


def moved(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (MOVED | changes).items() if value is not ...}


@pytest.mark.parametrize(
    ("change", "sides"),
    [
        (moved(), (OLD, NEW)),
        (moved(type="ADD", fromHash=ZERO), (ZERO, NEW)),
        (moved(type="DELETE", toHash=ZERO), (OLD, ZERO)),
        # The zeros say it; the type is not needed.
        (moved(type="UPDATE", toHash=ZERO), (OLD, ZERO)),
        (moved(type="DELETE"), (OLD, NEW)),
        (moved(type=..., refId=None), (OLD, NEW)),
    ],
)
def test_a_change_is_told_by_its_hashes(change: Any, sides: tuple[str, str]) -> None:
    result = read(changes=[change])
    assert isinstance(result, Push)
    (update,) = result.updates
    assert (update.before, update.after) == sides
    assert update.forced is None
    assert "Bitbucket does not tell which files changed" in (update.incomplete or "")


@pytest.mark.parametrize(
    ("headers", "changes", "why"),
    [
        (HEADERS, {"changes": []}, bitbucket_server.NO_CHANGES),
        (MIRROR, {"changes": []}, bitbucket_server.NO_CHANGES),
        (MIRROR, {"changes": [], "refLimitExceeded": None}, bitbucket_server.NO_CHANGES),
        (MIRROR, {"changes": [], "refLimitExceeded": True}, TOO_MANY_REFS),
        # Some of too many refs are not all of them.
        (MIRROR, {"changes": [MOVED], "refLimitExceeded": True}, TOO_MANY_REFS),
        (HEADERS, {"changes": [MOVED] * 1001}, TOO_MANY_REFS),
        (HEADERS, {"changes": [{}] * 70_000, "x": " " * 99_000}, TOO_MANY_REFS),
        (
            MIRROR,
            {"changes": [{}] * 70_000, "refLimitExceeded": False, "x": " " * 99_000},
            TOO_MANY_REFS,
        ),
    ],
)
def test_any_ref_may_have_moved_where_bitbucket_does_not_tell_which(
    headers: dict[str, str], changes: Any, why: str
) -> None:
    result = read(headers, **changes)
    assert isinstance(result, Push)
    assert (result.refs_not_told, result.updates) == (why, ())
    assert "https://bitbucket.acme.example/scm/ops/fleet.git" in result.repository_urls
    assert result.delivery_id == HEADERS["x-request-id"]


def test_only_a_mirror_can_say_that_nothing_moved() -> None:
    nothing = {"changes": [], "refLimitExceeded": False}
    assert isinstance(read(MIRROR, **nothing), Ignored)
    assert isinstance(read(HEADERS, **nothing), Push)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"changes": ...}, "missing required field `changes`"),
        ({"changes": None}, r"\$\.changes"),
        ({"changes": {}}, r"\$\.changes"),
        ({"changes": "main"}, r"\$\.changes"),
        ({"changes": [None]}, r"\$\.changes\[0\]"),
        ({"changes": [moved(ref=...)]}, "missing required field `ref`"),
        ({"changes": [moved(ref=None)]}, r"\$\.changes\[0\]\.ref"),
        ({"changes": [moved(ref="refs/heads/main")]}, r"\$\.changes\[0\]\.ref"),
        ({"changes": [moved(ref={})]}, "missing required field `id`"),
        ({"changes": [moved(ref={"id": "main"})]}, "full name of a ref"),
        ({"changes": [moved(fromHash=...)]}, "missing required field `fromHash`"),
        ({"changes": [moved(toHash=None)]}, r"\$\.changes\[0\]\.toHash"),
        ({"changes": [moved(toHash="")]}, "after is not a commit id"),
        ({"changes": [moved(fromHash=OLD[:11])]}, "before is not a commit id"),
        ({"changes": [moved(), moved(toHash="x")]}, "after is not a commit id"),
        ({"refLimitExceeded": "no"}, r"\$\.refLimitExceeded"),
        ({"repository": ...}, "missing required field `repository`"),
        ({"repository": None}, r"\$\.repository"),
        ({"repository": {}}, "names no URL"),
        ({"repository": {}, "changes": []}, "names no URL"),
        ({"repository": {"slug": "fleet"}}, "names no URL"),
        ({"repository": {"project": {"key": "OPS"}}}, "names no URL"),
        ({"repository": {"slug": 5}}, r"\$\.repository\.slug"),
        ({"repository": {"project": "OPS"}}, r"\$\.repository\.project"),
        # What crashed others: https://github.com/advisories/GHSA-f9gq-prrc-hrhc
        ({"repository": REPOSITORY | {"links": {"clone": "x"}}}, r"\.links\.clone"),
        ({"repository": REPOSITORY | {"links": {"clone": {"href": "x"}}}}, r"\.links\.clone"),
        ({"repository": REPOSITORY | {"links": {"clone": [5]}}}, r"\.links\.clone\["),
        ({"repository": REPOSITORY | {"links": {"self": [{"href": 5}]}}}, r"\.href"),
        ({"repository": REPOSITORY | {"links": []}}, r"\.links"),
        ({"repository": REPOSITORY | {"links": {"clone": [{}] * 21}}}, "more than 20 links"),
    ],
)
def test_what_data_center_cannot_send_is_malformed(changes: Any, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        read(**changes)


HTTP = {"href": "https://git.acme.example/bitbucket/scm/ops/fleet.git", "name": "http"}
SSH = {"href": "ssh://git@ssh.acme.example:7999/ops/fleet.git", "name": "ssh"}
PAGE = {"href": "https://git.acme.example/bitbucket/projects/OPS/repos/fleet/browse"}
CLONE = [
    "https://git.acme.example/bitbucket/scm/ops/fleet.git",
    "https://ada@git.acme.example:8443/bitbucket/scm/OPS/fleet",
    "https://git.acme.example/bitbucket/projects/OPS/repos/fleet",
    "https://git.acme.example/bitbucket/projects/ops/repos/fleet",
]
OTHER_HOST = [
    "ssh://git@ssh.acme.example:7999/ops/fleet.git",
    "ssh://git@ssh.acme.example:7999/OPS/fleet.git",
]
SAME_HOST = [
    "ssh://git@git.acme.example:7999/ops/fleet.git",
    "git@git.acme.example:OPS/fleet.git",
]


@pytest.mark.parametrize(
    ("links", "urls"),
    [
        ({"clone": [SSH, HTTP], "self": [PAGE]}, [*CLONE, *OTHER_HOST]),
        ({"clone": [HTTP, SSH]}, [*CLONE, *OTHER_HOST]),
        ({"clone": [HTTP]}, [*CLONE, *SAME_HOST]),
        ({"self": [PAGE]}, [*CLONE, *SAME_HOST]),
        ({"clone": None, "self": [PAGE]}, [*CLONE, *SAME_HOST]),
        ({"clone": [], "self": [PAGE]}, [*CLONE, *SAME_HOST]),
        ({"clone": [SSH]}, OTHER_HOST),
    ],
)
def test_every_url_that_a_routing_file_may_hold_leads_to_the_repository(
    links: Any, urls: list[str]
) -> None:
    result = read(repository=REPOSITORY | {"links": links})
    assert isinstance(result, Push)
    told = {normalize_url(url) for url in result.repository_urls}
    assert {normalize_url(url) for url in urls} <= told
    assert result.repository_path is None
    assert not [url for url in told if not url.lower().endswith("/fleet")]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.acme.example/bitbucket/scm/~adaquill/fleet.git",
        "https://git.acme.example/bitbucket/scm/~ADAQUILL/fleet.git",
        "https://git.acme.example/bitbucket/scm/%7Eadaquill/fleet.git",
        "https://git.acme.example/bitbucket/users/adaquill/repos/fleet",
        "ssh://git@git.acme.example:7999/~adaquill/fleet.git",
    ],
)
def test_a_personal_project_is_found_by_its_owner(url: str) -> None:
    page = "https://git.acme.example/bitbucket/users/adaquill/repos/fleet/browse"
    repository = {
        "slug": "fleet",
        "project": {"key": "~ADAQUILL"},
        "links": {"self": [{"href": page}]},
    }
    result = read(repository=repository)
    assert isinstance(result, Push)
    assert normalize_url(url) in map(normalize_url, result.repository_urls)


@pytest.mark.parametrize("links", [..., None, {}, {"clone": [], "self": None}, {"clone": [{}]}])
def test_without_a_link_the_repository_is_told_by_its_path(links: Any) -> None:
    repository = {"slug": "fleet", "project": {"key": "OPS"}}
    result = read(repository=repository | ({} if links is ... else {"links": links}))
    assert isinstance(result, Push)
    assert (result.repository_urls, result.repository_path) == ((), "OPS/fleet")


def test_a_link_that_is_too_long_for_one_is_none() -> None:
    links = {"clone": [{"href": "https://git.acme.example/scm/ops/" + "a" * 4096}]}
    told = read(repository=REPOSITORY | {"links": links})
    assert isinstance(told, Push)
    assert (told.repository_urls, told.repository_path) == ((), "OPS/fleet")
    with pytest.raises(MalformedPayload, match="names no URL"):
        read(repository={"slug": "a" * 4096, "project": {"key": "OPS"}})


def test_a_link_that_is_no_url_of_the_repository_is_taken_as_it_is() -> None:
    links = {"clone": [{"href": "x"}, {"href": "ssh://"}], "self": [{"href": "/projects/"}]}
    result = read(repository=REPOSITORY | {"links": links})
    assert isinstance(result, Push)
    assert {"x", "ssh://"} <= set(result.repository_urls)


@pytest.mark.parametrize("case", ["push", "no_changes", "malformed"])
def test_a_body_of_cloud_is_refused_and_names_the_other_provider(case: str) -> None:
    headers, body = sample("bitbucket", case)
    with pytest.raises(MalformedPayload, match="Bitbucket Cloud, whose hook has the provider"):
        bitbucket_server.parse_push(headers, body)
    with pytest.raises(MalformedPayload, match="cannot be read"):
        bitbucket_server.parse_push(HEADERS, body)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea"])
def test_a_body_of_another_host_is_refused_whatever_its_headers(provider: str) -> None:
    headers, body = sample(provider, "push")
    with pytest.raises(MalformedPayload, match=r"^no X-Event-Key header$"):
        bitbucket_server.parse_push(headers, body)
    with pytest.raises(MalformedPayload, match="cannot be read"):
        bitbucket_server.parse_push(HEADERS, body)
    with pytest.raises(InvalidSignature):
        with_proof = signed(provider, headers, body, secret=SECRET)
        bitbucket_server.verify(with_proof, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_a_ping_is_believed_only_with_its_signature() -> None:
    headers, body = sample("bitbucket-server", "ping")
    assert not bitbucket_server.is_signed(headers)
    with pytest.raises(InvalidSignature, match=r"^no X-Hub-Signature header$"):
        bitbucket_server.verify(headers, body, secrets=[SECRET], now_seconds=NOW_SECONDS)
    other = headers | {"x-hub-signature": "sha256=" + hex_signature(BODY, secret=SECRET)}
    with pytest.raises(InvalidSignature, match="does not match"):
        bitbucket_server.verify(other, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


@pytest.mark.parametrize("body", [b"", b"null", b'{"test": true}', b"x"])
def test_a_ping_is_told_by_its_header_whatever_its_body(body: bytes) -> None:
    headers, _ = sample("bitbucket-server", "ping")
    assert isinstance(bitbucket_server.parse_push(headers, body), Ignored)


@pytest.mark.parametrize(
    ("changes", "kind", "count"),
    [
        ({}, "UPDATE", 5),
        ({"forced": True}, "UPDATE", 5),
        ({"before": ZERO}, "ADD", 5),
        ({"after": ZERO}, "DELETE", 0),
    ],
)
def test_we_send_the_newest_5_commits_and_the_kind_of_the_change(
    changes: dict[str, Any], kind: str, count: int
) -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 8)]
    headers, payload = send("bitbucket-server", push(*many, **changes))
    (change,) = payload["changes"]
    assert (change["type"], change["ref"]["type"]) == (kind, "BRANCH")
    newest = [each.id for each in many[:1:-1]][:count]
    assert [each["id"] for each in payload["commits"]] == newest
    assert headers["X-Event-Key"] == payload["eventKey"] == "repo:refs_changed"
    assert headers["X-Request-Id"] == "d-1"
    assert "forced" not in json.dumps(payload)


@pytest.mark.parametrize(
    ("url", "key", "kind"),
    [
        ("https://git.acme.example/scm/ops/fleet.git", "OPS", "http"),
        ("ssh://git@git.acme.example:7999/~ada/fleet.git", "~ADA", "ssh"),
    ],
)
def test_what_we_send_names_the_project_in_upper_case(url: str, key: str, kind: str) -> None:
    _, payload = send("bitbucket-server", push(repository_url=url, ref="refs/tags/v1"))
    repository = payload["repository"]
    assert (repository["project"]["key"], repository["slug"]) == (key, "fleet")
    assert repository["links"]["clone"] == [{"href": url, "name": kind}]
    assert payload["changes"][0]["ref"] == {
        "id": "refs/tags/v1",
        "displayId": "v1",
        "type": "TAG",
    }
