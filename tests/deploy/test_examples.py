"""The examples build, are valid, and fit their routing files."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from router.config.load import check_file
from tests.cli.fleet import as_json, run
from tests.deploy.rendered import ROOT, named, only, render, validate
from tests.deploy.trees import (
    EXAMPLES,
    FLEET,
    GIT,
    LAYERS,
    STRATEGIES,
    make_tree,
    of_layers,
    routing_file,
    source_of,
)

if TYPE_CHECKING:
    pass

SOURCES = {
    "gitrepository-per-layer": "GitRepository/{layer}",
    "ocirepository-per-layer": "GitRepository/{layer}",  # of layers under `artifacts`: OCI
    "artifactgenerator": "GitRepository/fleet",
}

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda path: path.name)


def check(strategy: Path, manifests: Path) -> list[str]:
    words = ("check", str(routing_file(strategy)), "--manifests", str(manifests), "-o", "json")
    [view] = json.loads(run(*words).stdout)
    return [f"{each['level']}: {each['message']}" for each in view["manifests"]["differences"]]


def test_every_example_has_a_page_and_a_line_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text()
    for folder in EXAMPLES.iterdir():
        if folder.is_dir() and folder != FLEET:
            assert (folder / "README.md").exists()
            assert f"]({folder.name}/README.md)" in table
    assert {path.name for path in STRATEGIES} == set(SOURCES)


@each_strategy
def test_every_file_is_used(strategy: Path) -> None:
    for file in strategy.rglob("kustomization.yaml"):
        names = {each.name for each in file.parent.iterdir()} - {file.name, "layers", "flux-router"}
        assert {name for name in names if name not in file.read_text()} == set()


@each_strategy
def test_the_receivers_are_those_that_the_routing_file_implies(strategy: Path) -> None:
    words = ("--source", SOURCES[strategy.name], "-o", "json")
    view = as_json(run("manifests", "--config", str(routing_file(strategy)), *words))
    implied = {each["manifest"]["metadata"]["name"]: each["manifest"] for each in view["receivers"]}
    assert of_layers(strategy, "Receiver") == implied
    names = [each["name"] for each in view["kustomizations"]]
    assert sorted(of_layers(strategy, "Kustomization")) == sorted(names)
    assert [each["layer"] for each in view["kustomizations"]] == list(LAYERS)


@each_strategy
def test_check_finds_no_difference_in_the_files_nor_in_what_is_built(
    strategy: Path, tmp_path: Path
) -> None:
    assert check(strategy, strategy / "clusters") == []
    built = tmp_path / "prod.yaml"
    built.write_text(yaml.safe_dump_all(render(strategy / "clusters" / "prod")))
    assert check(strategy, built) == []


RECEIVER, KUSTOMIZATION = 1, 2
"""Which document of a layer's file is changed."""

PLANTED = [
    # (document, what stands there, what is put there, what is told of app2)
    (RECEIVER, "kind: Receiver", "kind: Receive", "error: no manifest has Receiver"),
    (RECEIVER, "name: app2\n  namespace", "name: app4\n  namespace", "app4` is `flux-system/app2`"),
    (RECEIVER, "namespace: flux-system", "namespace: apps", "`apps/app2` is `flux-system/app2`"),
    (RECEIVER, "type: generic-hmac", "type: generic", "error: Receiver `flux-system/app2` is of"),
    (RECEIVER, "name: receiver-app2", "name: receiver-app1", "reads Secret `receiver-app1`"),
    (RECEIVER, "interval: 1h", "suspend: true", "error: Receiver `flux-system/app2` is suspended"),
    (
        RECEIVER,
        "      name: app2",
        "      name: app1",
        "error: Receiver `flux-system/app2` does not",
    ),
    (
        RECEIVER,
        "      name: app2",
        "      name: app2\n      namespace: git",
        "in another namespace",
    ),
    (KUSTOMIZATION, "- name: post-config", "- name: databases", "does not depend on"),
    (KUSTOMIZATION, "name: app2\n  namespace", "name: x\n  namespace", "no manifest has Kustomiz"),
]


@pytest.mark.parametrize(
    ("document", "old", "new", "told"), PLANTED, ids=[told for *_, told in PLANTED]
)
def test_check_finds_a_planted_difference(
    tmp_path: Path, document: int, old: str, new: str, told: str
) -> None:
    tree = tmp_path / "fleet"
    shutil.copytree(GIT, tree)
    file = tree / "clusters" / "prod" / "layers" / "app2.yaml"
    documents = file.read_text().split("---\n")
    assert old in documents[document]
    documents[document] = documents[document].replace(old, new, 1)
    file.write_text("---\n".join(documents))
    found = check(tree, tree / "clusters")
    assert any(told in each for each in found), found


