"""Every sample is signed, verified, refused with another secret, and read as its expected.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.core.errors import InvalidSignature, MalformedPayload
from router.core.providers.registry import Registry
from router.core.providers.table import PROVIDERS, SERVED
from router.core.push import ArtifactPush, Ignored, Push
from tests.providers.signing import (
    NOW_SECONDS,
    OTHER_SECRET,
    SAMPLES,
    SECRET,
    hook_secret,
    lower_names,
    sample,
    signed,
)

CASES = (
    *("push", "push_many_refs", "push_forced", "branch_created", "branch_deleted", "tag"),
    *("truncated", "ping", "malformed"),
)
"""What every Git host's samples show, in one spelling; a case may have more words after it."""

REGISTRY_CASES = ("push", "push_many_tags", "deleted", "ping", "malformed")

LACKS = {
    "github": {"push_many_refs": "a delivery tells of one ref"},
    "gitlab": {
        "push_many_refs": "a delivery tells of one ref",
        "ping": "the test button sends a push that moved something",
    },
    "gitea": {"push_many_refs": "a delivery tells of one ref"},
    "forgejo": dict.fromkeys(
        (set(CASES) - {"push", "truncated"}), "the module and its samples are gitea's"
    ),
    "generic": {"truncated": "it has no lists of commits that could be cut"},
    "ghcr": {"push_many_tags": "a delivery tells of one version and one tag"},
    "dockerhub": {
        "push_many_tags": "a delivery tells of one tag",
        "deleted": "it tells of pushes only",
        "ping": "there is no test delivery",
    },
    "harbor": {"ping": "there is no test delivery"},
    "quay": {"deleted": "no event tells of a deleted tag"},
    "gogs": {
        "push_many_refs": "a delivery tells of one ref",
        "truncated": "nothing in a payload tells that its list of commits was cut",
    },
    "standard-webhooks": dict.fromkeys(
        (set(CASES) - {"push", "push_many_refs", "ping", "malformed"}),
        "the body is generic's, read by the same functions",
    ),
    "acr": {"push_many_tags": "a delivery tells of one tag"},
    "ecr": {
        "push_many_tags": "an event tells of one tag",
        "ping": "EventBridge sends no test",
    },
    "gar": {"push_many_tags": "a message tells of one tag", "ping": "Pub/Sub sends no test"},
    "distribution": {"ping": "it has no test delivery"},
    "sourcehut": {
        "truncated": "it has no lists of commits that could be cut",
        "ping": "it has no test delivery: a sample is shown where the webhook is made",
        "push_forced": "nothing in a payload tells that a push was forced",
    },
    "bitbucket": {"ping": "no test delivery is documented"},
    "bitbucket-server": {"push_forced": "nothing in a payload tells that a push was forced"},
    "azure-devops": {"truncated": "it has no lists of files that could be cut"},
    "codecommit": {
        "push_many_refs": "an event tells of one ref",
        "push_forced": "it does not say whether a push was forced",
        "truncated": "it has no lists of files that could be cut",
        "ping": "EventBridge sends no test",
    },
    "gerrit": {
        "push_forced": "it does not say whether a push was forced",
        "truncated": "it has no lists of files that could be cut",
        "ping": "the plugin sends no test",
    },
}
"""Why a provider has no sample of a case."""

NONE_BY_DEFAULT = ("repository_path", "refs_not_told")
"""Fields of a push that expected.json leaves out where they are null; is_foretold where false."""

ALL = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))


def name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


every_sample = pytest.mark.parametrize("folder", ALL, ids=name)


def test_every_provider_that_is_served_has_samples() -> None:
    assert {folder.parent.name for folder in ALL} == set(SERVED)


@pytest.mark.parametrize("provider", list(SERVED))
def test_every_case_has_a_sample_or_a_reason_why_there_is_none(provider: str) -> None:
    required = CASES if provider in PROVIDERS else REGISTRY_CASES
    folders = {folder.name for folder in ALL if folder.parent.name == provider}
    missing = [case for case in required if case not in folders]
    assert sorted(missing) == sorted(LACKS.get(provider, {}))


def test_every_sample_is_whole() -> None:
    parts = {path.parent for path in SAMPLES.glob("*/*/*")}
    assert parts == set(ALL)
    for folder in ALL:
        assert {path.name for path in folder.iterdir()} == {"headers.json", "body", "expected.json"}


def read(provider: str, headers: dict[str, str], body: bytes) -> Push | ArtifactPush | Ignored:
    served = SERVED[provider]
    if isinstance(served, Registry):
        return served.parse_artifact(headers, body)
    return served.parse_push(headers, body)


def told(result: Push | ArtifactPush | Ignored) -> dict[str, Any]:
    """The result as expected.json has it."""
    fields: dict[str, Any] = json.loads(msgspec.json.encode(result))
    if isinstance(result, Ignored):
        return {"ignored": fields}
    for update in fields["updates"]:
        if update.get("is_foretold") is False:
            del update["is_foretold"]
        update.pop("pushed_at", None)  # see test_moments.py
    kept = {
        key: value
        for key, value in fields.items()
        if value is not None or key not in NONE_BY_DEFAULT
    }
    return {"push" if isinstance(result, Push) else "artifacts": kept}


@every_sample
def test_a_sample_is_read_as_expected(folder: Path) -> None:
    headers, body = sample(folder.parent.name, folder.name)
    expected = json.loads((folder / "expected.json").read_text())
    try:
        result = read(folder.parent.name, headers, body)
    except MalformedPayload as error:
        assert {"malformed": str(error)} == expected
    else:
        assert told(result) == expected


SIGNED = [folder for folder in ALL if SERVED[folder.parent.name].can_sign]
every_signed_sample = pytest.mark.parametrize("folder", SIGNED, ids=name)


@every_signed_sample
def test_a_sample_verifies_with_its_secret_and_no_other(folder: Path) -> None:
    provider = SERVED[folder.parent.name]
    headers, body = sample(folder.parent.name, folder.name)
    with_proof = signed(provider.name, headers, body, secret=SECRET)
    assert provider.is_signed(with_proof)
    right = hook_secret(provider.name, SECRET)
    other = hook_secret(provider.name, OTHER_SECRET)
    provider.verify(with_proof, body, secrets=[b"", other, right], now_seconds=NOW_SECONDS)
    for secrets in ([other], [b""], []):
        with pytest.raises(InvalidSignature):
            provider.verify(with_proof, body, secrets=secrets, now_seconds=NOW_SECONDS)


@every_signed_sample
def test_a_sample_without_its_signature_is_refused(folder: Path) -> None:
    provider = SERVED[folder.parent.name]
    headers, body = sample(folder.parent.name, folder.name)
    assert not provider.is_signed(headers)
    with pytest.raises(InvalidSignature, match=r"^no .+ header$"):
        provider.verify(headers, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


@pytest.mark.parametrize("provider", [name for name in SERVED if not SERVED[name].can_sign])
def test_a_provider_that_cannot_sign_is_never_verified_by_secrets(provider: str) -> None:
    headers, body = sample(provider, "push")
    assert not SERVED[provider].is_signed(headers)
    with pytest.raises(InvalidSignature, match="its hook needs `auth`"):
        SERVED[provider].verify(headers, body, secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_samples_hold_no_signature_of_their_own() -> None:
    for folder in ALL:
        headers = lower_names(json.loads((folder / "headers.json").read_text()))
        assert not [header for header in headers if "signature" in header or "token" in header]
