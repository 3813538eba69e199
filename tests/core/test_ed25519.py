"""Ed25519: the vectors that RFC 8032 publishes, and everything that is no key or signature."""

from __future__ import annotations

from base64 import b64encode

import pytest

from router.core.ed25519 import (
    is_ed25519,
    is_signed_by,
    private_key,
    public_key,
    sign_ed25519,
)

# https://www.rfc-editor.org/rfc/rfc8032#section-7.1, tests 1 to 3: seed, public key, message and
# signature
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
SEED, PUBLIC, _, _ = VECTORS[1]


def text(digits: str) -> bytes:
    return b64encode(bytes.fromhex(digits))


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_published_vectors_hold_both_ways(
    seed: str, public: str, message: str, signature: str
) -> None:
    private, content = private_key(text(seed)), bytes.fromhex(message)
    key, other = public_key(text(public)), public_key(text("00" * 31 + "02"))
    assert private is not None
    assert key is not None
    assert other is not None
    signed = text(signature).decode()
    assert sign_ed25519(content, key=private) == signed
    assert is_ed25519(signed)
    assert is_signed_by(signed, content, [other, key])
    assert not is_signed_by(signed, content + b"!", [key])
    assert not is_signed_by(signed, content, [other])
    assert not is_signed_by(signed, content, [])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "==",
        "A" * 86,
        "A" * 85 + "==",
        "A" * 87 + "=",
        "A" * 88,
        "A" * 85 + "B==",  # 64 bytes as well, by a decoder that is not strict
        "A" * 43 + " " + "A" * 42 + "==",
        "-" * 86 + "==",
        "é" * 86 + "==",
        "A" * 86 + "==\n",
    ],
)
def test_what_cannot_be_a_signature_is_none_by_its_form(value: str) -> None:
    key = public_key(text(PUBLIC))
    assert key is not None
    assert not is_ed25519(value)
    assert not is_signed_by(value, b"", [key])


@pytest.mark.parametrize(
    "value", [b"", b"whpk_", b"A", b"A" * 44, text(PUBLIC)[:-4], text(PUBLIC + "00"), b"\xff" * 44]
)
def test_what_is_no_key_is_none(value: bytes) -> None:
    assert public_key(value) is None
    assert private_key(value) is None


def test_a_private_key_may_have_its_public_key_behind_it() -> None:
    short, long = private_key(text(SEED)), private_key(text(SEED + PUBLIC))
    assert short is not None
    assert long is not None
    assert sign_ed25519(b"a", key=short) == sign_ed25519(b"a", key=long)
    assert public_key(text(SEED + PUBLIC)) is None
