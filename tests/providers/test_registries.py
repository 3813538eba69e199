"""What holds for every registry, whatever the bytes and headers are."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import InvalidSignature, MalformedPayload, UnsupportedMedia
from router.core.providers.registry import (
    OutgoingArtifact,
)
from router.core.providers.table import PROVIDERS, REGISTRIES, SERVED
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored, Push
from tests.providers.signing import (
    NOW_SECONDS,
    OTHER_SECRET,
    SAMPLES,
    SECRET,
    lower_names,
    sample,
    sample_json,
)
from tests.providers.test_properties import bodies, change_one_place
from tests.providers.test_samples import ALL
from tests.thoroughness import examples

if TYPE_CHECKING:
    from router.core.providers.registry import Registry

DIGEST = "sha256:" + "4e" * 32
TELLS_DIGESTS = {"ghcr", "harbor", "acr", "gar", "ecr", "distribution"}
TELLS_IDS = {"ghcr", "acr", "gar", "ecr", "distribution"}
HOSTS = {"ecr": "111122223333.dkr.ecr.eu-central-1.amazonaws.com"}
"""Where the host follows from something else than a name in the payload."""

every_registry = pytest.mark.parametrize(
    "registry", list(REGISTRIES.values()), ids=list(REGISTRIES)
)


def parse(registry: Registry, headers: dict[str, str], body: bytes) -> None:
    """Read a body that may be anything."""
    try:
        result = registry.parse_artifact(headers, body)
    except (MalformedPayload, UnsupportedMedia):
        return
    assert isinstance(result, (ArtifactPush, Ignored))
    assert isinstance(result, Ignored) or result.updates


def push_headers(registry: Registry) -> dict[str, str]:
    return sample(registry.name, "push")[0]


@every_registry
@settings(deadline=None, max_examples=examples(25))
@given(body=bodies)
def test_any_body_is_a_push_or_ignored_or_malformed(registry: Registry, body: bytes) -> None:
    parse(registry, push_headers(registry), body)
    for kind in ("application/cloudevents+json", "application/x-www-form-urlencoded", "text/plain"):
        parse(registry, push_headers(registry) | {"content-type": kind}, body)


@every_registry
@settings(deadline=None, max_examples=examples(25))
@given(data=st.data())
def test_a_push_with_something_changed_is_a_push_or_ignored_or_malformed(
    registry: Registry, data: st.DataObject
) -> None:
    headers, payload = sample_json(registry.name, "push")
    for _ in range(data.draw(st.integers(1, 3))):
        change_one_place(payload, data)
    parse(registry, headers, json.dumps(payload).encode())


MARKER = "hunter2/<b>"


def every_place(value: Any) -> list[tuple[Any, Any]]:
    """Each place of a payload, as what holds it and the key or index there."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [place for key in keys for place in [(value, key), *every_place(value[key])]]


@every_registry
@pytest.mark.parametrize("wrong", [MARKER, {MARKER: MARKER}, [MARKER], "", None, 7, 1e300, True])
def test_a_wrong_value_anywhere_never_crashes_and_is_never_repeated(
    registry: Registry, wrong: Any
) -> None:
    headers, original = sample_json(registry.name, "push")
    for number in range(len(every_place(original))):
        payload = deepcopy(original)
        holder, key = every_place(payload)[number]
        holder[key] = wrong
        try:
            result = registry.parse_artifact(headers, json.dumps(payload).encode())
        except MalformedPayload as error:
            assert MARKER not in str(error)
        else:
            assert isinstance(result, ArtifactPush) or MARKER not in result.reason


@every_registry
def test_a_field_that_is_absent_never_makes_another_push(registry: Registry) -> None:
    headers, original = sample_json(registry.name, "push")
    whole = registry.parse_artifact(headers, json.dumps(original).encode())
    assert isinstance(whole, ArtifactPush)
    for number in range(len(every_place(original))):
        payload = deepcopy(original)
        holder, key = every_place(payload)[number]
        del holder[key]
        try:
            result = registry.parse_artifact(headers, json.dumps(payload).encode())
        except MalformedPayload:
            continue
        if isinstance(result, ArtifactPush):
            told = [(each.artifact, each.tag) for each in result.updates]
            assert told == [(each.artifact, each.tag) for each in whole.updates]


