"""Which bearer tokens are accepted, and from whom."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from router.core.errors import InvalidSignature
from router.core.oidc import (
    LEEWAY_SECONDS,
    MAX_TOKEN_CHARACTERS,
    UnknownKey,
    bearer_token,
    parse_keys,
    verify_token,
)
from router.core.routing import OidcAuth

NOW = 1_773_476_813.0
ISSUER = "https://accounts.example.com"
AUTH = OidcAuth(issuer=ISSUER, audience="us", email="push@acme.example")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def key_set() -> dict[str, Any]:
    rsa_key = json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key()))
    ec_key = json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key()))
    return {"keys": [{**rsa_key, "kid": "r", "use": "sig"}, {**ec_key, "kid": "e"}]}


KEYS = parse_keys(json.dumps(key_set()).encode())


def claims(**changes: Any) -> dict[str, Any]:
    given = {"iss": ISSUER, "aud": "us", "iat": int(NOW) - 5, "exp": int(NOW) + 300}
    given |= {"email": "push@acme.example", "email_verified": True}
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def make(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "r", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": kid})


def verify(token: str, auth: OidcAuth = AUTH) -> None:
    verify_token(token, auth, keys=KEYS, now_seconds=NOW)


def test_a_token_of_the_issuer_is_accepted_by_either_algorithm() -> None:
    verify(make())
    verify(make(EC_KEY, "ES256", "e"))
    verify(make(aud=["others", "us"]))
    verify(make(email=None), OidcAuth(issuer=ISSUER, audience="us"))
    verify(make(exp=int(NOW) - LEEWAY_SECONDS + 1, iat=int(NOW) + LEEWAY_SECONDS))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "others"}, "made for another audience"),
        ({"iss": "https://evil.example"}, "another issuer made it"),
        ({"iss": ISSUER + "/"}, "another issuer made it"),
        ({"exp": int(NOW) - LEEWAY_SECONDS}, "expired"),
        ({"iat": int(NOW) + LEEWAY_SECONDS + 1}, "not good yet"),
        ({"nbf": int(NOW) + LEEWAY_SECONDS + 1}, "not good yet"),
        ({"email": "else@acme.example"}, "its email is another one"),
        ({"email_verified": False}, "its email is another one"),
        ({"email_verified": "true"}, "its email is another one"),
        ({"email": None}, "its email is another one"),
        ({"exp": None}, "lacks a claim"),
        ({"iat": None}, "lacks a claim"),
        ({"aud": None}, "lacks a claim|another audience"),
        ({"nbf": True}, "its nbf is no time"),
        ({"nbf": "now"}, "its nbf is no time"),
        # Python reads these from JSON, and a comparison with NaN refuses nothing.
        ({"exp": nan}, "its exp is no time"),
        ({"exp": inf}, "its exp is no time"),
    ],
)
def test_a_token_for_others_or_of_another_time_is_refused(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidSignature, match=why):
        verify(make(**changes))


def test_a_token_that_the_issuer_did_not_sign_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="did not sign it"):
        verify(make(OTHER_KEY))
    head, _, signature = make().split(".")
    forged = jwt.encode(claims(aud="x"), RSA_KEY, "RS256", headers={"kid": "r"}).split(".")[1]
    with pytest.raises(InvalidSignature, match="did not sign it"):
        verify(".".join([head, forged, signature]))
    with pytest.raises(UnknownKey):
        verify(make(kid="new"))


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff"])
def test_a_signed_token_without_claims_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidSignature, match="it cannot be read"):
        verify(jwt.PyJWS().encode(content, RSA_KEY, "RS256", headers={"kid": "r"}))


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        ("", "none", "r"),
        ("a public key taken for a secret, long enough", "HS256", "r"),
        (RSA_KEY, "RS512", "r"),
        (RSA_KEY, "PS256", "r"),
        (RSA_KEY, "RS256", "e"),  # the key of that id is of another kind
    ],
)
def test_no_other_algorithm_counts(key: Any, algorithm: str, kid: str) -> None:
    with pytest.raises(InvalidSignature, match=r"not signed by RS256 or ES256|of another kind"):
        verify(make(key, algorithm, kid))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", make()[:-3], make() + "x", "ü.ü.ü"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        verify(token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer abc "}, "abc"),
        ({}, None),
        ({"authorization": "Basic abc"}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "Bearer "}, None),
        ({"authorization": "Bearer " + "x" * (MAX_TOKEN_CHARACTERS + 1)}, None),
    ],
)
def test_the_token_is_the_authorization_header_s(
    headers: dict[str, str], token: str | None
) -> None:
    if token is not None:
        assert bearer_token(headers) == token
        return
    with pytest.raises(InvalidSignature, match="Authorization header"):
        bearer_token(headers)


def test_only_keys_that_can_be_used_are_kept() -> None:
    document = key_set()
    good = document["keys"][0]
    document["keys"] += [
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": 5},
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {},
    ]
    assert sorted(parse_keys(json.dumps(document).encode())) == ["e", "r"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5]}', b"\xff"])
def test_what_is_no_key_set_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        parse_keys(content)
