"""Signatures, tokens and credentials: what verifies, and every way in which it does not."""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from router.core.errors import InvalidSignature
from router.core.model import Secret
from router.core.routing import BasicAuth, HeaderAuth, PathAuth, SecretAuth
from router.core.verify import (
    sign_sha256,
    sign_standard,
    signing_key,
    verify_auth,
    verify_sha256,
    verify_standard,
    verify_token,
)

NOW_SECONDS = 1_773_476_813.25
BODY = b'{"ref":"refs/heads/main"}'
SECRET = b"correct horse"
TOKEN = b"whsec_" + b64encode(b"a key of thirty-two bytes, sure!")


def standard_headers(
    token: bytes = TOKEN, *, seconds: str = "1773476813", message_id: str = "msg_1"
) -> dict[str, str]:
    key = signing_key(token)
    assert key is not None
    signature = sign_standard(BODY, key=key, message_id=message_id, timestamp=seconds)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": signature,
    }


def check_standard(headers: dict[str, str], *secrets: bytes) -> None:
    verify_standard(headers, BODY, secrets=secrets, now_seconds=NOW_SECONDS)


@given(st.binary(min_size=1), st.binary())
def test_a_signature_is_the_hmac_that_the_standard_library_makes(
    secret: bytes, body: bytes
) -> None:
    assert sign_sha256(body, secret=secret) == hmac.new(secret, body, sha256).hexdigest()


GOOD = sign_sha256(BODY, secret=SECRET)


@pytest.mark.parametrize(
    "secrets", [[SECRET], [b"old", SECRET], [SECRET, b"new"], [b"", SECRET], [SECRET, SECRET]]
)
def test_any_of_several_secrets_verifies(secrets: list[bytes]) -> None:
    verify_sha256({"x-s": f"p={GOOD}"}, BODY, header="X-S", secrets=secrets, prefix="p=")


@pytest.mark.parametrize(
    "signature",
    [
        GOOD,  # without the prefix
        f"p={GOOD.upper()}",
        f"P={GOOD}",
        f" p={GOOD}",
        f"p={GOOD} ",
        f"p={GOOD}, p={GOOD}",  # sent twice
        f"p={GOOD[:-1]}",
        f"p={GOOD}0",
        "p=",
        "p",
        "ÿ" * 66,
        "☃",  # no header can hold it
        "p=" + sign_sha256(BODY, secret=b"another"),
        "p=" + sign_sha256(b"another", secret=SECRET),
        "p=" + hmac.new(SECRET, BODY, "sha1").hexdigest(),
    ],
)
def test_anything_but_the_exact_signature_is_refused(signature: str) -> None:
    with pytest.raises(InvalidSignature, match="does not match any secret of this hook"):
        verify_sha256({"x-s": signature}, BODY, header="X-S", secrets=[SECRET], prefix="p=")


@pytest.mark.parametrize("headers", [{}, {"x-s": ""}])
def test_a_missing_or_empty_header_is_named(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature, match=r"^no X-S header$"):
        verify_sha256(headers, BODY, header="X-S", secrets=[SECRET])
    with pytest.raises(InvalidSignature, match=r"^no X-S header$"):
        verify_token(headers, header="X-S", secrets=[SECRET])


@pytest.mark.parametrize("secrets", [[], [b""], [b"", b""]])
def test_an_empty_secret_never_verifies(secrets: list[bytes]) -> None:
    forged = sign_sha256(BODY, secret=b"")
    with pytest.raises(InvalidSignature, match="no secret"):
        verify_sha256({"x-s": forged}, BODY, header="X-S", secrets=secrets)
    with pytest.raises(InvalidSignature, match="no secret"):
        verify_token({"x-s": "a"}, header="X-S", secrets=secrets)
    with pytest.raises(InvalidSignature, match="no secret"):
        check_standard(standard_headers(), *secrets)