@each_strategy
def test_kustomizations_depend_on_each_other_as_the_layers_do(strategy: Path) -> None:
    checked = check_file(routing_file(strategy), secrets="optional")
    assert checked.problems == ()
    expected = {use.layer: list(use.depends_on) for use in checked.uses}
    found = {
        name: [each["name"] for each in manifest["spec"].get("dependsOn", ())]
        for name, manifest in of_layers(strategy, "Kustomization").items()
    }
    assert found == expected
    assert found["app3"] == ["post-config"]


@each_strategy
def test_kustomizations_do_not_wait_as_long_as_their_interval(strategy: Path) -> None:
    for name, manifest in of_layers(strategy, "Kustomization").items():
        spec = manifest["spec"]
        assert (spec["interval"], spec["retryInterval"], spec["timeout"]) == ("1h", "2m", "5m")
        assert spec["prune"]
        assert spec["wait"]
        annotations = manifest["metadata"]["annotations"]
        assert annotations == {"event.toolkit.fluxcd.io/layer": name}


def test_sources_of_layers_are_left_alone_for_a_day() -> None:
    sources = of_layers(GIT, "GitRepository")
    assert set(sources) == set(LAYERS)
    assert {each["spec"]["interval"] for each in sources.values()} == {"24h"}
    for name, manifest in of_layers(GIT, "Kustomization").items():
        assert source_of(manifest) == ("GitRepository", name)


@each_strategy
def test_the_router_is_installed_alike_in_every_strategy(strategy: Path) -> None:
    for name in ("clusters/prod/flux-router.yaml", "flux-router/kustomization.yaml",
                 "flux-router/namespace.yaml", "clusters/prod/kustomization.yaml"):  # fmt: skip
        assert (strategy / name).read_text() == (GIT / name).read_text()
    [config] = [each for each in render(strategy / "flux-router") if each["kind"] == "ConfigMap"]
    assert config["metadata"] == {"name": "flux-router", "namespace": "flux-router"}
    assert config["data"]["router.yaml"] == routing_file(strategy).read_text()


def test_flux_makes_one_installation_of_both_parts(tmp_path: Path) -> None:
    """The project's own manifests, as kustomize-controller patches them, and the user's."""
    installation = only(render(GIT / "clusters" / "prod"), "Kustomization", "flux-router")["spec"]
    own = {
        "resources": [os.path.relpath(ROOT / installation["path"], tmp_path.resolve())],
        "patches": installation["patches"],
        "images": installation["images"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    applied = render(tmp_path)
    for manifest in applied:
        validate(manifest)
    container = only(applied, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    image = installation["images"][0]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
    assert only(applied, "Ingress")["spec"]["rules"][0]["host"] == "hooks.example.com"
    # no object has two owners, and together they are what the overlay makes
    config = render(GIT / "flux-router")
    whole = render(ROOT / installation["path"])
    assert sorted(map(named, (*applied, *config))) == sorted(map(named, whole))
    # where the routing file is read, and every secret that it names
    text = only(config, "ConfigMap", "flux-router")["data"]["router.yaml"]
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    files = re.findall(r'file: "?(/[^}"\s]+)', text)
    assert files
    assert {str(Path(file).parent) for file in files} <= mounts


@each_strategy
def test_what_kustomizations_apply_is_in_the_tree(strategy: Path, tmp_path: Path) -> None:
    tree = make_tree(strategy, tmp_path / "fleet")
    for manifest in of_layers(strategy, "Kustomization").values():
        assert (tree / manifest["spec"]["path"] / "kustomization.yaml").exists()
    for manifest in render(strategy / "clusters" / "prod"):
        if manifest["metadata"]["name"] == "flux-router-config":
            assert (tree / manifest["spec"]["path"] / "kustomization.yaml").exists()


def test_flags_are_added_to_the_controllers_that_have_them(tmp_path: Path) -> None:
    names = ("kustomize-controller", "helm-controller", "source-controller", "other-controller")
    deployments = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"template": {"spec": {"containers": [{"name": "manager", "args": ["--a"]}]}}},
        }
        for name in names
    ]
    shutil.copytree(EXAMPLES / "flux-tuning", tmp_path / "flux-tuning")
    folder = tmp_path / "flux-system"
    folder.mkdir()
    (folder / "gotk-components.yaml").write_text(yaml.safe_dump_all(deployments))
    own = {"resources": ["gotk-components.yaml"], "components": ["../flux-tuning"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    flags = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["args"][1:]
        for each in render(folder)
    }
    assert flags == {
        "kustomize-controller": ["--requeue-dependency=5s", "--concurrent=10"],
        "helm-controller": ["--requeue-dependency=5s", "--concurrent=10"],
        "source-controller": ["--concurrent=10"],
        "other-controller": [],
    }
