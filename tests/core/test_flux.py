from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha1, sha256
from hmac import new as new_hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.flux import (
    MAX_DELIVERIES_NAMED,
    UnusableToken,
    call_body,
    call_headers,
    parse_http_date,
    parse_retry_after,
    receiver_path,
    status_hint,
)
from router.core.model import Asked, Claim, Secret
from router.core.retry import MAX_RETRY_AFTER_SECONDS
from router.core.routing import Receiver

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BODY = b'{"ref":"refs/heads/main"}'


def make_receiver(**fields: Any) -> Receiver:
    given: dict[str, Any] = {
        "cluster": "prod",
        "namespace": "flux-system",
        "name": "app1",
        "type": "generic-hmac",
        "token": Secret(b"token"),
    }
    return Receiver(**given | fields)


def make_asked(number: int, **fields: Any) -> Asked:
    given: dict[str, Any] = {
        "layer": "app1",
        "delivery": f"delivery-{number}",
        "repository": "fleet",
        "ref": "refs/heads/main",
        "commit": f"{number:040x}",
    }
    return Asked(**given | fields)


def make_claim(*asked: Asked) -> Claim:
    return Claim(
        receiver="prod/flux-system/app1", wanted=1, failures=0, asked=asked, wanted_since=NOW
    )


def test_the_path_is_the_one_flux_publishes_for_its_own_example() -> None:
    receiver = make_receiver(
        name="receiver-secret", namespace="my-namespace", token=Secret(b"test-token")
    )
    assert receiver_path(receiver).startswith("/hook/106120121d366c2f")
    assert len(receiver_path(receiver)) == len("/hook/") + 64


@pytest.mark.parametrize(
    ("fields", "digested"),
    [
        ({}, b"tokenapp1flux-system"),
        # A Secret made from a file with a final newline: Flux does not trim, nor do we.
        ({"token": Secret(b"token\n")}, b"token\napp1flux-system"),
        ({"token": Secret(b"\xff\x00")}, b"\xff\x00app1flux-system"),
        ({"type": "generic-oidc", "token": None}, b"app1flux-system"),
        # Whatever a generic-oidc receiver may hold as a token, Flux digests none.
        ({"type": "generic-oidc"}, b"app1flux-system"),
    ],
)
def test_the_path_digests_token_name_and_namespace(fields: Any, digested: bytes) -> None:
    assert receiver_path(make_receiver(**fields)) == "/hook/" + sha256(digested).hexdigest()


def test_a_receiver_whose_token_is_gone_is_not_called_without_one() -> None:
    with pytest.raises(UnusableToken, match="could not be read"):
        receiver_path(make_receiver(token=None))


