"""Whatever the bytes and headers are, a provider's module answers as its interface says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import InvalidSignature, MalformedPayload, UnsupportedMedia
from router.core.forms import form_payload
from router.core.providers.table import PROVIDERS
from router.core.push import Ignored, Push
from tests.providers.signing import NOW_SECONDS, sample_json
from tests.thoroughness import examples

if TYPE_CHECKING:
    from router.core.providers.interface import Provider

# forgejo's functions are gitea's.
DISTINCT = [provider for name, provider in PROVIDERS.items() if name != "forgejo"]
every_provider = pytest.mark.parametrize("provider", DISTINCT, ids=[each.name for each in DISTINCT])

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.sampled_from(["refs/heads/main", "0" * 40, "a" * 40, "b" * 64, "push", "https://a/b"])
    | st.sampled_from(["git.push", "aws.codecommit", "ref-updated", "batch-ref-updated"])
)
keys = st.text(max_size=3) | st.sampled_from(
    [
        *("ref", "before", "after", "forced", "created", "repository", "project", "commits"),
        *("added", "modified", "removed", "total_commits", "total_commits_count", "updates"),
        *("paths", "ping", "clone_url", "url", "object_kind", "event_name"),
        *("data", "errors", "webhook", "old", "new", "id", "name", "owner", "canonicalName"),
        *("mirror", "ref_type", "sha", "refs", "push"),
        *("push", "changes", "old", "new", "target", "hash", "full_name", "links", "html", "href"),
        *("fromHash", "toHash", "slug", "key", "clone", "self", "refLimitExceeded"),
        *("eventType", "resource", "refUpdates", "name", "remoteUrl", "oldObjectId", "newObjectId"),
        *("source", "detail-type", "region", "detail", "event", "repositoryName", "commitId"),
        *("referenceFullName", "oldCommitId", "type", "refUpdate", "refName", "oldRev", "newRev"),
    ]
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=20,
)
bodies = st.binary(max_size=60) | documents.map(lambda value: json.dumps(value).encode())

values = st.text(max_size=20) | st.sampled_from(
    [
        *("application/json", "application/x-www-form-urlencoded", "push", "ping", "create"),
        *("Push Hook", "System Hook", "sha256=", "v1,", "1773476813", "whsec_"),
        *("GIT_POST_RECEIVE", "repo:post-update", "delete", "v1a,", "6a1f0c93d2b7e458"),
        *("repo:push", "repo:refs_changed", "mirror:repo_synchronized", "diagnostics:ping"),
    ]
)
header_names = st.sampled_from(
    [
        *("content-type", "x-github-event", "x-github-delivery", "x-hub-signature-256"),
        *("x-gitlab-event", "x-gitlab-token", "webhook-id", "webhook-timestamp"),
        *("webhook-signature", "x-gitea-event", "x-gitea-signature", "x-forgejo-event"),
        *("x-forgejo-signature", "x-signature", "x-delivery-id"),
        *("x-gogs-event", "x-gogs-signature", "x-webhook-event", "x-webhook-delivery"),
        *("x-payload-signature", "x-payload-nonce"),
        *("x-event-key", "x-request-uuid", "x-request-id", "x-hub-signature"),
        *("x-forgejo-signature", "x-signature", "x-delivery-id", "x-amz-sns-message-type"),
    ]
)
headers_of_any_kind = st.dictionaries(header_names, values)
secrets = st.lists(
    st.binary(max_size=10) | st.binary(max_size=9).map(b"whsec_".__add__), max_size=3
)


def parse(provider: Provider, headers: dict[str, str], body: bytes) -> None:
    try:
        result = provider.parse_push(headers, body)
    except (MalformedPayload, UnsupportedMedia):
        return
    assert isinstance(result, (Push, Ignored))
    if isinstance(result, Push):
        assert bool(result.updates) is (result.refs_not_told is None)
        assert all(result.repository_urls)
        assert result.repository_urls or result.repository_path or result.refs_not_told


def push_headers(provider: Provider) -> dict[str, str]:
    return sample_json(provider.name, "push")[0]


@every_provider
@settings(deadline=None, max_examples=examples(25))
@given(body=bodies)
def test_any_body_is_a_push_or_ignored_or_malformed(provider: Provider, body: bytes) -> None:
    parse(provider, push_headers(provider), body)
    form = push_headers(provider) | {"content-type": "application/x-www-form-urlencoded"}
    parse(provider, form, b"payload=" + quote_plus(body).encode())
    parse(provider, form, body)


@every_provider
@settings(deadline=None, max_examples=examples(25))
@given(headers=headers_of_any_kind, body=bodies, given_secrets=secrets)
def test_any_headers_are_refused_or_read_and_never_crash(
    provider: Provider, headers: dict[str, str], body: bytes, given_secrets: list[bytes]
) -> None:
    parse(provider, headers, body)
    with pytest.raises(InvalidSignature):
        provider.verify(
            headers | {"x-gitlab-token": "!"},
            body,
            secrets=[secret for secret in given_secrets if secret != b"!"],
            now_seconds=NOW_SECONDS,
        )


@every_provider
@settings(deadline=None, max_examples=examples(25))
@given(data=st.data())
def test_a_push_with_something_changed_is_a_push_or_ignored_or_malformed(
    provider: Provider, data: st.DataObject
) -> None:
    headers, payload = sample_json(provider.name, "push")
    for _ in range(data.draw(st.integers(1, 3))):
        change_one_place(payload, data)
    parse(provider, headers, json.dumps(payload).encode())


def change_one_place(payload: Any, data: st.DataObject) -> None:
    """Walk down at random; replace or remove what stands where the walk ends."""
    place = payload
    while isinstance(place, (dict, list)) and place:
        key: Any = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            if data.draw(st.booleans()):
                place[key] = data.draw(documents)
            else:
                del place[key]
            return
        place = inner


@given(st.binary(), st.sampled_from([b"", b"&x=%41", b"&payload=second"]))
def test_a_form_gives_back_what_was_put_in(payload: bytes, rest: bytes) -> None:
    assert form_payload(b"payload=" + quote_plus(payload).encode() + rest) == payload


well_formed = st.lists(
    st.sampled_from([b"%0A", b"%0d", b"%3D", b"%25", b"+", b" ", b"\n", b"\r\n", b"3", b"_"])
).map(b"".join)


@given(well_formed)
def test_a_form_is_decoded_as_the_standard_library_does(value: bytes) -> None:
    assert form_payload(b"payload=" + value) == unquote_to_bytes(value.replace(b"+", b" "))


@given(st.binary())
def test_a_form_of_any_bytes_is_decoded_or_malformed(body: bytes) -> None:
    assert form_payload(b"payload=" + body.replace(b"=", b"%3D").replace(b"&", b"%26")) is not None
    for form in (body, b"payload=" + body):
        try:
            form_payload(form)
        except MalformedPayload:
            assert b"=" in body or form == body
