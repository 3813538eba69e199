"""The examples build, are valid, and fit their routing files."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

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
    OCI,
    STRATEGIES,
    applied,
    bootstrap,
    build,
    generated_resources,
    make_fleet,
    make_tree,
    of_layers,
    routing_file,
    source_of,
)

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
        names = {each.name for each in file.parent.iterdir()} - {file.name}
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
    built.write_text(yaml.safe_dump_all(applied(strategy)))
    assert check(strategy, built) == []


@each_strategy
def test_check_of_a_checkout_finds_nothing_to_mend(
    strategy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_fleet(strategy, tmp_path / "fleet")
    repo.git("remote", "add", "origin", "https://github.com/acme/fleet.git")
    file = repo.path / "ci" / "layers.yaml" if strategy == OCI else routing_file(repo.path)
    monkeypatch.setenv("NOT_NEEDED_IN_CI", "none")
    [view] = as_json(run("check", str(file), "--repo", str(repo.path), "-o", "json"))
    warnings = {each["message"] for each in view["warnings"]}
    assert {each for each in warnings if "the file /etc/flux-router/" not in each} == {
        "`dependsOn` does not order calls yet"
    }
    [told] = view["repositories"]
    of_ci = {"ci/", ".github/", ".gitlab-ci.yml"} if strategy == OCI else set()
    assert set(told["unmappedFolders"]) == {"clusters/", "README.md"} | of_ci
    kinds = "idlePatterns", "unknownBuilds", "uncovered", "dependencies", "leftOut", "unserved"
    assert {kind for kind in kinds if told[kind]} == set()


def test_layers_are_derived_from_the_files_as_they_are(tmp_path: Path) -> None:
    repo = make_fleet(GIT, tmp_path / "fleet")
    repo.git("remote", "add", "origin", "https://github.com/acme/fleet.git")
    derived = run("derive", "--repo", str(repo.path), "--path", "clusters/prod")
    names = {each["name"] for each in yaml.safe_load(derived.stdout)["layers"]}
    assert names == set(LAYERS)
    [note] = derived.stderr.splitlines()
    assert "`flux-router` is not derived: its source `flux-router` is another repository" in note


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
    folders = [routing_file(each).parent for each in (strategy, GIT)]
    for name in ("install.yaml", "kustomization.yaml", "namespace.yaml"):
        own, first = [(folder / name).read_text() for folder in folders]
        assert own == first
    config = only(applied(strategy), "ConfigMap")
    assert config["metadata"] == {"name": "flux-router", "namespace": "flux-router"}
    assert config["data"]["router.yaml"] == routing_file(strategy).read_text()


def test_flux_makes_one_installation_of_both_parts(tmp_path: Path) -> None:
    """The project's own manifests, as kustomize-controller patches them, and the user's."""
    beside = render(routing_file(GIT).parent)
    installation = only(beside, "Kustomization", "flux-router")["spec"]
    own = {
        "resources": [os.path.relpath(ROOT / installation["path"], tmp_path.resolve())],
        "patches": installation["patches"],
        "images": installation["images"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    manifests = render(tmp_path)
    for manifest in manifests:
        validate(manifest)
    container = only(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    image = installation["images"][0]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
    assert only(manifests, "Ingress")["spec"]["rules"][0]["host"] == "hooks.example.com"
    # no object has two owners, and together they are what the overlay makes
    config = [each for each in beside if each["metadata"].get("namespace") != "flux-system"]
    whole = render(ROOT / installation["path"])
    assert sorted(map(named, (*manifests, *config))) == sorted(map(named, whole))
    # where the routing file is read, and every secret that it names
    text = only(beside, "ConfigMap")["data"]["router.yaml"]
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    files = re.findall(r'file: "?(/[^}"\s]+)', text)
    assert files
    assert {str(Path(file).parent) for file in files} <= mounts


def secrets_of(value: Any) -> set[str]:
    """The names of all Secrets that a manifest, or a part of one, refers to."""
    if isinstance(value, list):
        return {name for each in value for name in secrets_of(each)}
    if not isinstance(value, dict):
        return set()
    own = {value.get("secretRef", {}).get("name"), value.get("secretName")} - {None}
    return own | secrets_of(list(value.values()))


@each_strategy
def test_every_secret_is_made_by_a_command_of_the_pages(strategy: Path) -> None:
    pages = [EXAMPLES, strategy, *([GIT] if strategy == OCI else [])]  # whose page refers to it
    text = "\n".join((each / "README.md").read_text() for each in pages)
    text += (ROOT / "docs" / "install.md").read_text()
    made = set(re.findall(r"kubectl .*create secret (?:generic|tls|docker-registry) (\S+)", text))
    if "receiver-$layer" in made:
        made |= {f"receiver-{layer}" for layer in LAYERS}
    of_bootstrap = {"flux-system"}
    patches = (routing_file(strategy).parent / "install.yaml").read_text()
    needed = {
        *secrets_of(list(applied(strategy))),
        *secrets_of(list(render(ROOT / "deploy" / "overlays" / "ingress"))),
        *re.findall(r"secretName\s+value: (\S+)", patches),
    }
    assert needed >= {"flux-router-receivers", "hooks-example-com-tls"}
    assert needed - made == of_bootstrap


PAGES = [
    *sorted(EXAMPLES.rglob("README.md")),
    *(ROOT / "docs" / name for name in ("install.md", "flux-setup.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_writes_a_secret_into_the_working_folder(page: Path) -> None:
    text = page.read_text()
    written = re.findall(r"^.*(?:/dev/urandom|\$token).*$", text, re.MULTILINE)
    assert all("$secrets/" in line or "--docker-password" in line for line in written), written
    labelled = set(re.findall(r"label secret (\S+) reconcile", text))
    assert labelled == set(re.findall(r"create secret generic (receiver-\S+)", text))


@each_strategy
def test_what_kustomizations_apply_is_in_the_tree(strategy: Path, tmp_path: Path) -> None:
    tree = make_tree(strategy, tmp_path / "fleet")
    for manifest in of_layers(strategy, "Kustomization").values():
        assert (tree / manifest["spec"]["path"] / "kustomization.yaml").exists()


@each_strategy
def test_flux_goes_on_applying_itself_beside_the_layers(strategy: Path) -> None:
    # `flux-system` prunes: what it no longer builds, Flux itself at first, is deleted
    assert not list((strategy / "clusters" / "prod").glob("kustomization.*"))
    kept = {("GitRepository", "flux-system"), ("Kustomization", "flux-system")}
    router = {("Kustomization", "flux-router"), ("ConfigMap", "flux-router")}
    layers = {("Kustomization", layer) for layer in LAYERS}
    found = {(each["kind"], each["metadata"]["name"]) for each in applied(strategy)}
    assert found >= kept | router | layers
    for manifest in applied(strategy):
        validate(manifest)


@each_strategy
def test_a_kustomization_of_ones_own_needs_the_two_folders_in_it(
    strategy: Path, tmp_path: Path
) -> None:
    folder = bootstrap(make_tree(strategy, tmp_path))
    assert generated_resources(folder) == ["./flux-router", "./flux-system", "./layers"]
    page = (EXAMPLES / "README.md").read_text()
    (text,) = re.findall(r"```yaml\n# clusters/prod/kustomization.yaml\n(.*?)```", page, re.DOTALL)
    (folder / "kustomization.yaml").write_text(text)
    assert sorted(map(named, render(folder))) == sorted(map(named, applied(strategy)))


def test_flux_does_not_build_a_folder_with_yaml_that_is_no_object(tmp_path: Path) -> None:
    folder = bootstrap(make_tree(GIT, tmp_path))
    shutil.copy(routing_file(GIT), folder)
    with pytest.raises(AssertionError, match=r"router\.yaml"):
        build(folder)


def test_flags_are_added_to_the_controllers_that_have_them(tmp_path: Path) -> None:
    names = ("kustomize-controller", "helm-controller", "source-controller", "other-controller")
    deployments = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "flux-system"},
            "spec": {"template": {"spec": {"containers": [{"name": "manager", "args": ["--a"]}]}}},
        }
        for name in names
    ]
    folder = bootstrap(make_tree(GIT, tmp_path))
    shutil.copytree(EXAMPLES / "flux-tuning", tmp_path / "flux-tuning")
    own = folder / "flux-system"
    (own / "gotk-components.yaml").write_text(yaml.safe_dump_all(deployments))
    page = (EXAMPLES / "flux-tuning" / "README.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (own / "kustomization.yaml").write_text(text)
    flags = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["args"][1:]
        for each in build(folder)
        if each["kind"] == "Deployment"
    }
    assert flags == {
        "kustomize-controller": ["--requeue-dependency=5s", "--concurrent=10"],
        "helm-controller": ["--requeue-dependency=5s", "--concurrent=10"],
        "source-controller": ["--concurrent=10"],
        "other-controller": [],
    }
