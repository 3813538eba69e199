"""The manifests of docs/flux-setup.md fit together, and its routing file is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "flux-setup.md").read_text()


def documents() -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


def only(kind: str) -> dict[str, Any]:
    (found,) = (document for document in documents() if document.get("kind") == kind)
    return found


def test_the_objects_of_a_layer_refer_to_each_other() -> None:
    source, receiver, secret = only("GitRepository"), only("Receiver"), only("Secret")
    named = {"kind": "GitRepository", "name": source["metadata"]["name"]}
    assert receiver["spec"]["resources"] == [named]
    assert only("Kustomization")["spec"]["sourceRef"] == named
    assert receiver["spec"]["secretRef"]["name"] == secret["metadata"]["name"]
    assert set(secret["stringData"]) == {"token"}


def test_the_routing_file_calls_that_receiver() -> None:
    (routing,) = (document for document in documents() if "hooks" in document)
    schema = json.loads((ROOT / "config" / "routing-file.schema.json").read_text())
    jsonschema.validate(routing, schema)
    receiver, told = only("Receiver"), routing["clusters"][0]["receiver"]
    (layer,) = routing["repositories"][0]["layers"]
    assert told["name"].replace("{layer}", layer["name"]) == receiver["metadata"]["name"]
    assert told["namespace"] == receiver["metadata"]["namespace"]
    assert told["type"] == receiver["spec"]["type"]
    assert routing["repositories"][0]["url"] == only("GitRepository")["spec"]["url"]


def test_the_network_policy_selects_the_pods_that_are_deployed() -> None:
    selected = only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    deployed = yaml.safe_load((ROOT / "deploy" / "base" / "deployment.yaml").read_text())
    assert selected.items() <= deployed["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
