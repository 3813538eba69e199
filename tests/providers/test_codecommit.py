"""What is particular to CodeCommit: events of EventBridge, and what SNS sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload, SettingsInvalid
from router.core.naming import normalize_url
from router.core.providers.codecommit import NOT_SNS, encode_push, parse_push
from router.core.push import Ignored, Push
from tests.providers.outgoing import CODECOMMIT_URL, push
from tests.providers.signing import NOW_SECONDS, SECRET, sample, sample_json

A, B, ZERO = "8f3c1d5b7a9e2460c8d4f1b36e5a7902d1c4b8e6", "b" * 40, "0" * 40


def parse(change: dict[str, Any], *, case: str = "push", where: str = "detail") -> Push | Ignored:
    """Read a sample with fields of a part of it replaced; "-" removes one."""
    headers, payload = sample_json("codecommit", case)
    part = payload["detail"] if where == "detail" else payload
    for field, value in change.items():
        if value == "-":
            del part[field]
        else:
            part[field] = value
    return parse_push(headers, json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("region", "entry"),
    [
        ("eu-central-1", CODECOMMIT_URL),
        (
            "eu-central-1",
            "ssh://APKAEXAMPLE@git-codecommit.eu-central-1.amazonaws.com/v1/repos/fleet",
        ),
        ("us-east-1", "https://git-codecommit-fips.us-east-1.amazonaws.com/v1/repos/fleet"),
        ("us-gov-west-1", "https://git-codecommit.us-gov-west-1.amazonaws.com/v1/repos/fleet"),
        ("cn-north-1", "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/fleet"),
        ("eu-central-1", "codecommit::eu-central-1://fleet"),
    ],
)
def test_an_entry_may_name_the_repository_by_any_of_its_urls(region: str, entry: str) -> None:
    result = parse({"region": region}, where="top")
    assert isinstance(result, Push)
    assert normalize_url(entry) in {normalize_url(url) for url in result.repository_urls}


@pytest.mark.parametrize(
    "entry",
    [
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/fleet",
        "https://git-codecommit.eu-central-1.amazonaws.com.cn/v1/repos/fleet",
        "codecommit::eu-west-1://fleet",
    ],
)
def test_a_repository_of_another_region_is_another(entry: str) -> None:
    result = parse({})
    assert isinstance(result, Push)
    assert normalize_url(entry) not in {normalize_url(url) for url in result.repository_urls}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "-"}, "missing required field `event` - at `$.detail`"),
        ({"repositoryName": "-"}, "missing required field `repositoryName` - at `$.detail`"),
        ({"referenceFullName": "-"}, "missing required field `referenceFullName` - at `$.detail`"),
        ({"referenceFullName": None}, "$.detail.referenceFullName"),
        ({"commitId": "-"}, "the payload has no detail.commitId"),
        ({"commitId": None}, "the payload has no detail.commitId"),
        ({"oldCommitId": "-"}, "the payload has no detail.oldCommitId"),
        ({"oldCommitId": None}, "the payload has no detail.oldCommitId"),
        ({"oldCommitId": ""}, "before is not a commit id"),
        ({"oldCommitId": 7}, "$.detail.oldCommitId"),
        ({"repositoryName": "a/b"}, "detail.repositoryName is no name"),
        ({"repositoryName": ""}, "detail.repositoryName is no name"),
        ({"repositoryName": "a" * 101}, "detail.repositoryName is no name"),
    ],
)
def test_a_field_of_the_detail_that_is_missing_or_wrong_is_named(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedPayload) as caught:
        parse(change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "-"}, "missing required field `source`"),
        ({"source": None}, "$.source"),
        ({"source": "aws.ecr"}, "its source is not aws.codecommit"),
        ({"detail-type": "-"}, "missing required field `detail-type`"),
        ({"detail": "-"}, "Expected `object`, got `null`"),
        ({"detail": []}, "Expected `object`, got `array`"),
        ({"region": "-"}, "the payload has no region"),
        ({"region": None}, "the payload has no region"),
        ({"region": "eu-central-1.evil.example/x"}, "region is not the name of a region"),
        ({"region": ""}, "region is not the name of a region"),
        ({"region": 5}, "$.region"),
        ({"id": {}}, "$.id"),
    ],
)
def test_a_field_of_the_event_that_is_missing_or_wrong_is_named(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedPayload) as caught:
        parse(change, where="top")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("case", "change", "before", "after"),
    [
        ("branch_created", {"commitId": B}, ZERO, B),
        ("branch_created", {"commitId": "b" * 64}, "0" * 64, "b" * 64),
        ("branch_created", {"commitId": B, "oldCommitId": A}, ZERO, B),
        ("branch_deleted", {}, A, ZERO),
        # Whichever of the two tells where the branch was.
        ("branch_deleted", {"oldCommitId": "-", "commitId": B}, B, ZERO),
    ],
)
def test_the_side_where_there_is_no_commit_is_zero(
    case: str, change: dict[str, Any], before: str, after: str
) -> None:
    result = parse(change, case=case)
    assert isinstance(result, Push)
    (update,) = result.updates
    assert (update.before, update.after) == (before, after)


@pytest.mark.parametrize("case", ["sns_notification", "sns_subscription"])
def test_what_sns_sends_is_refused_by_its_header_or_its_body(case: str) -> None:
    headers, body = sample("codecommit", case)
    json_headers = {"content-type": "application/json"}
    records = json.loads(json.loads(sample("codecommit", "sns_notification")[1])["Message"])
    for sent, text in [
        (headers, body),
        (headers, b"not JSON"),
        (json_headers, body),  # raw delivery, or a proxy that drops headers
        (json_headers, json.dumps(records).encode()),
    ]:
        with pytest.raises(MalformedPayload) as caught:
            parse_push(sent, text)
        assert str(caught.value) == NOT_SNS
    assert "EventBridge" in NOT_SNS


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea", "generic", "azure-devops"])
def test_a_body_of_another_provider_is_refused(provider: str) -> None:
    headers, payload = sample_json(provider, "push")
    with pytest.raises(MalformedPayload, match="missing required field `source`"):
        parse_push(headers, json.dumps(payload).encode())


def test_we_send_only_for_a_repository_of_codecommit() -> None:
    def sent(url: str) -> Any:
        outgoing = push(repository_url=url)
        _, body = encode_push(outgoing, secret=SECRET, delivery_id="d", now_seconds=NOW_SECONDS)
        return json.loads(body)

    event = sent("ssh://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/fleet.config")
    assert (event["region"], event["detail"]["repositoryName"]) == ("cn-north-1", "fleet.config")
    for url in ("https://git.acme.example/acme/fleet", "https://git-codecommit.x/v1/repos/fleet"):
        with pytest.raises(SettingsInvalid, match=r"git-codecommit\.REGION\.amazonaws\.com"):
            sent(url)
