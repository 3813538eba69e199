"""Every sample is signed, verified, refused with another secret, and read as its expected.json."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.providers.table import PROVIDERS
from router.core.push import Push
from tests.providers.signing import (
    NOW_SECONDS,
    OTHER_SECRET,
    SAMPLES,
    SECRET,
    lower_names,
    sample,
    signed,
)

ALL = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))


def name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


every_sample = pytest.mark.parametrize("folder", ALL, ids=name)


def test_every_provider_that_is_served_has_samples() -> None:
    assert {folder.parent.name for folder in ALL} == set(PROVIDERS)


def test_every_sample_is_whole() -> None:
    parts = {path.parent for path in SAMPLES.glob("*/*/*")}
    assert parts == set(ALL)
    for folder in ALL:
        assert {path.name for path in folder.iterdir()} == {"headers.json", "body", "expected.json"}


@every_sample
def test_a_sample_is_read_as_expected(folder: Path) -> None:
    provider = PROVIDERS[folder.parent.name]
    headers, body = sample(folder.parent.name, folder.name)
    expected = json.loads((folder / "expected.json").read_text())
    try:
        result = provider.parse_push(headers, body)
    except MalformedPayload as error:
        assert {"malformed": str(error)} == expected
    else:
        kind = "push" if isinstance(result, Push) else "ignored"
        assert {kind: json.loads(msgspec.json.encode(result))} == expected


@every_sample
def test_a_sample_verifies_with_its_secret_and_no_other(folder: Path) -> None:
    provider = PROVIDERS[folder.parent.name]
    headers, body = sample(folder.parent.name, folder.name)
    with_proof = signed(provider.name, headers, body, secret=SECRET)
    assert provider.is_signed(with_proof)
    provider.verify(with_proof, body, secrets=[b"", OTHER_SECRET, SECRET], now_seconds=NOW_SECONDS)
    for secrets in ([OTHER_SECRET], [b""], []):
        with pytest.raises(InvalidSignature):
            provider.verify(with_proof, body, secrets=secrets, now_seconds=NOW_SECONDS)


@every_sample
def test_a_sample_without_its_signature_is_refused(folder: Path) -> None:
    provider = PROVIDERS[folder.parent.name]
    headers, body = sample(folder.parent.name, folder.name)
    assert not provider.is_signed(headers)
    with pytest.raises(InvalidSignature, match=r"^no .+ header$"):
        provider.verify(headers, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_samples_hold_no_signature_of_their_own() -> None:
    for folder in ALL:
        headers = lower_names(json.loads((folder / "headers.json").read_text()))
        assert not [header for header in headers if "signature" in header or "token" in header]