@every_registry
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Input data was truncated"),
        (b"null", "got `null`"),
        (b"[]", "got `array`"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"x":' + b"[" * 100_000, "nested too deeply"),
        (b'{"action":"\xff","docker_url":"\xff","type":"\xff"}', "not UTF-8|missing required"),
        (b"{}", "missing required field"),
    ],
)
def test_a_body_that_is_no_delivery_is_malformed(
    registry: Registry, body: bytes, message: str
) -> None:
    with pytest.raises(MalformedPayload, match=message):
        registry.parse_artifact(push_headers(registry), body)


@every_registry
@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml"])
def test_only_json_is_read(registry: Registry, kind: str) -> None:
    headers, body = sample(registry.name, "push")
    with pytest.raises(UnsupportedMedia, match="has to be application/json"):
        registry.parse_artifact(headers | {"content-type": kind}, body)
    parameters = {"content-type": "Application/JSON ; charset=utf-8"}
    assert isinstance(registry.parse_artifact(headers | parameters, body), ArtifactPush)


STRANGERS = [folder for folder in ALL if folder.name in ("push", "push_cloudevents", "ping")]


@every_registry
@pytest.mark.parametrize(
    "folder", STRANGERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}"
)
def test_a_body_of_another_provider_is_refused(registry: Registry, folder: Any) -> None:
    if folder.parent.name == registry.name:
        return
    headers, body = sample(folder.parent.name, folder.name)
    if registry.name == "ghcr" and folder.parent.name == "github":
        # All of GitHub's webhooks look alike: what is no package is ignored, as GitHub expects.
        assert isinstance(registry.parse_artifact(headers, body), Ignored)
        return
    with pytest.raises((MalformedPayload, UnsupportedMedia)):
        registry.parse_artifact(headers, body)


@pytest.mark.parametrize("name", list(REGISTRIES))
@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_a_registry_s_body_is_no_push_to_a_git_host(provider: str, name: str) -> None:
    for case in ("push", "malformed"):
        headers, body = sample(name, case)
        try:
            result = PROVIDERS[provider].parse_push(headers, body)
        except (MalformedPayload, UnsupportedMedia):
            continue
        assert not isinstance(result, Push)


@every_registry
@settings(max_examples=examples(25), deadline=None)
@given(
    path=st.sampled_from(["acme/app", "acme/layers/app-1.x"]),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
    digest=st.sampled_from([DIGEST, "sha512:" + "ab" * 64]),
)
def test_a_push_we_send_reads_back(registry: Registry, path: str, tag: str, digest: str) -> None:
    artifact = f"{HOSTS.get(registry.name, 'docker.io')}/{path}"
    headers, body = registry.encode_artifact(
        OutgoingArtifact(artifact=artifact, tag=tag, digest=digest),
        secret=SECRET,
        delivery_id="d-1",
        now_seconds=NOW_SECONDS,
    )
    received = lower_names(headers)
    if registry.can_sign:
        assert registry.is_signed(received)
        registry.verify(received, body, secrets=[OTHER_SECRET, SECRET], now_seconds=NOW_SECONDS)
    assert SECRET not in body
    told = digest if registry.name in TELLS_DIGESTS else None
    assert registry.parse_artifact(received, body) == ArtifactPush(
        updates=(ArtifactUpdate(artifact=artifact, tag=tag, digest=told),),
        delivery_id="d-1" if registry.name in TELLS_IDS else None,
    )


@pytest.mark.parametrize("name", [name for name in REGISTRIES if REGISTRIES[name].can_sign])
def test_every_change_of_one_bit_is_refused(name: str) -> None:
    registry = REGISTRIES[name]
    push = OutgoingArtifact(artifact="ghcr.io/acme/app", tag="main", digest=DIGEST)
    raw_headers, body = registry.encode_artifact(
        push, secret=SECRET, delivery_id="d-1", now_seconds=NOW_SECONDS
    )
    headers = lower_names(raw_headers)
    for position in range(len(body) * 8):
        changed = bytearray(body)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidSignature):
            registry.verify(headers, bytes(changed), secrets=[SECRET], now_seconds=NOW_SECONDS)


def test_registries_are_served_by_their_own_names() -> None:
    assert {name: registry.name for name, registry in REGISTRIES.items()} == {
        name: name for name in REGISTRIES
    }
    assert set(SERVED) == set(PROVIDERS) | set(REGISTRIES)
    assert all((SAMPLES / name).is_dir() for name in REGISTRIES)
