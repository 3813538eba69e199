"""What is particular to Azure DevOps: its many URLs, and payloads that were stripped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.naming import normalize_url
from router.core.providers.azure_devops import NO_REFS, NO_REPOSITORY, encode_push, parse_push
from router.core.providers.interface import TOO_MANY_REFS
from router.core.push import Ignored, Push
from tests.providers.outgoing import ZERO, commit, push
from tests.providers.signing import SECRET, lower_names, sample_json


def parse(change: dict[str, Any], *, where: str = "resource") -> Push | Ignored:
    """Read the `push` sample with fields of a part of it replaced; "-" removes one."""
    headers, payload = sample_json("azure-devops", "push")
    part = payload["resource"] if where == "resource" else payload
    for field, value in change.items():
        if value == "-":
            del part[field]
        else:
            part[field] = value
    return parse_push(headers, json.dumps(payload).encode())


def urls_of(remote_url: str) -> set[str]:
    result = parse({"repository": {"remoteUrl": remote_url}})
    assert isinstance(result, Push)
    return {normalize_url(url) for url in result.repository_urls}


SAME = [
    "https://dev.azure.com/acme/Cloud%20Platform/_git/fleet",
    "https://acme@dev.azure.com/acme/Cloud%20Platform/_git/fleet",
    "https://acme.visualstudio.com/Cloud%20Platform/_git/fleet",
    "https://acme.visualstudio.com/DefaultCollection/Cloud%20Platform/_git/fleet",
    "git@ssh.dev.azure.com:v3/acme/Cloud%20Platform/fleet",
    "ssh://git@ssh.dev.azure.com:22/v3/acme/Cloud%20Platform/fleet",
    "acme@vs-ssh.visualstudio.com:v3/acme/Cloud%20Platform/fleet",
]
"""Names of one repository."""


@pytest.mark.parametrize("told", SAME)
@pytest.mark.parametrize("entry", [*SAME, "https://dev.azure.com/acme/Cloud Platform/_git/fleet"])
def test_an_entry_may_name_the_repository_by_any_of_its_urls(told: str, entry: str) -> None:
    assert normalize_url(entry) in urls_of(told)


@pytest.mark.parametrize(
    "short",
    [
        "https://dev.azure.com/acme/_git/fleet",
        "https://acme.visualstudio.com/_git/fleet",
        "https://acme.visualstudio.com/DefaultCollection/_git/fleet",
    ],
)
def test_a_repository_with_its_projects_name_has_short_urls_too(short: str) -> None:
    whole = "https://dev.azure.com/acme/fleet/_git/fleet"
    assert normalize_url(whole) in urls_of(short)
    assert normalize_url(short) in urls_of(whole)
    assert normalize_url(short) not in urls_of("https://dev.azure.com/acme/other/_git/fleet")


@pytest.mark.parametrize(
    "url",
    [
        "https://tfs.acme.example/tfs/DefaultCollection/Platform/_git/fleet",
        "https://dev.azure.com",
        "https://dev.azure.com/",
        "https://dev.azure.com/acme",
        "https://dev.azure.com/acme/platform/fleet",
        "https://acme.visualstudio.com/a/b/_git/fleet",
        "git@ssh.dev.azure.com:v3/acme/fleet",
        "git@ssh.dev.azure.com:v2/acme/platform/fleet",
        "https://dev.azure.com.evil.example/acme/platform/_git/fleet",
        "https://[",
    ],
)
def test_a_url_of_another_kind_is_taken_as_it_is(url: str) -> None:
    assert urls_of(url) == {normalize_url(url)}


def test_the_url_for_ssh_counts_too() -> None:
    result = parse({"repository": {"sshUrl": SAME[4]}})
    assert isinstance(result, Push)
    assert SAME[0] in result.repository_urls


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"refUpdates": "-"}, NO_REFS),
        ({"refUpdates": None}, NO_REFS),
        ({"refUpdates": []}, NO_REFS),
        ({"repository": "-"}, NO_REPOSITORY),
        ({"repository": None}, NO_REPOSITORY),
        ({"repository": {}}, NO_REPOSITORY),
        ({"repository": {"remoteUrl": ""}}, NO_REPOSITORY),
        ({"repository": {"remoteUrl": None}}, NO_REPOSITORY),
    ],
)
def test_a_stripped_payload_means_any_ref_and_says_what_to_set(
    change: dict[str, Any], why: str
) -> None:
    result = parse(change)
    assert isinstance(result, Push)
    assert (result.updates, result.refs_not_told) == ((), why)
    assert bool(result.repository_urls) is (why == NO_REFS)
    assert "Resource details to send" in why


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eventType": "-"}, "missing required field `eventType`"),
        ({"eventType": None}, r"\$\.eventType"),
        ({"eventType": ["git.push"]}, r"\$\.eventType"),
        ({"id": 5}, r"\$\.id"),
        ({"resource": "text"}, "Expected `object.*`, got `str`"),
        ({"resource": {"refUpdates": {}}}, r"\$\.resource\.refUpdates"),
        ({"resource": {"refUpdates": [None]}}, r"\$\.resource\.refUpdates\[0\]"),
        ({"resource": {"refUpdates": [{}]}}, "missing required field `name`"),
        ({"resource": {"repository": {"remoteUrl": 5}}}, r"\$\.resource\.repository\.remoteUrl"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        parse(change, where="top")


@pytest.mark.parametrize("forced", ["yes", 1, [True]])
def test_what_cannot_tell_a_forced_push_is_malformed(forced: Any) -> None:
    update = {"name": "refs/heads/main", "oldObjectId": "a" * 40, "newObjectId": "b" * 40}
    with pytest.raises(MalformedPayload, match=r"refUpdates\[0\]\.forced"):
        parse({"refUpdates": [update | {"forced": forced}]})


@pytest.mark.parametrize("count", [1001, 70_000])
def test_of_too_many_refs_any_of_the_repository_may_have_moved(count: int) -> None:
    update = {"name": "refs/heads/main", "oldObjectId": "a" * 40, "newObjectId": "b" * 40}
    result = parse({"refUpdates": [update] * count})
    assert isinstance(result, Push)
    assert (result.updates, result.refs_not_told) == ((), TOO_MANY_REFS)
    assert "https://dev.azure.com/acme/Cloud%20Platform/_git/fleet" in result.repository_urls


def test_commits_do_not_matter_however_many_there_are() -> None:
    author = {"name": "Ada", "email": "ada@acme.example", "date": "2026-03-14T08:26:53Z"}
    listed = {"commitId": "c" * 40, "author": author, "committer": author, "comment": "{"}
    assert parse({"commits": [listed] * 22_000}) == parse({})


def test_a_delivery_without_an_id_has_none() -> None:
    for nothing in ("-", None, ""):
        assert parse({"id": nothing}, where="top").delivery_id is None


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea", "generic", "codecommit"])
def test_a_body_of_another_provider_is_refused(provider: str) -> None:
    headers, payload = sample_json(provider, "push")
    with pytest.raises(MalformedPayload, match="missing required field `eventType`"):
        parse_push(headers, json.dumps(payload).encode())


def test_what_we_send_has_commits_newest_first_and_none_of_a_deleted_ref() -> None:
    def sent(**changes: Any) -> Any:
        outgoing = push(commit(1), commit(2), **changes)
        headers, body = encode_push(outgoing, secret=SECRET, delivery_id="d", now_seconds=0)
        assert lower_names(headers)["content-type"] == "application/json; charset=utf-8"
        return json.loads(body)["resource"]

    assert [each["commitId"] for each in sent()["commits"]] == [commit(2).id, commit(1).id]
    assert "forced" not in sent()["refUpdates"][0]
    assert sent(forced=True)["refUpdates"][0]["forced"] is True
    assert "commits" not in sent(after=ZERO)