@given(st.binary(min_size=1).filter(lambda secret: secret.strip() == secret))
def test_a_token_of_any_bytes_verifies_as_a_server_hands_it_over(secret: bytes) -> None:
    verify_token({"x-t": secret.decode("latin-1")}, header="X-T", secrets=[b"other", secret])


@given(st.text(min_size=1), st.binary(min_size=1))
def test_a_token_verifies_only_if_its_bytes_are_the_secret(token: str, secret: bytes) -> None:
    is_same = all(ord(char) < 256 for char in token) and token.encode("latin-1") == secret
    try:
        verify_token({"x-t": token}, header="X-T", secrets=[secret])
    except InvalidSignature:
        assert not is_same
    else:
        assert is_same


def test_the_reference_library_accepts_our_standard_signature() -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the library reads the clock
    headers = standard_headers(seconds=str(int(now.timestamp())))
    Webhook(TOKEN.decode()).verify(BODY, headers)


@given(st.text(min_size=1, alphabet=st.characters(codec="ascii", exclude_categories=["C", "Z"])))
def test_we_accept_the_signature_of_the_reference_library(message_id: str) -> None:
    sent = datetime.fromtimestamp(int(NOW_SECONDS), tz=UTC)
    signature = Webhook(TOKEN.decode()).sign(message_id, sent, BODY.decode())
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(NOW_SECONDS)),
        "webhook-signature": signature,
    }
    check_standard(headers, TOKEN)


def test_one_fitting_signature_in_a_list_is_enough() -> None:
    headers = standard_headers()
    good = headers["webhook-signature"]
    for text in (f"v1,AAAA {good}", f"{good} v1,AAAA", f"v1a,AAAA v2,AAAA {good}", f"  {good} "):
        check_standard(headers | {"webhook-signature": text}, b"whsec_!!", TOKEN)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": " "},
        {"webhook-signature": "☃"},
        {"webhook-id": "msg_2"},
        {"webhook-id": "☃"},
        {"webhook-timestamp": "1773476814"},
    ],
)
def test_a_changed_standard_header_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature, match="does not match any secret"):
        check_standard(standard_headers() | change, TOKEN)


def test_a_signature_of_another_version_is_refused() -> None:
    headers = standard_headers()
    digest = headers["webhook-signature"].removeprefix("v1,")
    with pytest.raises(InvalidSignature, match="does not match any secret"):
        check_standard(headers | {"webhook-signature": f"v1a,{digest} v2,{digest} {digest}"}, TOKEN)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_all_three_standard_headers_have_to_be_there(header: str) -> None:
    with pytest.raises(InvalidSignature, match=f"^no {header} header$"):
        check_standard(standard_headers() | {header: ""}, TOKEN)


@pytest.mark.parametrize(
    ("seconds", "is_accepted"),
    [
        (1_773_476_514, True),
        (1_773_476_513, False),
        (1_773_477_113, True),
        (1_773_477_114, False),
        (0, False),
    ],
)
def test_a_timestamp_may_be_five_minutes_off_either_way(seconds: int, is_accepted: bool) -> None:
    headers = standard_headers(seconds=str(seconds))
    if is_accepted:
        check_standard(headers, TOKEN)
    else:
        with pytest.raises(InvalidSignature, match="5 minutes off"):
            check_standard(headers, TOKEN)


@pytest.mark.parametrize(
    "seconds", ["x", "-1", "+1773476813", "1773476813.0", "1_7", "9" * 5000, "²"]
)
def test_a_timestamp_that_is_no_number_is_refused(seconds: str) -> None:
    with pytest.raises(InvalidSignature, match="not a number of seconds"):
        check_standard(standard_headers() | {"webhook-timestamp": seconds}, TOKEN)


@pytest.mark.parametrize("token", [b"whsec_", b"whsec_!", b"whsec_abc", b"whsec_\xff\xff\xff\xff"])
def test_a_signing_token_without_a_key_never_verifies(token: bytes) -> None:
    assert signing_key(token) is None
    with pytest.raises(InvalidSignature, match="no secret"):
        check_standard(standard_headers(), token)


