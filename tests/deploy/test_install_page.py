"""What docs/install.md has a newcomer type and write fits what is deployed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.deploy.rendered import ROOT, only, render, validate

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "install.md").read_text()


def test_the_kustomization_of_the_page_builds_with_a_routing_file_of_ones_own(
    tmp_path: Path,
) -> None:
    (text,) = re.findall(r"```yaml\n# kustomization.yaml\n(.*?)```", PAGE, re.DOTALL)
    checkout = os.path.relpath(ROOT, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(text.replace("../flux-router", checkout))
    (tmp_path / "router.yaml").write_text("own: true")
    manifests = render(tmp_path)
    for manifest in manifests:
        validate(manifest)
    assert only(manifests, "ConfigMap")["data"] == {"router.yaml": "own: true"}
    ingress = only(manifests, "Ingress")["spec"]
    assert ingress["rules"][0]["host"] == ingress["tls"][0]["hosts"][0] == "hooks.acme.example"
    assert f"create secret tls {ingress['tls'][0]['secretName']} " in PAGE
    (container,) = only(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    named = yaml.safe_load(text)["images"][0]
    assert container["image"] == f"{named['newName']}:{named['newTag']}"


def test_the_secrets_that_the_page_makes_are_those_that_are_mounted_or_read() -> None:
    pages = PAGE + (ROOT / "docs" / "flux-setup.md").read_text()
    made = re.findall(r"create secret generic (flux-router-[\w-]+)", pages)
    assert len(set(made)) == len(made), "it cannot be made twice"
    spec = only(render(ROOT / "deploy/overlays/ha"), "Deployment")["spec"]["template"]["spec"]
    mounted = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert set(made) == mounted


@pytest.mark.parametrize(
    ("secret", "key", "file"),
    [
        ("flux-router-hooks", "github", "/etc/flux-router/hooks/github"),
        ("flux-router-git", "token", "/etc/flux-router/git/token"),
        ("flux-router-admin", "token", "/etc/flux-router/admin/token"),
        ("flux-router-database", "ca.crt", "/etc/flux-router/database/ca.crt"),
    ],
)
def test_a_key_that_the_page_makes_is_the_file_that_is_read(
    secret: str, key: str, file: str
) -> None:
    assert re.search(rf"create secret generic {secret} --from-file={key}=", PAGE)
    manifests = render(ROOT / "deploy" / "overlays" / "ha")
    spec = only(manifests, "Deployment")["spec"]["template"]["spec"]
    (volume,) = (
        v["name"] for v in spec["volumes"] if v.get("secret", {}).get("secretName") == secret
    )
    (mount,) = (
        each["mountPath"]
        for each in spec["containers"][0]["volumeMounts"]
        if each["name"] == volume
    )
    assert f"{mount}/{key}" == file


def test_every_folder_of_deploy_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:base|components|overlays)/?[\w-]*)`", PAGE))
    assert {f"components/{each.name}" for each in (ROOT / "deploy/components").iterdir()} <= named
    assert all((ROOT / "deploy" / each).exists() for each in named)
