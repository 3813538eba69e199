"""What each provider's `verify` accepts and refuses, header by header."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.providers.interface import OutgoingCommit, OutgoingPush
from router.core.providers.table import PROVIDERS, SERVED
from tests.providers.signing import (
    NONCE,
    NOW_SECONDS,
    OTHER_SIGNING_TOKEN,
    SECRET,
    SIGNING_TOKEN,
    hex_signature,
    hook_secret,
    sample_json,
    sender_secret,
    signed,
    standard_headers,
)
from tests.providers.test_samples import read

BODY = b'{"ref":"refs/heads/main"}'
HEX = hex_signature(BODY, secret=SECRET)
JSON = {"content-type": "application/json"}


def verify(provider: str, headers: dict[str, str], *secrets: bytes, body: bytes = BODY) -> None:
    SERVED[provider].verify(headers, body, secrets=secrets or [SECRET], now_seconds=NOW_SECONDS)


def test_github_verifies_the_vector_that_github_publishes() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": signature}
    verify("github", headers, b"It's a Secret to Everybody", body=b"Hello, World!")


@pytest.mark.parametrize("provider", ["bitbucket", "bitbucket-server"])
def test_bitbucket_verifies_the_vector_that_atlassian_publishes(provider: str) -> None:
    """https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/"""
    signature = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    headers = {"x-hub-signature": signature}
    verify(provider, headers, b"It's a Secret to Everybody", body=b"Hello World!")


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("gitlab", {"x-gitlab-token": SECRET.decode()}),
        ("gitea", {"x-gitea-signature": HEX}),
        ("gitea", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("gitea", {"x-gitea-signature": "", "x-hub-signature-256": f"sha256={HEX}"}),
        ("forgejo", {"x-forgejo-signature": HEX, "x-gitea-signature": HEX}),
        ("forgejo", {"x-gitea-signature": HEX}),
        ("generic", {"x-signature": f"sha256={HEX}"}),
        ("ghcr", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("gogs", {"x-gogs-signature": HEX}),
        ("bitbucket", {"x-hub-signature": f"sha256={HEX}"}),
        ("bitbucket-server", {"x-hub-signature": f"sha256={HEX}"}),
    ],
)
def test_a_signature_in_the_providers_header_verifies(
    provider: str, headers: dict[str, str]
) -> None:
    assert SERVED[provider].is_signed(headers)
    verify(provider, headers)


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", {}),
        ("github", {"x-hub-signature-256": ""}),
        ("github", {"x-hub-signature": "sha1=5b9b0aa4c1a5a1fd1b5f9dcd9a3a4b4f4b2bb8a1"}),
        ("github", {"x-gitea-signature": HEX}),
        ("gitlab", {}),
        ("gitlab", {"x-gitlab-token": "", "webhook-signature": ""}),
        ("gitlab", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("gitea", {}),
        # What both send for a webhook without a secret.
        ("gitea", {"x-gitea-signature": "", "x-hub-signature-256": "sha256="}),
        ("forgejo", {"x-forgejo-signature": "", "x-gitea-signature": ""}),
        ("gitea", {"x-hub-signature": "sha1=5b9b0aa4c1a5a1fd1b5f9dcd9a3a4b4f4b2bb8a1"}),
        ("generic", {}),
        ("generic", {"x-signature": ""}),
        ("ghcr", {}),
        ("ghcr", {"x-hub-signature": "sha1=5b9b0aa4c1a5a1fd1b5f9dcd9a3a4b4f4b2bb8a1"}),
        # What Gogs sends for a webhook without a secret.
        ("gogs", {"x-gogs-signature": ""}),
        ("gogs", {"x-gitea-signature": HEX}),
        ("standard-webhooks", {}),
        ("standard-webhooks", {"webhook-id": "a", "webhook-timestamp": "1773476813"}),
        ("standard-webhooks", {"x-signature": f"sha256={HEX}"}),
        ("sourcehut", {}),
        ("sourcehut", {"x-payload-nonce": NONCE}),
        ("sourcehut", {"x-payload-signature": "A" * 86 + "=="}),
        ("bitbucket", {}),
        ("bitbucket", {"x-hub-signature": ""}),
        ("bitbucket", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("bitbucket-server", {"authorization": "Basic cm91dGVyOmh1bnRlcjI="}),
        ("bitbucket-server", {"x-event-key": "diagnostics:ping"}),
    ],
)
def test_a_delivery_without_a_signature_is_refused_before_its_body_is_read(
    provider: str, headers: dict[str, str]
) -> None:
    assert not SERVED[provider].is_signed(headers)
    with pytest.raises(InvalidSignature, match=r"^no .+ header$"):
        verify(provider, headers)


@pytest.mark.parametrize(
    ("provider", "headers", "has_the_form"),
    [
        ("github", {"x-hub-signature-256": HEX}, False),
        ("github", {"x-hub-signature-256": f"sha1={HEX}"}, False),
        ("github", {"x-hub-signature-256": f"sha256={HEX}, sha256={HEX}"}, False),
        ("github", {"x-hub-signature-256": f"sha256={HEX.upper()}"}, False),
        ("github", {"x-hub-signature-256": "sha256=" + "0" * 64}, True),
        ("gitlab", {"x-gitlab-token": SECRET.decode() + " "}, True),
        ("gitea", {"x-gitea-signature": f"sha256={HEX}"}, False),
        # The first signature that is there counts, whatever the others say.
        ("gitea", {"x-gitea-signature": "0" * 64, "x-hub-signature-256": f"sha256={HEX}"}, True),
        ("gitea", {"x-gitea-signature": "0", "x-hub-signature-256": f"sha256={HEX}"}, False),
        ("forgejo", {"x-forgejo-signature": "0" * 64, "x-gitea-signature": HEX}, True),
        ("generic", {"x-signature": HEX}, False),
        ("generic", {"x-signature": f"sha512={HEX}"}, False),
        ("ghcr", {"x-hub-signature-256": f"sha1={HEX}"}, False),
        ("ghcr", {"x-hub-signature-256": "sha256=" + "0" * 64}, True),
        ("gogs", {"x-gogs-signature": f"sha256={HEX}"}, False),
        ("gogs", {"x-gogs-signature": HEX.upper()}, False),
        ("gogs", {"x-gogs-signature": "0" * 64}, True),
        ("bitbucket", {"x-hub-signature": HEX}, False),
        ("bitbucket", {"x-hub-signature": f"sha1={HEX[:40]}"}, False),
        ("bitbucket", {"x-hub-signature": f"sha256={HEX}, sha256={HEX}"}, False),
        ("bitbucket", {"x-hub-signature": "sha256=" + "0" * 64}, True),
        ("bitbucket-server", {"x-hub-signature": f"sha1={HEX}"}, False),
        ("bitbucket-server", {"x-hub-signature": f"sha256={HEX.upper()}"}, False),
        ("bitbucket-server", {"x-hub-signature": "sha256=" + "0" * 64}, True),
    ],
)
def test_a_wrong_signature_is_refused_before_the_body_is_read_if_its_form_is_wrong(
    provider: str, headers: dict[str, str], has_the_form: bool
) -> None:
    assert SERVED[provider].is_signed(headers) is has_the_form
    with pytest.raises(InvalidSignature, match="does not match any secret"):
        verify(provider, headers)


def test_gitlab_verifies_a_signing_token_and_a_secret_token_side_by_side() -> None:
    signature = standard_headers(BODY, token=SIGNING_TOKEN)
    for secrets in ([SIGNING_TOKEN], [SECRET, OTHER_SIGNING_TOKEN, SIGNING_TOKEN]):
        verify("gitlab", signature, *secrets)
        verify("gitlab", signature | {"x-gitlab-token": "whatever"}, *secrets)
    verify("gitlab", {"x-gitlab-token": SECRET.decode()}, SIGNING_TOKEN, SECRET)


def test_gitlab_never_falls_back_from_a_wrong_signature_to_the_token() -> None:
    token = {"x-gitlab-token": SECRET.decode()}
    wrong = token | standard_headers(BODY, token=OTHER_SIGNING_TOKEN)
    with pytest.raises(InvalidSignature, match="does not match"):
        verify("gitlab", wrong, SECRET, SIGNING_TOKEN)
    with pytest.raises(InvalidSignature, match="no whsec_ signing token"):
        verify("gitlab", wrong, SECRET)


def test_gitlab_does_not_take_a_signing_token_as_a_secret_token() -> None:
    with pytest.raises(InvalidSignature, match="no secret"):
        verify("gitlab", {"x-gitlab-token": SIGNING_TOKEN.decode()}, SIGNING_TOKEN)


def test_gitlab_refuses_a_signature_that_is_too_old() -> None:
    headers = standard_headers(BODY, token=SIGNING_TOKEN, timestamp=int(NOW_SECONDS) - 600)
    with pytest.raises(InvalidSignature, match="5 minutes"):
        verify("gitlab", headers, SIGNING_TOKEN)


FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_github_s_registry_signs_the_form_too() -> None:
    form = b"payload=%7B%22a%22%3A+1%7D"
    over_form = hex_signature(form, secret=SECRET)
    verify("ghcr", FORM | {"x-hub-signature-256": f"sha256={over_form}"}, body=form)


@pytest.mark.parametrize("provider", ["github", "ghcr"])
def test_a_signed_json_body_that_is_called_a_form_is_not_read_as_one(provider: str) -> None:
    headers, payload = sample_json(provider, "push")
    inner = quote_plus(json.dumps(payload))
    body = json.dumps({"commits": [{"message": f"Tidy up &payload={inner}&"}]}).encode()
    told = signed(provider, headers, body, secret=SECRET) | FORM
    verify(provider, told, body=body)
    with pytest.raises(MalformedPayload, match="the form does not begin with its payload"):
        read(provider, told, body)


def test_github_signs_the_form_and_gitea_the_json_inside() -> None:
    form = b"payload=%7B%22a%22%3A+1%7D"
    over_form = hex_signature(form, secret=SECRET)
    over_json = hex_signature(b'{"a": 1}', secret=SECRET)
    verify("github", FORM | {"x-hub-signature-256": f"sha256={over_form}"}, body=form)
    verify("gitea", FORM | {"x-gitea-signature": over_json}, body=form)
    verify("gogs", FORM | {"x-gogs-signature": over_json}, body=form)
    with pytest.raises(InvalidSignature):
        verify("github", FORM | {"x-hub-signature-256": f"sha256={over_json}"}, body=form)
    with pytest.raises(InvalidSignature):
        verify("gitea", FORM | {"x-gitea-signature": over_form}, body=form)
    with pytest.raises(InvalidSignature):
        verify("gogs", FORM | {"x-gogs-signature": over_form}, body=form)


@pytest.mark.parametrize("provider", ["gitea", "gogs"])
def test_a_form_without_a_payload_is_refused(provider: str) -> None:
    with pytest.raises(InvalidSignature, match="the form does not begin with its payload"):
        verify(provider, FORM | {f"x-{provider}-signature": HEX}, body=b"other=1")


def small_push() -> OutgoingPush:
    commit = OutgoingCommit(
        id="b" * 40,
        message="Raise",
        timestamp="2026-03-14T09:26:53+01:00",
        author_name="Ada",
        author_email="ada@acme.example",
        modified=("a.yaml",),
    )
    return OutgoingPush(
        repository_url="https://git.acme.example/acme/fleet.git",
        ref="refs/heads/main",
        before="a" * 40,
        after="b" * 40,
        forced=False,
        commits=(commit,),
    )


STANDARD = ["webhook-signature", "webhook-id", "webhook-timestamp"]
PROOFS = [
    ("github", SECRET, ["x-hub-signature-256"]),
    ("gitlab", SIGNING_TOKEN, STANDARD),
    ("gitea", SECRET, ["x-gitea-signature"]),
    ("forgejo", SECRET, ["x-forgejo-signature"]),
    ("generic", SECRET, ["x-signature"]),
    ("gogs", SECRET, ["x-gogs-signature"]),
    ("standard-webhooks", SECRET, STANDARD),
    ("sourcehut", SECRET, ["x-payload-signature", "x-payload-nonce"]),
    ("bitbucket", SECRET, ["x-hub-signature"]),
    ("bitbucket-server", SECRET, ["x-hub-signature"]),
]


@pytest.mark.parametrize(("provider", "secret", "proof"), PROOFS)
def test_every_change_of_one_bit_is_refused(provider: str, secret: bytes, proof: list[str]) -> None:
    sender = sender_secret(provider, secret)
    raw_headers, body = PROVIDERS[provider].encode_push(
        small_push(), secret=sender, delivery_id="d-1", now_seconds=NOW_SECONDS
    )
    secret = hook_secret(provider, secret)
    headers = {name.lower(): value for name, value in raw_headers.items()}
    verify(provider, headers, secret, body=body)
    for position in range(len(body) * 8):
        changed = bytearray(body)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidSignature):
            verify(provider, headers, secret, body=bytes(changed))
    for name in proof:
        for position in range(len(headers[name]) * 8):
            letters = bytearray(headers[name].encode("latin-1"))
            letters[position // 8] ^= 1 << position % 8
            with pytest.raises(InvalidSignature):
                verify(provider, headers | {name: letters.decode("latin-1")}, secret, body=body)


def test_every_change_of_one_bit_of_a_secret_token_is_refused() -> None:
    for position in range(len(SECRET) * 8):
        letters = bytearray(SECRET)
        letters[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidSignature):
            verify("gitlab", {"x-gitlab-token": letters.decode("latin-1")})
