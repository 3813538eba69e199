"""SourceHut: what is told depends on the query of the webhook, and never which ref is new."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from router.core.errors import InvalidSignature, MalformedPayload, SettingsInvalid
from router.core.providers import sourcehut
from router.core.push import Ignored, Push
from tests.providers.outgoing import push
from tests.providers.signing import (
    NONCE,
    NOW_SECONDS,
    OTHER_SECRET,
    SAMPLES,
    SECRET,
    hook_secret,
    private_key,
    sample,
    sample_json,
    sender_secret,
    signed,
)

OLD, NEW = "8f3c1d5b7a9e2460c8d4f1b36e5a7902d1c4b8e6", "1be07c95d2f84a63907b5ce1f48d2a36b09c7e15"
MAIN = {"ref": {"name": "refs/heads/main"}, "old": {"id": OLD}, "new": {"id": NEW}}
BORN = {"ref": None, "old": None, "new": {"id": NEW}}
GONE = {"ref": None, "old": {"id": OLD}, "new": None}
HEADERS, _ = sample("sourcehut", "push")


def answer(*updates: Any, **changes: Any) -> dict[str, Any]:
    """The answer to the documented query, with fields replaced, or removed where they are `...`."""
    _, payload = sample_json("sourcehut", "push")
    webhook = payload["data"]["webhook"] | {"updates": list(updates)} | changes
    payload["data"]["webhook"] = {key: value for key, value in webhook.items() if value is not ...}
    return dict(payload)


def read(payload: Any, headers: dict[str, str] = HEADERS) -> Push | Ignored:
    return sourcehut.parse_push(headers, json.dumps(payload).encode())


def without(update: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in update.items() if key != field}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (answer(BORN), sourcehut.NO_REF),
        (answer(MAIN, BORN, GONE), sourcehut.NO_REF),
        (answer(MAIN, repository=None), sourcehut.NO_REPOSITORY),
        (answer(MAIN, repository=...), sourcehut.NO_REPOSITORY),
        (answer(updates=None), sourcehut.NO_UPDATES),
        (answer(updates=...), sourcehut.NO_UPDATES),
        # What was not asked for is not what is not there: no new side is no deleted ref.
        (answer(without(MAIN, "new")), sourcehut.NO_UPDATES),
        (answer(without(GONE, "new")), sourcehut.NO_UPDATES),
        (answer(without(MAIN, "old")), sourcehut.NO_UPDATES),
        (answer(without(MAIN, "ref")), sourcehut.NO_UPDATES),
        (answer(MAIN, None), sourcehut.NO_ANSWER),
        # Where a part of the answer failed, a null may stand for anything.
        (answer(GONE) | {"errors": [{"message": "timeout"}]}, sourcehut.NO_ANSWER),
        ({"errors": [{}], "data": None}, sourcehut.NO_ANSWER),
        ({"errors": [{}]}, sourcehut.NO_ANSWER),
        ({"errors": [{}], "data": {"webhook": None}}, sourcehut.NO_ANSWER),
    ],
)
def test_what_the_answer_does_not_tell_makes_any_ref_of_the_repository_move(
    payload: Any, why: str
) -> None:
    result = read(payload)
    assert isinstance(result, Push)
    assert (result.refs_not_told, result.updates) == (why, ())
    has_repository = bool(((payload.get("data") or {}).get("webhook") or {}).get("repository"))
    assert result.repository_path == ("~adaquill/fleet" if has_repository else None)
    assert result.delivery_id == HEADERS["x-webhook-delivery"]


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        ([GONE], "a deleted ref notifies nothing"),
        ([GONE, GONE], "a deleted ref notifies nothing"),
        ([], "no ref was updated"),
        ([MAIN | {"old": {"id": NEW}}], "nothing moved"),
    ],
)
def test_an_answer_without_a_moved_ref_is_ignored(updates: list[Any], reason: str) -> None:
    result = read(answer(*updates))
    assert isinstance(result, Ignored)
    assert result.reason.startswith(reason)


@pytest.mark.parametrize(
    ("update", "sides"),
    [
        (MAIN | {"old": None}, ("0" * 40, NEW)),
        (MAIN | {"new": None}, (OLD, "0" * 40)),
        (MAIN | {"old": None, "new": {"id": "a" * 64}}, ("0" * 64, "a" * 64)),
    ],
)
def test_a_side_that_is_not_there_is_told_by_zeros_where_the_ref_has_a_name(
    update: Any, sides: tuple[str, str]
) -> None:
    result = read(answer(update))
    assert isinstance(result, Push)
    assert [(each.before, each.after) for each in result.updates] == [sides]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "not the answer to the query"),
        ({"data": None}, "not the answer to the query"),
        ({"data": {}}, "not the answer to the query"),
        ({"data": {"webhook": None}}, "not the answer to the query"),
        ({"data": {"webhook": None}, "errors": []}, "not the answer to the query"),
        ({"data": []}, r"\$\.data"),
        ({"data": {"webhook": "x"}}, r"\$\.data\.webhook"),
        (answer(MAIN) | {"errors": {}}, r"\$\.errors"),
        (answer(MAIN, uuid=5), r"\.uuid"),
        (answer(MAIN, repository={}), "missing required field"),
        (answer(MAIN, repository={"name": "fleet"}), "missing required field `owner`"),
        (answer(MAIN, repository={"name": "fleet", "owner": None}), r"\.owner"),
        (answer(MAIN, repository={"name": "fleet", "owner": {}}), "`canonicalName`"),
        (answer(MAIN, repository={"name": "", "owner": {"canonicalName": "~a"}}), "has no name"),
        (answer(updates="x"), r"\.updates"),
        (answer({"ref": "refs/heads/main"}), r"\.ref"),
        (answer(MAIN | {"ref": {}}), "missing required field `name`"),
        (answer(MAIN | {"ref": {"name": None}}), r"\.ref\.name"),
        (answer(MAIN | {"ref": {"name": "main"}}), "full name of a ref"),
        (answer(MAIN | {"new": {}}), "missing required field `id`"),
        (answer(MAIN | {"new": {"id": NEW[:7]}}), "after is not a commit id"),
        (answer(MAIN | {"old": {"id": ""}}), "before is not a commit id"),
        (answer(MAIN | {"old": {"id": ""}, "new": None}), "is not a commit id"),
    ],
)
def test_an_answer_that_cannot_be_one_is_malformed(payload: Any, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        read(payload)


def test_more_objects_than_can_be_held_are_malformed() -> None:
    body = b'{"data":{"webhook":{"updates":[' + b"{}," * 100_000 + b"{}]}}}"
    with pytest.raises(MalformedPayload, match="braces"):
        sourcehut.parse_push(HEADERS, body)


@pytest.mark.parametrize("payload", [{}, {"push": "a"}, {"refs": [], "push": 1}, {"ref": "a"}])
def test_a_legacy_body_that_cannot_be_one_is_malformed(payload: Any) -> None:
    headers = HEADERS | {"x-webhook-event": "repo:post-update"}
    with pytest.raises(MalformedPayload, match="cannot be read"):
        read(payload, headers)


OTHERS = sorted(
    folder.parent.parent.name
    for folder in SAMPLES.glob("*/push/body")
    if folder.parent.parent.name != "sourcehut"
)


@pytest.mark.parametrize("provider", OTHERS)
@pytest.mark.parametrize("event", ["GIT_POST_RECEIVE", "repo:post-update"])
def test_a_body_of_another_provider_is_refused(provider: str, event: str) -> None:
    _, body = sample(provider, "push")
    with pytest.raises(MalformedPayload):
        sourcehut.parse_push(HEADERS | {"x-webhook-event": event}, body)


def test_the_id_in_the_body_is_the_one_that_counts_because_it_is_signed() -> None:
    uuid = HEADERS["x-webhook-delivery"]
    other = HEADERS | {"x-webhook-delivery": "made up by who sends it again"}
    assert read(answer(MAIN), other).delivery_id == uuid
    assert read(answer(MAIN, uuid=...)).delivery_id == uuid
    none = {key: value for key, value in HEADERS.items() if key != "x-webhook-delivery"}
    assert read(answer(MAIN, uuid=None), none).delivery_id is None


BODY = json.dumps(answer(MAIN)).encode()
PROOF = signed("sourcehut", HEADERS, BODY, secret=SECRET)
KEY = hook_secret("sourcehut", SECRET)


def verify(headers: dict[str, str], *keys: bytes, body: bytes = BODY) -> None:
    sourcehut.verify(headers, body, secrets=keys or [KEY], now_seconds=NOW_SECONDS)


def by(secret: bytes, content: bytes) -> dict[str, str]:
    signature = b64encode(private_key(secret).sign(content)).decode()
    return {"x-payload-signature": signature}


@pytest.mark.parametrize("body", [BODY, bytearray(BODY)])
def test_the_signature_is_over_body_and_nonce(body: bytes) -> None:
    verify(PROOF, body=body)
    verify(PROOF, b"", hook_secret("sourcehut", OTHER_SECRET), KEY + b"\n", body=body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x-payload-nonce": ""}, "^no X-Payload-Nonce header$"),
        ({"x-payload-signature": ""}, "^no X-Payload-Signature header$"),
        ({"x-payload-nonce": NONCE[:-1]}, "is not hex"),
        ({"x-payload-nonce": NONCE.upper()}, "is not hex"),
        ({"x-payload-nonce": NONCE + "é"}, "is not hex"),
        ({"x-payload-nonce": "0" * 16}, "does not match"),
        ({"x-payload-signature": "☃"}, "no X-Payload-Signature|does not match"),
        (by(OTHER_SECRET, BODY + NONCE.encode()), "does not match"),
        (by(SECRET, BODY), "does not match"),
        (by(SECRET, NONCE.encode() + BODY), "does not match"),
        (by(SECRET, BODY + b" " + NONCE.encode()), "does not match"),
    ],
)
def test_any_other_signature_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSignature, match=message):
        verify(PROOF | change)


@pytest.mark.parametrize("key", [b"", b"whpk_" + KEY, KEY[:-4], b"It's a secret", b"\xff"])
def test_a_secret_that_is_no_public_key_verifies_nothing(key: bytes) -> None:
    with pytest.raises(InvalidSignature, match="no secret that can verify"):
        verify(PROOF, key)


def test_the_body_and_the_nonce_cannot_be_cut_elsewhere() -> None:
    """Both are signed as one text, so that a nonce which is not hex could take a part of a body."""
    moved = PROOF | {"x-payload-nonce": BODY[-1:].decode() + NONCE}
    with pytest.raises(InvalidSignature, match="is not hex"):
        verify(moved, body=BODY[:-1])
    longer = BODY + NONCE[:8].encode()
    with pytest.raises(InvalidSignature, match="is not hex"):
        verify(PROOF | {"x-payload-nonce": NONCE[8:]}, body=longer)


@pytest.mark.parametrize("secret", [b"", KEY[:-4], b"not base64!", b"whsk_" + KEY])
def test_a_push_is_signed_with_a_private_key_only(secret: bytes) -> None:
    with pytest.raises(SettingsInvalid, match="no Ed25519 private key"):
        sourcehut.encode_push(push(), secret=secret, delivery_id="d-1", now_seconds=NOW_SECONDS)


@pytest.mark.parametrize(
    ("url", "owner"),
    [("https://git.sr.ht/~adaquill/fleet", "~adaquill"), ("https://git.acme.example/fleet", "")],
)
def test_a_push_we_send_names_the_repository_by_its_owner(url: str, owner: str) -> None:
    headers, body = sourcehut.encode_push(
        push(repository_url=url),
        secret=sender_secret("sourcehut", SECRET),
        delivery_id="d-1",
        now_seconds=NOW_SECONDS,
    )
    repository = json.loads(body)["data"]["webhook"]["repository"]
    assert repository == {"name": "fleet", "owner": {"canonicalName": owner}}
    assert headers["X-Webhook-Event"] == "GIT_POST_RECEIVE"
    result = sourcehut.parse_push({name.lower(): value for name, value in headers.items()}, body)
    assert isinstance(result, Push)
    assert result.repository_path == f"{owner}/fleet".lstrip("/")
