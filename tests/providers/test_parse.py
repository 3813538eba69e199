"""What is a push, what is ignored, and what is refused: rules, one row each."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from router.core.errors import MalformedPayload, UnsupportedMedia
from router.core.forms import form_payload
from router.core.providers.table import PROVIDERS
from router.core.push import Ignored, Push, RefUpdate
from tests.providers.changing import Change, changed
from tests.providers.signing import sample_json


def parse(provider: str, change: Change) -> Push | Ignored:
    """Read the provider's `push` sample with fields of the payload replaced."""
    headers, payload = sample_json(provider, "push")
    body = json.dumps(changed(provider, payload, change)).encode()
    return PROVIDERS[provider].parse_push(headers, body)


def update_of(provider: str, change: Change) -> RefUpdate:
    push = parse(provider, change)
    assert isinstance(push, Push)
    (update,) = push.updates
    return update


@pytest.mark.parametrize("provider", list(PROVIDERS))
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ref": "main"}, "ref is not the full name"),
        ({"ref": "refs/"}, "ref is not the full name"),
        ({"ref": "refs/heads/" + "a" * 4086}, "ref is longer than 4096 characters"),
        ({"ref": "refs/heads/a\nb"}, "ref is not the full name"),
        ({"ref": "refs/heads/a\n"}, "ref is not the full name"),
        ({"ref": "refs/heads/a\0b"}, "ref is not the full name"),
        ({"before": "abc"}, "before is not a commit id"),
        ({"before": ""}, "before is not a commit id"),
        ({"after": "g" * 40}, "after is not a commit id"),
        ({"after": "a" * 41}, "after is not a commit id"),
        ({"after": "a" * 40 + "\n"}, "after is not a commit id"),
        ({"after": 1}, r"Expected `str.*`, got `int` - at `\$\..+`"),
        ({"repository": 5}, r"\$\.(.*\.)?(repository|project)"),
    ],
)
def test_what_cannot_be_a_push_is_malformed(provider: str, change: Change, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        parse(provider, change)


@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_commit_ids_are_read_in_any_case_and_of_either_length(provider: str) -> None:
    update = update_of(provider, {"before": "AB" * 20, "after": "Cd" * 32})
    assert (update.before, update.after) == ("ab" * 20, "cd" * 32)


@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_a_push_that_moves_nothing_is_ignored_with_its_delivery_id(provider: str) -> None:
    result = parse(provider, {"before": "a" * 40, "after": "A" * 40})
    assert isinstance(result, Ignored)
    assert result.reason.startswith("nothing moved")
    assert bool(result.delivery_id) is (provider != "gerrit"), "Gerrit sends no id"


@pytest.mark.parametrize(
    ("provider", "change"),
    [
        ("github", {"repository": {"clone_url": "", "html_url": None}}),
        ("gitlab", {"repository": None, "project": {"web_url": ""}}),
        ("gitlab", {"repository": None, "project": None}),
        ("gitea", {"repository": {}}),
        ("gogs", {"repository": {}}),
        ("gogs", {"repository": {"mirror": True, "clone_url": ""}, "ref": "main"}),
        ("generic", {"repository": None}),
        ("generic", {"repository": ""}),
        ("bitbucket", {"repository": {"full_name": "", "links": {"html": {"href": ""}}}}),
        ("bitbucket", {"repository": {"links": {"html": None}}}),
        ("bitbucket-server", {"repository": {"slug": "fleet", "project": {"key": ""}}}),
        ("bitbucket-server", {"repository": {"links": {"clone": [{"href": ""}], "self": None}}}),
        ("gerrit", {"repository": ""}),
        ("standard-webhooks", {"repository": ""}),
    ],
)
def test_a_push_that_names_no_repository_is_malformed(provider: str, change: Change) -> None:
    with pytest.raises(MalformedPayload, match=r"names no (URL of the repository|project)"):
        parse(provider, change)


@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("github", "X-GitHub-Event"),
        ("gitlab", "X-Gitlab-Event"),
        ("gitea", "X-Gitea-Event"),
        ("gogs", "X-Gogs-Event"),
        ("sourcehut", "X-Webhook-Event"),
        ("bitbucket", "X-Event-Key"),
        ("bitbucket-server", "X-Event-Key"),
    ],
)
def test_a_missing_event_header_is_named(provider: str, header: str) -> None:
    headers = {"content-type": "application/json"}
    for value in ({}, {header.lower(): ""}):
        with pytest.raises(MalformedPayload, match=f"^no {header} header$"):
            PROVIDERS[provider].parse_push(headers | value, b"{}")


FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("provider", "content_type", "is_accepted"),
    [
        ("github", "application/json", True),
        ("github", "Application/JSON ; charset=utf-8", True),
        ("github", "text/plain", False),
        ("github", "", False),
        ("github", "multipart/form-data", False),
        ("gitlab", "application/json", True),
        ("gitlab", FORM_TYPE, False),
        ("gitea", "application/json;charset=UTF-8", True),
        ("gitea", "application/xml", False),
        ("generic", "application/json", True),
        ("generic", FORM_TYPE, False),
        ("azure-devops", "application/json; charset=utf-8", True),
        ("azure-devops", FORM_TYPE, False),
        ("codecommit", "application/json; charset=utf-8", True),
        ("codecommit", "text/plain", False),
        ("gerrit", "application/json; charset=UTF-8", True),
        ("gerrit", "text/plain", False),
        ("gogs", "application/json", True),
        ("gogs", "text/json", False),
        ("standard-webhooks", FORM_TYPE, False),
        ("sourcehut", "application/json", True),
        ("sourcehut", FORM_TYPE, False),
        ("bitbucket", "application/json", True),
        ("bitbucket", FORM_TYPE, False),
        ("bitbucket-server", "application/json; charset=utf-8", True),
        ("bitbucket-server", "text/plain", False),
    ],
)
def test_only_the_content_types_of_a_provider_are_read(
    provider: str, content_type: str, is_accepted: bool
) -> None:
    headers, payload = sample_json(provider, "push")
    headers["content-type"] = content_type
    body = json.dumps(payload).encode()
    if is_accepted:
        assert isinstance(PROVIDERS[provider].parse_push(headers, body), Push)
    else:
        with pytest.raises(UnsupportedMedia, match="the content type has to be application/json"):
            PROVIDERS[provider].parse_push(headers, body)


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        (b"payload=%7B%22a%22%3A+1%7D", b'{"a": 1}'),
        (b"payload=ab&payload=cd", b"ab"),
        (b"payload=a%3db%253D%0d%0A", b"a=b%3D\r\n"),
        (b"payload=", b""),
        (b"payload=&x=1", b""),
    ],
)
def test_the_payload_field_of_a_form_is_decoded(form: bytes, payload: bytes) -> None:
    assert form_payload(form) == payload


@pytest.mark.parametrize(
    "form",
    [
        *(b"", b"x=1", b"xpayload=1", b"&", b"payload", b"x=payload=1"),
        *(b"x=1&payload=ab", b"&payload=ab", b" payload=ab", b'{"message":"&payload=ab&"}'),
    ],
)
def test_a_form_that_does_not_begin_with_its_payload_field_is_malformed(form: bytes) -> None:
    with pytest.raises(MalformedPayload, match="the form does not begin with its payload field"):
        form_payload(form)


def test_a_form_whose_payload_is_not_encoded_is_malformed() -> None:
    with pytest.raises(MalformedPayload, match="a = that is not encoded"):
        form_payload(b"payload=a=b&x=1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "cannot be read: Input data was truncated"),
        (b"null", "cannot be read: Expected `object`, got `null`"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"x":' + b"[" * 100_000, "nested too deeply"),
        (
            b'{"ref":"\xff","eventType":"\xff","source":"\xff","type":"\xff",'
            b'"repository":{"full_name":"\xff","slug":"\xff"},"data":{"webhook":{"uuid":"\xff"}}}',
            "text that is not UTF-8",
        ),
        (b'{"ref":"\\ud800"}', "cannot be read"),
        (b'\xef\xbb\xbf{"ref":"a"}', "cannot be read"),
    ],
)
@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_a_body_that_is_no_json_object_is_malformed(
    provider: str, body: bytes, message: str
) -> None:
    headers, _ = sample_json(provider, "push")
    with pytest.raises(MalformedPayload, match=message):
        PROVIDERS[provider].parse_push(headers, body)


def every_place(value: Any) -> list[tuple[Any, Any]]:
    """Each place of a payload, as what holds it and the key or index there."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [place for key in keys for place in [(value, key), *every_place(value[key])]]


MARKER = "hunter2"


@pytest.mark.parametrize("provider", list(PROVIDERS))
@pytest.mark.parametrize("wrong", [MARKER, {MARKER: MARKER}, [MARKER], [[MARKER]], None, 7, True])
def test_a_wrong_value_anywhere_never_crashes_and_is_never_repeated(
    provider: str, wrong: Any
) -> None:
    headers, original = sample_json(provider, "push")
    count = len(every_place(original))
    assert count > 5
    for number in range(count):
        payload = deepcopy(original)
        holder, key = every_place(payload)[number]
        holder[key] = wrong
        try:
            PROVIDERS[provider].parse_push(headers, json.dumps(payload).encode())
        except MalformedPayload as error:
            assert MARKER not in str(error)


@pytest.mark.parametrize("event", ["x" * 65, "<b>", "a\nb", "☃", "push, push"])
def test_an_event_name_that_looks_odd_is_not_repeated(event: str) -> None:
    headers = {"content-type": "application/json", "x-github-event": event}
    result = PROVIDERS["github"].parse_push(headers, b"{}")
    assert result == Ignored(reason="the event is not a push")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"webhook-id": "a", "idempotency-key": "b", "x-gitlab-event-uuid": "c"}, "a"),
        ({"webhook-id": "", "idempotency-key": "b", "x-gitlab-event-uuid": "c"}, "b"),
        ({"x-gitlab-event-uuid": "c"}, "c"),
        ({"x-gitlab-event-uuid": ""}, None),
        ({}, None),
    ],
)
def test_gitlab_delivery_id_is_the_one_that_retries_keep(
    headers: dict[str, str], expected: str | None
) -> None:
    base = {"content-type": "application/json", "x-gitlab-event": "Note Hook"}
    result = PROVIDERS["gitlab"].parse_push(base | headers, b"{}")
    assert result.delivery_id == expected


@pytest.mark.parametrize("kind", ["push", "tag_push"])
@pytest.mark.parametrize("field", ["object_kind", "event_name"])
def test_a_gitlab_system_hook_says_in_its_body_that_it_is_a_push(kind: str, field: str) -> None:
    headers, payload = sample_json("gitlab", "system_hook")
    del payload["event_name"]
    payload[field] = kind
    result = PROVIDERS["gitlab"].parse_push(headers, json.dumps(payload).encode())
    assert isinstance(result, Push)


@pytest.mark.parametrize("body", [b"{}", b'{"event_name":"repository_update"}'])
def test_any_other_gitlab_system_hook_is_ignored(body: bytes) -> None:
    headers = {"content-type": "application/json", "x-gitlab-event": "System Hook"}
    assert isinstance(PROVIDERS["gitlab"].parse_push(headers, body), Ignored)
