"""OIDC bearer tokens: who made them, for whom, and whether they are still good. Pure.

https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import jwt
import msgspec

from router.core.errors import InvalidSignature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.routing import OidcAuth

ALGORITHMS = ("RS256", "ES256")
"""Of signatures by a private key; a token that names any other, or none, is refused."""

LEEWAY_SECONDS = 60
"""How far the issuer's clock may be from ours."""

MAX_TOKEN_CHARACTERS = 16 * 1024
"""Tokens of the big issuers have one or two thousand."""

MAX_KEYS = 100
"""Keys of one issuer; they have two or three, and some while these are replaced."""

Keys: TypeAlias = "Mapping[str, jwt.PyJWK]"
"""An issuer's public keys, by their ids."""

_WRONG = "the bearer token is not one that this hook accepts"


class UnknownKey(InvalidSignature):
    """The token is signed by a key that is not among those at hand; it may be a new one."""


class _Document(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


_DECODER = msgspec.json.Decoder(_Document)


def parse_keys(content: bytes) -> Keys:
    """The usable keys of a JSON Web Key Set, those of other kinds left out. Raises ValueError.

    https://www.rfc-editor.org/rfc/rfc7517#section-5
    """
    try:
        document = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("the issuer's keys cannot be read") from error
    keys = {}
    for entry in document.keys[:MAX_KEYS]:
        kid = entry.get("kid")
        algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
        if not isinstance(kid, str) or algorithm is None or entry.get("use", "sig") != "sig":
            continue
        try:
            keys[kid] = jwt.PyJWK(entry, algorithm)
        except jwt.PyJWTError:
            continue
    return keys


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token of the Authorization header. Raises InvalidSignature."""
    value = headers.get("authorization", "")
    if not value:
        raise InvalidSignature("no Authorization header")
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidSignature("the Authorization header holds no bearer token")
    return token.strip()


def verify_token(token: str, auth: OidcAuth, *, keys: Keys, now_seconds: float) -> None:
    """Check that *auth*'s issuer made *token* for its audience, and email if it names one.

    Raises UnknownKey, or InvalidSignature that says what is wrong and repeats nothing of the token.
    """
    key = _key_of(token, keys)
    try:
        claims = jwt.decode(
            token,
            key=key,
            algorithms=[key.algorithm_name],
            audience=auth.audience,
            issuer=auth.issuer,
            options={
                "require": ["exp", "iat", "iss", "aud"],
                # These need a clock, which is the caller's.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise InvalidSignature(f"{_WRONG}: {_told(error)}") from None
    _check_times(claims, now_seconds)
    if auth.email is not None:
        is_theirs = claims.get("email") == auth.email and claims.get("email_verified") is True
        if not is_theirs:
            raise InvalidSignature(f"{_WRONG}: its email is another one, or not verified")


def _key_of(token: str, keys: Keys) -> jwt.PyJWK:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidSignature("the bearer token is no JSON Web Token") from error
    if header.get("alg") not in ALGORITHMS:
        raise InvalidSignature(f"{_WRONG}: it is not signed by RS256 or ES256")
    key = keys.get(str(header.get("kid", "")))
    if key is None:
        raise UnknownKey(f"{_WRONG}: the issuer has no key of its id")
    if key.algorithm_name != header["alg"]:
        raise InvalidSignature(f"{_WRONG}: its key is of another kind")
    return key


def _check_times(claims: Mapping[str, Any], now_seconds: float) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, now_seconds)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not abs(value) < inf:
            raise InvalidSignature(f"{_WRONG}: its {name} is no time")
    if claims["exp"] <= now_seconds - LEEWAY_SECONDS:
        raise InvalidSignature(f"{_WRONG}: it has expired")
    if max(claims["iat"], claims.get("nbf", 0)) > now_seconds + LEEWAY_SECONDS:
        raise InvalidSignature(f"{_WRONG}: it is not good yet")


def _told(error: Exception) -> str:
    match error:
        case jwt.InvalidAudienceError():
            return "it was made for another audience"
        case jwt.InvalidIssuerError():
            return "another issuer made it"
        case jwt.MissingRequiredClaimError():
            return "it lacks a claim"
        case jwt.InvalidSignatureError():
            return "the issuer did not sign it"
    return "it cannot be read"
