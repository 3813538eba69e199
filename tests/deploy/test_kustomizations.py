"""What is under deploy/ builds, is valid, and asks for no more than it needs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from router import __version__
from router.config.load import check_file
from router.config.settings import Settings
from router.web.limits import MAX_BODY_BYTES
from router.web.server import HTTP_STOP_SECONDS
from tests.deploy.image import read_image
from tests.deploy.rendered import ROOT, Manifest, kustomizations, named, only, render, validate

DEPLOY = ROOT / "deploy"
OURS = [DEPLOY / "base", *sorted((DEPLOY / "overlays").iterdir())]
COMPONENTS = sorted((DEPLOY / "components").iterdir())

each_of_ours = pytest.mark.parametrize("folder", OURS, ids=lambda folder: folder.name)


def pod(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    found: dict[str, Any] = only(manifests, "Deployment")["spec"]["template"]["spec"]
    return found


def container(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    (found,) = pod(manifests)["containers"]
    return dict(found)


def environment(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(manifests)["env"]}


@pytest.mark.parametrize(
    "folder", kustomizations(DEPLOY), ids=lambda folder: str(folder.relative_to(DEPLOY))
)
def test_every_kustomization_builds_and_its_objects_are_valid(folder: Path) -> None:
    manifests = render(folder)
    assert manifests
    for manifest in manifests:
        validate(manifest)


def test_all_components_go_together(tmp_path: Path) -> None:
    paths = [os.path.relpath(path, tmp_path.resolve()) for path in (DEPLOY / "base", *COMPONENTS)]
    own = {"resources": paths[:1], "components": paths[1:]}
    (tmp_path / "router.yaml").write_text("own: true")
    replaced = {"name": "flux-router", "namespace": "flux-router", "behavior": "replace"}
    own["configMapGenerator"] = [replaced | {"files": ["router.yaml"]}]  # type: ignore[list-item]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    manifests = render(tmp_path)
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds >= {"Ingress", "PodDisruptionBudget", "PodMonitor", "PrometheusRule"}
    # Under the name that the Deployment mounts, for its content is loaded without a rollout.
    assert only(manifests, "ConfigMap", "flux-router")["data"] == {"router.yaml": "own: true"}
    for manifest in manifests:
        validate(manifest)


def test_every_component_has_an_overlay_of_its_name() -> None:
    assert [path.name for path in COMPONENTS] == [path.name for path in OURS[1:]]


def test_every_file_of_ours_is_used() -> None:
    for folder in (DEPLOY / "base", *COMPONENTS):
        text = (folder / "kustomization.yaml").read_text()
        files = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
        assert {name for name in files if name not in text} == set()


@each_of_ours
def test_pods_pass_the_restricted_standard(folder: Path) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    manifests = render(folder)
    spec, inner = pod(manifests), container(manifests)
    assert spec["securityContext"]["runAsNonRoot"] is True
    uid = read_image().user.split(":")[0]
    assert str(spec["securityContext"]["runAsUser"]) == uid
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inner["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    assert not any("hostPort" in port for port in inner["ports"])
    kinds = {kind for volume in spec["volumes"] for kind in set(volume) - {"name"}}
    assert kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    labels = only(manifests, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@each_of_ours
def test_pods_have_no_token_of_the_kubernetes_api_and_nobody_is_given_a_role(folder: Path) -> None:
    manifests = render(folder)
    account = only(manifests, "ServiceAccount")
    assert pod(manifests)["serviceAccountName"] == account["metadata"]["name"]
    assert pod(manifests)["automountServiceAccountToken"] is False
    assert account["automountServiceAccountToken"] is False
    assert not [named(each) for each in manifests if "Role" in each["kind"]]


@each_of_ours
def test_what_a_pod_may_take_of_its_node_is_bounded(folder: Path) -> None:
    resources = container(render(folder))["resources"]
    assert set(resources["limits"]) == {"memory", "ephemeral-storage"}
    assert set(resources["requests"]) == {"cpu", *resources["limits"]}
    volumes = [
        volume["emptyDir"] for volume in pod(render(folder))["volumes"] if "emptyDir" in volume
    ]
    assert all("sizeLimit" in volume for volume in volumes)


@each_of_ours
def test_only_a_process_that_does_not_answer_is_killed(folder: Path) -> None:
    inner = container(render(folder))
    for probe in ("startupProbe", "livenessProbe"):
        assert inner[probe]["httpGet"] == {"path": "/healthz", "port": "public"}
    assert inner["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert inner["startupProbe"]["periodSeconds"] * inner["startupProbe"]["failureThreshold"] >= 300


@each_of_ours
def test_a_pod_has_time_for_what_is_under_way_when_it_is_stopped(folder: Path) -> None:
    manifests = render(folder)
    words = container(manifests)["lifecycle"]["preStop"]["exec"]["command"]
    assert words[0] == "sleep"
    deadline = environment(manifests).get("ROUTER_STOP_DEADLINE")
    stop = float(deadline or Settings.model_fields["stop_deadline_seconds"].default)
    needed = float(words[1]) + HTTP_STOP_SECONDS + stop
    assert pod(manifests)["terminationGracePeriodSeconds"] > needed


@each_of_ours
def test_services_and_policies_find_the_pods_and_their_ports(folder: Path) -> None:
    manifests = render(folder)
    labels = only(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in container(manifests)["ports"]}
    assert {port["containerPort"] for port in container(manifests)["ports"]} == read_image().ports
    for manifest in manifests:
        selector = manifest.get("spec", {}).get("selector", {})
        if manifest["kind"] == "Service":
            assert selector == labels
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= ports
        if manifest["kind"] in {"PodMonitor", "PodDisruptionBudget"}:
            assert selector["matchLabels"] == labels
        if manifest["kind"] == "NetworkPolicy":
            assert manifest["spec"]["podSelector"]["matchLabels"] == labels


@each_of_ours
def test_pods_are_closed_but_for_what_is_named(folder: Path) -> None:
    policy = only(render(folder), "NetworkPolicy", "flux-router")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule["from"] for rule in policy["ingress"])  # an empty one lets everybody in
    assert all(rule["to"] and rule["ports"] for rule in policy["egress"])
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == ["public"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {
        22,
        53,
        443,
        9292,
    }


@each_of_ours
def test_the_deployment_mounts_what_its_routing_file_and_settings_name(folder: Path) -> None:
    manifests = render(folder)
    mounts = {mount["mountPath"] for mount in container(manifests)["volumeMounts"]}
    settings = read_image().environment | environment(manifests)
    text = only(manifests, "ConfigMap", "flux-router")["data"]["router.yaml"]
    for file in [*re.findall(r'file: "?(/[^}"\s]+)', text), settings["ROUTER_ADMIN_TOKEN_FILE"]]:
        assert str(Path(file).parent) in mounts, file
    assert str(Path(settings["ROUTER_CONFIG"]).parent) in mounts
    assert str(Path(settings["ROUTER_DATA_DIR"]).parent) in mounts
    writable = [each for each in container(manifests)["volumeMounts"] if not each.get("readOnly")]
    assert {each["mountPath"] for each in writable} == {"/var/lib/flux-router", "/tmp"}


def test_a_new_layer_hook_or_repository_needs_no_change_of_the_deployment() -> None:
    for volume in pod(render(DEPLOY / "base"))["volumes"]:
        assert "items" not in volume.get("secret", {}), "a list of keys would have to grow"
        if volume["name"] in {"hooks", "git", "receivers"}:
            assert volume["secret"]["optional"] is True


def test_the_base_s_routing_file_loads() -> None:
    checked = check_file(DEPLOY / "base" / "router.yaml", secrets="optional")
    assert checked.problems == ()


def test_the_base_runs_the_image_of_this_version() -> None:
    assert container(render(DEPLOY / "base"))["image"] == f"flux-router:{__version__}"


def test_sqlite_never_has_two_processes() -> None:
    deployment = only(render(DEPLOY / "base"), "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_the_ingress_shows_the_hooks_and_nothing_else() -> None:
    manifests = render(DEPLOY / "overlays" / "ingress")
    ingress = only(manifests, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/hooks/", "Prefix")
    assert path["backend"]["service"] == {"name": "flux-router", "port": {"name": "public"}}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    limit = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert limit == f"{MAX_BODY_BYTES // 2**20}m"


def test_replicas_share_a_database_and_nothing_else() -> None:
    manifests = render(DEPLOY / "overlays" / "ha")
    deployment = only(manifests, "Deployment")["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["type"] == "RollingUpdate"
    assert not [each for each in manifests if each["kind"] == "PersistentVolumeClaim"]
    volumes = {volume["name"]: volume for volume in pod(manifests)["volumes"]}
    assert set(volumes["data"]) == {"name", "emptyDir"}
    url = next(e for e in container(manifests)["env"] if e["name"] == "ROUTER_DATABASE_URL")
    assert url["valueFrom"]["secretKeyRef"] == {"name": "flux-router-database", "key": "url"}
    budget = only(manifests, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] < deployment["replicas"]
    spread = pod(manifests)["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
