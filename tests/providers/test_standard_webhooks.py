"""Standard Webhooks: signing tokens and public keys, lists of signatures, ids that retries keep."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks.webhooks import Webhook

from router.core.errors import InvalidSignature, SettingsInvalid
from router.core.providers import standard_webhooks as module
from router.core.push import Ignored, Push
from router.core.verify import MAX_PUBLIC_SIGNATURES
from tests.providers.outgoing import push
from tests.providers.signing import (
    NOW_SECONDS,
    OTHER_SECRET,
    OTHER_SIGNING_TOKEN,
    SECRET,
    SIGNING_TOKEN,
    lower_names,
    private_key,
    sample,
    standard_headers,
)

BODY = b'{"ping":true}'


def public_token(secret: bytes) -> bytes:
    return b"whpk_" + b64encode(private_key(secret).public_key().public_bytes_raw())


def private_token(secret: bytes) -> bytes:
    return b"whsk_" + b64encode(private_key(secret).private_bytes_raw())


def entry(secret: bytes, *, seconds: int = int(NOW_SECONDS), message_id: str = "msg_1") -> str:
    """One signature by a private key."""
    content = f"{message_id}.{seconds}.".encode() + BODY
    return "v1a," + b64encode(private_key(secret).sign(content)).decode()


def by_private_key(*entries: str, seconds: int = int(NOW_SECONDS)) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(entries),
    }


def verify(headers: dict[str, str], *secrets: bytes, body: bytes = BODY) -> None:
    module.verify(headers, body, secrets=secrets, now_seconds=NOW_SECONDS)


def test_a_signature_by_a_private_key_verifies_with_its_public_key() -> None:
    headers = by_private_key(entry(SECRET))
    assert module.is_signed(headers)
    verify(headers, public_token(SECRET))
    verify(headers, SIGNING_TOKEN, public_token(OTHER_SECRET), public_token(SECRET))


def test_one_fitting_signature_of_either_kind_is_enough() -> None:
    both = standard_headers(BODY, token=SIGNING_TOKEN)
    both["webhook-signature"] += " " + entry(SECRET)
    for secret in (SIGNING_TOKEN, public_token(SECRET)):
        verify(both, secret)
    verify(by_private_key(entry(OTHER_SECRET), "v9,x", entry(SECRET)), public_token(SECRET))


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        (by_private_key(entry(OTHER_SECRET)), [public_token(SECRET)]),
        (by_private_key(entry(SECRET, message_id="msg_2")), [public_token(SECRET)]),
        (by_private_key(entry(SECRET, seconds=1)), [public_token(SECRET)]),
        # The version of an entry says by which kind of key it is, and no other is tried.
        (by_private_key(entry(SECRET).replace("v1a,", "v1,")), [public_token(SECRET)]),
        (by_private_key(entry(SECRET)), [SIGNING_TOKEN]),
        (standard_headers(BODY, token=SIGNING_TOKEN), [public_token(SECRET)]),
        (standard_headers(BODY, token=OTHER_SIGNING_TOKEN), [SIGNING_TOKEN]),
        # So many signatures are no list of a sender that replaces its key.
        (
            by_private_key(*[entry(OTHER_SECRET)] * MAX_PUBLIC_SIGNATURES, entry(SECRET)),
            [public_token(SECRET)],
        ),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(
    headers: dict[str, str], secrets: list[bytes]
) -> None:
    with pytest.raises(InvalidSignature, match="does not match any secret"):
        verify(headers, *secrets)


@pytest.mark.parametrize("seconds", [int(NOW_SECONDS) - 400, int(NOW_SECONDS) + 400])
def test_a_signature_by_a_private_key_gets_too_old_as_well(seconds: int) -> None:
    headers = by_private_key(entry(SECRET, seconds=seconds), seconds=seconds)
    with pytest.raises(InvalidSignature, match="5 minutes"):
        verify(headers, public_token(SECRET))


@pytest.mark.parametrize(
    "secret",
    [b"", b"whpk_", b"whpk_AAAA", b"whsec_", b"not base64!", private_token(SECRET)],
)
def test_a_secret_that_holds_no_key_verifies_nothing(secret: bytes) -> None:
    for headers in (by_private_key(entry(SECRET)), standard_headers(BODY, token=SIGNING_TOKEN)):
        with pytest.raises(InvalidSignature, match="no secret that can verify"):
            verify(headers, secret)


BARE_KEY = public_token(SECRET).removeprefix(b"whpk_")
RAW_KEY = b64decode(BARE_KEY)
DER_KEY = (
    private_key(SECRET).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize("secret", [BARE_KEY, b64encode(DER_KEY), RAW_KEY.hex().encode()])
def test_a_public_key_without_its_prefix_is_not_taken_for_a_token(secret: bytes) -> None:
    headers = standard_headers(BODY, token=b"whsec_" + secret)
    with pytest.raises(InvalidSignature, match="no secret that can verify"):
        verify(headers, secret)
    with pytest.raises(InvalidSignature, match="does not match any secret"):
        verify(headers, secret, SIGNING_TOKEN)
    assert "put whsec_ or whpk_ before it" in str(module.secret_trouble(secret))


@pytest.mark.parametrize("size", [24, 31, 33, 44, 64])
def test_a_token_that_is_no_public_key_may_lack_its_prefix(size: int) -> None:
    secret = b64encode(b"k" * size)
    verify(standard_headers(BODY, token=secret), secret)
    assert module.secret_trouble(secret) is None


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (SIGNING_TOKEN, None),
        (public_token(SECRET), None),
        (b"whsec_" + BARE_KEY, None),  # a token of 32 bytes, as its prefix says
        (b"whpk_AAAA", "begins with whpk_, and no Ed25519 key follows"),
        (b"whsec_***", "is no signing token"),
        (b"not base64!", "is no signing token"),
        (private_token(SECRET), "is no signing token"),
    ],
)
def test_check_is_told_why_a_secret_can_verify_nothing(secret: bytes, told: str | None) -> None:
    trouble = module.secret_trouble(secret)
    assert trouble is None if told is None else told in str(trouble)


@pytest.mark.parametrize(
    ("value", "has_the_form"),
    [
        ("v1a," + "A" * 86 + "==", True),
        ("v1," + "A" * 43 + "=", True),
        ("v2,x v1," + "A" * 43 + "=", True),
        ("v1a," + "A" * 85 + "B==", False),
        ("v1," + "A" * 86 + "==", False),
        ("v1a,", False),
        ("sha256=" + "0" * 64, False),
        ("", False),
    ],
)
def test_the_form_of_a_signature_tells_whether_the_body_is_read(
    value: str, has_the_form: bool
) -> None:
    assert module.is_signed({"webhook-signature": value}) is has_the_form


def test_a_push_signed_with_a_private_key_reads_back() -> None:
    headers, body = module.encode_push(
        push(), secret=private_token(SECRET), delivery_id="d-1", now_seconds=NOW_SECONDS
    )
    received = lower_names(headers)
    verify(received, public_token(SECRET), body=body)
    result = module.parse_push(received, body)
    assert isinstance(result, Push)
    assert result.delivery_id == "d-1"


def test_a_push_we_send_is_signed_as_the_reference_library_does() -> None:
    headers, body = module.encode_push(
        push(), secret=SIGNING_TOKEN, delivery_id="d-1", now_seconds=NOW_SECONDS
    )
    sent = datetime.fromtimestamp(int(NOW_SECONDS), tz=UTC)
    theirs = Webhook(SIGNING_TOKEN.decode()).sign("d-1", sent, body.decode())
    assert headers["webhook-signature"] == theirs


@pytest.mark.parametrize("secret", [b"whsec_***", b"whsk_***", b"whsk_AAAA", b"an old secret"])
def test_a_secret_without_a_key_cannot_sign(secret: bytes) -> None:
    with pytest.raises(SettingsInvalid, match="the secret"):
        module.encode_push(push(), secret=secret, delivery_id="d-1", now_seconds=NOW_SECONDS)


def test_the_body_is_that_of_generic_and_the_id_is_the_signed_one() -> None:
    headers, body = sample("standard-webhooks", "push")
    result = module.parse_push(headers | {"x-delivery-id": "other"}, body)
    assert isinstance(result, Push)
    assert result.delivery_id == headers["webhook-id"]
    result = module.parse_push({"content-type": "application/json"}, BODY)
    assert result == Ignored(reason="a ping: the webhook reaches us")
