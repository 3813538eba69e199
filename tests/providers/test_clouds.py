"""The registries of clouds, and the distribution registry: which payloads push what."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.naming import normalize_artifact
from router.core.providers.registry import MAX_TAGS
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush, Ignored
from tests.providers.signing import sample_json

DIGEST = "sha256:" + "4e" * 32


def deliver(registry: str, payload: Any, headers: dict[str, str]) -> ArtifactPush | Ignored:
    return REGISTRIES[registry].parse_artifact(headers, json.dumps(payload).encode())


def changed(registry: str, part: str, change: dict[str, Any]) -> ArtifactPush | Ignored:
    """The push of the samples with fields of one of its parts replaced."""
    headers, payload = sample_json(registry, "push")
    holder = payload if not part else payload[part]
    holder |= change
    return deliver(registry, payload, headers)


def reason(result: ArtifactPush | Ignored) -> str:
    assert isinstance(result, Ignored)
    return result.reason


def only(result: ArtifactPush | Ignored) -> tuple[str, str, str | None]:
    assert isinstance(result, ArtifactPush)
    (update,) = result.updates
    return update.artifact, update.tag, update.digest


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("", {"action": "chart_push"}, ""),
        ("", {"action": "quarantine"}, "the quarantine event is not a push"),
        ("", {"action": "chart_delete"}, "a deleted artifact notifies nothing"),
        ("target", {"tag": ""}, "no tag was pushed"),
    ],
)
def test_acr_tells_pushes_by_their_action(part: str, change: dict[str, Any], told: str) -> None:
    result = changed("acr", part, change)
    if told:
        assert reason(result).startswith(told)
    else:
        assert only(result)[:2] == ("acme.azurecr.io/layers/app1", "main")


@pytest.mark.parametrize("part", ["target", "request"])
def test_acr_names_host_and_artifact_in_a_push(part: str) -> None:
    with pytest.raises(MalformedPayload, match="no target or no request"):
        changed("acr", "", {part: None})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"result": "FAILURE"}, "the push failed"),
        ({"action-type": "DELETE"}, "a deleted artifact notifies nothing"),
        ({"action-type": "TAG"}, "the action is not a push"),
        ({"image-tag": None}, "no tag was pushed"),
    ],
)
def test_ecr_ignores_what_pushed_no_tag(change: dict[str, Any], told: str) -> None:
    assert reason(changed("ecr", "detail", change)).startswith(told)


def test_ecr_ignores_other_events_and_refuses_other_sources() -> None:
    assert "is no ECR Image Action" in reason(changed("ecr", "", {"detail-type": "ECR Image Scan"}))
    with pytest.raises(MalformedPayload, match=r"source is not aws\.ecr"):
        changed("ecr", "", {"source": "aws.codecommit"})


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "111122223333.dkr.ecr.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "111122223333.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "111122223333.dkr.ecr.us-isof-south-1.csp.hci.ic.gov"),
    ],
)
def test_ecr_s_host_follows_from_account_and_region(region: str, host: str) -> None:
    assert only(changed("ecr", "", {"region": region}))[0] == f"{host}/layers/app1"


@pytest.mark.parametrize(
    "written",
    [
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com",
        "111122223333.DKR.ECR.eu-central-1.amazonaws.com:443",
        "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "111122223333.dkr-ecr.eu-central-1.on.aws",
        "111122223333.dkr-ecr-fips.us-east-2.on.aws",
        "111122223333.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
        "111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
        "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu",
    ],
)
def test_ecr_s_layer_may_name_any_host_of_its_registry(written: str) -> None:
    region = next(part for part in written.split(".") if part[-1].isdigit() and "-" in part)
    assert only(changed("ecr", "", {"region": region}))[0] == normalize_artifact(
        f"oci://{written}/layers/app1"
    )


@pytest.mark.parametrize(
    "host",
    [
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "evil.111122223333.dkr.ecr.eu-central-1.amazonaws.com",
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com:5000",
        "11112222333.dkr.ecr.eu-central-1.amazonaws.com",
        "111122223333.ecr.eu-central-1.amazonaws.com",
        "public.ecr.aws",
    ],
)
def test_another_host_is_not_taken_for_one_of_ecr(host: str) -> None:
    assert normalize_artifact(f"oci://{host}/layers/app1") == f"{host}/layers/app1"


@pytest.mark.parametrize(
    "change", [{"account": "1"}, {"account": "a.example/"}, {"region": "x.example/#"}]
)
def test_ecr_puts_nothing_else_into_a_host(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload, match="is none of AWS"):
        changed("ecr", "", change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"action": "INSERT", "tag": "gcr.io/acme/app:v1", "digest": f"gcr.io/acme/app@{DIGEST}"},
         ("gcr.io/acme/app", "v1", DIGEST)),
        ({"action": "INSERT", "tag": "gcr.io/acme/app:v1"}, ("gcr.io/acme/app", "v1", None)),
        ({"action": "INSERT", "digest": f"gcr.io/acme/app@{DIGEST}"}, "no tag was pushed"),
        ({"action": "DELETE", "tag": "gcr.io/acme/app:v1"}, "a deleted artifact"),
        ({"action": "SCAN"}, "the action is not a push"),
    ],
)  # fmt: skip
def test_gar_names_whole_references_in_its_data(
    change: dict[str, Any], told: tuple[str, str, str | None] | str
) -> None:
    data = b64encode(json.dumps(change).encode()).decode()
    result = changed("gar", "message", {"data": data})
    if isinstance(told, str):
        assert reason(result).startswith(told)
    else:
        assert only(result) == told


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("ü", "not base64"),
        ("a", "not base64"),
        ("", r"cannot be read: Input data was truncated"),
        (b64encode(b"[]").decode(), r"got `array` - at `\$\.message\.data`"),
        (b64encode(b'{"action":"\xff"}').decode(), "not UTF-8"),
        (b64encode(b'{"action":"INSERT","tag":"a/../b:v1"}').decode(), "name is none"),
        (
            b64encode(b'{"action":"INSERT","tag":"g/a:v1","digest":"g/b@sha256:1"}').decode(),
            "of two",
        ),
    ],
)
def test_gar_s_data_that_cannot_be_read_is_malformed(data: str, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        changed("gar", "message", {"data": data})


def test_a_distribution_envelope_is_as_large_as_may_be() -> None:
    headers, payload = sample_json("distribution", "push")
    (event,) = payload["events"]
    with pytest.raises(MalformedPayload, match=f"more than {MAX_TAGS} tags"):
        deliver("distribution", {"events": [event] * (MAX_TAGS + 1)}, headers)
    assert reason(deliver("distribution", {"events": []}, headers)).startswith("no event is a push")


@pytest.mark.parametrize(
    ("part", "value", "missing"),
    [
        ("request", None, "host"),
        ("request", {}, "host"),
        ("request", {"host": ""}, "host"),
        ("target", {"tag": "main"}, "repository"),
        ("target", {"tag": "main", "repository": ""}, "repository"),
    ],
)
def test_only_a_distribution_push_with_a_tag_names_host_and_repository(
    part: str, value: Any, missing: str
) -> None:
    headers, payload = sample_json("distribution", "push")
    (event,) = payload["events"]
    with pytest.raises(MalformedPayload, match=f"does not name the {missing}"):
        deliver("distribution", {"events": [event | {part: value}]}, headers)
    pulled = event | {"action": "pull", part: value}
    assert only(deliver("distribution", {"events": [pulled, event, {}]}, headers))[1] == "main"
    layer = event | {"request": {}, "target": {"repository": "layers/app1"}}
    assert reason(deliver("distribution", {"events": [pulled, layer]}, headers)).startswith(
        "no tag was pushed"
    )


def test_of_several_pushes_of_a_tag_in_an_envelope_the_last_counts() -> None:
    headers, payload = sample_json("distribution", "push")
    (event,) = payload["events"]
    other = event | {"target": event["target"] | {"digest": DIGEST}}
    result = deliver("distribution", {"events": [event, event, other, event]}, headers)
    assert isinstance(result, ArtifactPush)
    here = event["target"]["digest"]
    assert [update.digest for update in result.updates] == [here, DIGEST, here]


def test_a_distribution_registry_may_send_plain_json() -> None:
    headers, payload = sample_json("distribution", "push")
    result = deliver("distribution", payload, headers | {"content-type": "application/json"})
    assert only(result)[:2] == ("registry.acme.example:5000/layers/app1", "main")