def test_every_type_has_its_own_headers() -> None:
    signature = "sha256=" + new_hmac(b"token", BODY, sha256).hexdigest()
    expected: dict[str, dict[str, str]] = {
        "generic": {},
        "generic-hmac": {"X-Signature": signature},
        "generic-oidc": {"Authorization": "Bearer jwt.part.sig"},
        "github": {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature},
        "gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "token"},
        "bitbucket": {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": signature},
    }
    for kind, headers in expected.items():
        made = call_headers(make_receiver(type=kind), BODY, bearer=b"jwt.part.sig\n")
        assert made == {"Content-Type": "application/json", **headers}


def test_signatures_are_not_of_a_weaker_digest() -> None:
    weak = new_hmac(b"token", BODY, sha1).hexdigest()
    for kind in ("generic-hmac", "github", "bitbucket"):
        assert weak not in str(call_headers(make_receiver(type=kind), BODY, bearer=None))


@pytest.mark.parametrize("token", [b"canary\n", b"\rcanary", b"can\x00ary", b" canary", b"c\x7fy"])
def test_a_token_that_http_would_alter_is_refused_and_not_shown(token: bytes) -> None:
    receiver = make_receiver(type="gitlab", token=Secret(token))
    with pytest.raises(UnusableToken) as caught:
        call_headers(receiver, BODY, bearer=None)
    assert "canary" not in str(caught.value)
    assert "prod/flux-system/app1" in str(caught.value)


def test_a_token_that_is_only_signed_with_may_hold_any_byte() -> None:
    for kind in ("generic", "generic-hmac", "github", "bitbucket"):
        receiver = make_receiver(type=kind, token=Secret(b"\x00\r\n\xff"))
        assert "\r" not in str(call_headers(receiver, BODY, bearer=None).values())


def test_a_token_beyond_ascii_keeps_its_bytes() -> None:
    token = "schlüssel".encode()
    headers = call_headers(make_receiver(type="gitlab", token=Secret(token)), BODY, bearer=None)
    assert headers["X-Gitlab-Token"].encode("latin-1") == token


@pytest.mark.parametrize("bearer", [None, b"", b" \n", b"two\nlines"])
def test_an_unusable_bearer_is_refused(bearer: bytes | None) -> None:
    with pytest.raises(UnusableToken):
        call_headers(make_receiver(type="generic-oidc", token=None), BODY, bearer=bearer)


def test_the_body_names_the_newest_commit_and_all_that_the_call_serves() -> None:
    claim = make_claim(
        make_asked(1, layer="databases"),
        make_asked(2),
        make_asked(2, layer="databases"),
        make_asked(3, ref=None, commit=None, delivery="notify-1"),
    )
    assert json.loads(call_body(claim)) == {
        "repository": "fleet",
        "ref": "refs/heads/main",
        "commit": f"{2:040x}",
        "layers": ["databases", "app1"],
        "deliveries": ["delivery-1", "delivery-2", "notify-1"],
    }


def test_a_call_that_no_push_asked_for_names_no_commit() -> None:
    body = json.loads(call_body(make_claim(make_asked(1, ref=None, commit=None))))
    assert (body["repository"], body["ref"], body["commit"]) == ("fleet", None, None)


def test_a_claim_without_askers_still_makes_a_json_object() -> None:
    body = json.loads(call_body(make_claim()))
    assert body["layers"] == [] and body["commit"] is None


def test_a_huge_backlog_names_its_newest_deliveries_only() -> None:
    claim = make_claim(*(make_asked(number) for number in range(MAX_DELIVERIES_NAMED + 1)))
    deliveries = json.loads(call_body(claim))["deliveries"]
    assert len(deliveries) == MAX_DELIVERIES_NAMED
    assert deliveries[-1] == f"delivery-{MAX_DELIVERIES_NAMED}"


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_any_text_makes_a_body_and_a_path(name: str, ref: str) -> None:
    claim = make_claim(make_asked(1, layer=name, ref=ref))
    assert json.loads(call_body(claim))["layers"] == [name]
    assert len(receiver_path(make_receiver(name=name, namespace=ref))) == len("/hook/") + 64


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (301, "redirects are not followed"),
        (308, "redirects are not followed"),
        (400, "token"),
        (404, "path"),
        (413, "size"),
        (500, "notification-controller"),
        (503, "suspended"),
        (418, "answered 418"),
    ],
)
def test_a_status_is_explained_where_flux_gives_it_a_meaning(status: int, word: str) -> None:
    assert word in status_hint(status)
    assert status_hint(status).startswith(f"answered {status}")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 17 ", 17),
        ("0017", 17),
        ("3601", MAX_RETRY_AFTER_SECONDS),
        ("9" * 5000, MAX_RETRY_AFTER_SECONDS),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30),
        ("Thu, 01 Jan 2026 11:59:30 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


@given(st.text())
def test_retry_after_never_fails_and_stays_in_bounds(value: str) -> None:
    seconds = parse_retry_after(value, now=NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS


@given(st.integers(min_value=0, max_value=2**36))
def test_an_http_date_is_read_back(seconds: int) -> None:
    instant = datetime.fromtimestamp(seconds, UTC)
    assert parse_http_date(instant.strftime("%a, %d %b %Y %H:%M:%S GMT")) == instant
