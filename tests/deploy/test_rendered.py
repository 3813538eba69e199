"""The vendored schemas refuse what an API server would refuse."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from tests.deploy.rendered import SCHEMAS, NotValid, validate

RECEIVER: dict[str, Any] = {
    "apiVersion": "notification.toolkit.fluxcd.io/v1",
    "kind": "Receiver",
    "metadata": {"name": "app1", "namespace": "flux-system"},
    "spec": {
        "type": "generic-hmac",
        "interval": "1h",
        "secretRef": {"name": "receiver-app1"},
        "resources": [{"kind": "GitRepository", "name": "app1"}],
    },
}


@pytest.mark.parametrize("file", sorted(SCHEMAS.glob("*.json")), ids=lambda file: file.stem)
def test_every_schema_is_one_and_its_file_is_named_in_the_page_beside_it(file: Any) -> None:
    schema = json.loads(file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert f"`{file.name.split('-')[0]}`" in (SCHEMAS / "README.md").read_text()


def test_an_object_as_flux_takes_it_is_valid() -> None:
    validate(RECEIVER)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"spec": {"type": "generic-hmac"}}, r"\$\.spec: 'resources' is a required property"),
        ({"spec": RECEIVER["spec"] | {"type": "generic-sha"}}, r"\$\.spec\.type"),
        ({"spec": RECEIVER["spec"] | {"secret": "x"}}, "'secret' was unexpected"),
        ({"spec": RECEIVER["spec"] | {"interval": "soon"}}, r"\$\.spec\.interval"),
        ({"apiVersion": "notification.toolkit.fluxcd.io/v1beta1"}, "there is no schema"),
        ({"metadata": {"name": 1}}, r"\$\.metadata\.name"),
    ],
)
def test_an_object_that_flux_refuses_is_not_valid(change: dict[str, Any], where: str) -> None:
    with pytest.raises(NotValid, match=where):
        validate(copy.deepcopy(RECEIVER) | change)