def basic(credentials: bytes, scheme: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{scheme} {b64encode(credentials).decode()}"}


BASIC = BasicAuth(username="azür", password=Secret("pass:wörd".encode()))
HEADER = HeaderAuth(name="x-key", value=Secret(b"k\xe4y"))
PATH = PathAuth(token=Secret("tökén".encode()))


@pytest.mark.parametrize(
    ("auth", "headers", "path_token"),
    [
        (BASIC, basic("azür:pass:wörd".encode()), None),
        (BASIC, basic("azür:pass:wörd".encode(), "bAsIc"), "ignored"),
        (BASIC, basic("azür:pass:wörd".encode(), "Basic  "), None),
        (BasicAuth(username="", password=Secret(b"p")), basic(b":p"), None),
        (HEADER, {"x-key": "käy"}, None),
        (PATH, {}, "tökén"),
    ],
)
def test_the_right_credentials_are_accepted(
    auth: SecretAuth, headers: dict[str, str], path_token: str | None
) -> None:
    verify_auth(auth, headers, path_token)


@pytest.mark.parametrize(
    ("auth", "headers", "path_token", "message"),
    [
        (BASIC, {}, None, "no Authorization header"),
        (BASIC, basic(b"azuer:password"), None, "not those of this hook"),
        (BASIC, basic("azür:pass:word".encode()), None, "not those of this hook"),
        (BASIC, basic("azur:pass:wörd".encode()), None, "not those of this hook"),
        (BASIC, basic("azür".encode()), None, "not those of this hook"),
        (BASIC, basic(b":"), None, "not those of this hook"),
        (BASIC, basic("azür:pass:wörd".encode(), "Bearer"), None, "not of the Basic scheme"),
        (BASIC, {"authorization": "Basic"}, None, "not those of this hook"),
        (BASIC, {"authorization": "Basic ☃"}, None, "not of the Basic scheme"),
        (BASIC, {"authorization": "Basic ÿÿÿÿ"}, None, "cannot be decoded"),
        (BASIC, {"authorization": "Basic YQ"}, None, "cannot be decoded"),
        (BASIC, {"authorization": "Basic YTpi, Basic YTpi"}, None, "cannot be decoded"),
        (HEADER, {}, None, "no x-key header"),
        (HEADER, {"x-key": "key"}, None, "not those of this hook"),
        (HEADER, {"x-key": "☃"}, None, "not those of this hook"),
        (PATH, {}, None, "holds no token"),
        (PATH, {}, "", "holds no token"),
        (PATH, {}, "token", "not those of this hook"),
        (PATH, {}, "\udcff\ud800", "not those of this hook"),
    ],
)
def test_anything_else_is_refused(
    auth: SecretAuth, headers: dict[str, str], path_token: str | None, message: str
) -> None:
    with pytest.raises(InvalidSignature, match=message):
        verify_auth(auth, headers, path_token)


EMPTY = Secret(b"")


@pytest.mark.parametrize(
    ("auth", "headers", "path_token"),
    [
        (BasicAuth(username="", password=EMPTY), basic(b":"), None),
        (BasicAuth(username="a", password=EMPTY), basic(b"a:"), None),
        (HeaderAuth(name="x-key", value=EMPTY), {"x-key": ""}, None),
        (PathAuth(token=EMPTY), {}, ""),
    ],
)
def test_empty_credentials_never_verify(
    auth: SecretAuth, headers: dict[str, str], path_token: str | None
) -> None:
    with pytest.raises(InvalidSignature):
        verify_auth(auth, headers, path_token)


@given(st.text(), st.text())
def test_no_header_and_no_path_makes_a_check_crash(value: str, path_token: str) -> None:
    headers = {"authorization": value, "x-key": value}
    for auth in (BASIC, HEADER, PATH):
        with pytest.raises(InvalidSignature):
            verify_auth(auth, headers, path_token)
