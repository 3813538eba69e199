"""flux-router manifests, and what check --manifests finds in manifests that are not so."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cli.fleet import as_json, run

if TYPE_CHECKING:
    from click.testing import Result

FILE = """\
apiVersion: flux-router/v1
hooks: [{name: github, provider: github, secrets: [{env: SECRET}]}]
clusters:
  - name: prod
    url: http://flux
    receiver: {token: {file: "tokens/{layer}"}}
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    layers:
      - {name: infra, paths: [infra/]}
      - {name: app1, paths: [app1/], dependsOn: [infra]}
      - name: app2
        paths: [app2/]
        receiver: {namespace: apps, name: app2-hook, type: github}
"""

KUSTOMIZATIONS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: infra, namespace: flux-system}
spec: {sourceRef: {kind: GitRepository, name: infra}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app1, namespace: flux-system}
spec: {sourceRef: {kind: GitRepository, name: app1}, dependsOn: [{name: infra}]}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app2, namespace: flux-system}
spec: {sourceRef: {kind: GitRepository, name: app2, namespace: apps}}
"""

OTHER_RECEIVER = """
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: other, namespace: flux-system}
spec:
  type: generic
  secretRef: {name: receiver-other}
  resources: [{kind: %s, name: other}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A routing file, and manifests of it in several files."""

    config: Path
    folder: Path

    def print(self, *words: str) -> Result:
        return run("manifests", "--config", str(self.config), *words)

    def check(self, *words: str) -> Result:
        return run("check", str(self.config), "--manifests", str(self.folder), *words)

    def told(self) -> list[str]:
        """The differences, with what their places say instead of line and column."""
        [view] = json.loads(self.check("-o", "json").stdout)
        return [
            f"{each['level']} {Path(each['file']).name}: {each['message']}"
            for each in view["manifests"]["differences"]
        ]

    def change(self, name: str, old: str, new: str) -> None:
        file = self.folder / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Manifests as they are printed, in a folder of a folder, beside Kustomizations."""
    case = Case(config=tmp_path / "router.yaml", folder=tmp_path / "flux")
    case.config.write_text(FILE)
    (case.folder / "hooks").mkdir(parents=True)
    (case.folder / "hooks" / "receivers.yaml").write_text(case.print().stdout)
    (case.folder / "layers.yml").write_text(KUSTOMIZATIONS)
    return case


def test_receivers_secrets_and_kustomizations_are_told_as_data(case: Case) -> None:
    view = as_json(case.print("-o", "json"))
    assert [each["layers"] for each in view["receivers"]] == [["infra"], ["app1"], ["app2"]]
    assert view["receivers"][2]["manifest"] == {
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "app2-hook", "namespace": "apps"},
        "spec": {
            "type": "github",
            "interval": "1h",
            "secretRef": {"name": "receiver-app2-hook"},
            "resources": [{"kind": "GitRepository", "name": "app2"}],
        },
    }
    assert view["secrets"][2] == {
        "namespace": "apps",
        "name": "receiver-app2-hook",
        "key": "token",
        "receivers": ["app2-hook"],
    }
    assert view["kustomizations"][1] == {
        "layer": "app1",
        "namespace": "flux-system",
        "name": "app1",
        "dependsOn": [{"namespace": "flux-system", "name": "infra"}],
    }


def test_yaml_holds_the_same_receivers_and_the_rest_as_comments(case: Case) -> None:
    text = case.print().stdout
    objects = [each for each in yaml.safe_load_all(text) if each is not None]
    view = as_json(case.print("-o", "json"))
    assert objects == [each["manifest"] for each in view["receivers"]]
    assert "#   apps/receiver-app2-hook: file tokens/app2\n" in text
    assert "#   flux-system/app1, dependsOn flux-system/infra\n" in text
    assert "# of app2\napiVersion:" in text


def test_no_token_is_printed(case: Case) -> None:
    (case.config.parent / "tokens").mkdir()
    for layer in ("infra", "app1", "app2"):
        (case.config.parent / "tokens" / layer).write_text("s3cret-token")
    for words in ((), ("-o", "json")):
        assert "s3cret" not in case.print(*words).output
    assert "s3cret" not in case.check().output


def test_layers_that_share_a_receiver_are_all_its_resources(case: Case) -> None:
    text = FILE.replace("{layer}", "all").replace("{token:", "{name: all, token:")
    case.config.write_text(text.replace("        receiver: {namespace: apps", "        # "))
    [receiver] = as_json(case.print("-o", "json"))["receivers"]
    assert receiver["layers"] == ["infra", "app1", "app2"]
    names = [each["name"] for each in receiver["manifest"]["spec"]["resources"]]
    assert names == ["infra", "app1", "app2"]
    [receiver] = as_json(case.print("-o", "json", "--source", "Bucket/fleet"))["receivers"]
    assert receiver["manifest"]["spec"]["resources"] == [{"kind": "Bucket", "name": "fleet"}]


def test_artifacts_have_oci_repositories_and_oidc_has_no_secret(case: Case) -> None:
    case.config.write_text(
        FILE
        + "artifacts:\n"
        "  - hook: github\n"
        "    layers:\n"
        "      - name: app3\n"
        "        artifact: oci://ghcr.io/acme/app3\n"
        "        tag: main\n"
        "        receiver: {type: generic-oidc, token: {file: bearer}}\n".replace(
            "hook: github", "hook: ghcr"
        )
    )
    case.config.write_text(
        case.config.read_text().replace(
            "hooks: [", "hooks: [{name: ghcr, provider: ghcr, secrets: [{env: SECRET}]}, "
        )
    )
    view = as_json(case.print("-o", "json"))
    spec = view["receivers"][3]["manifest"]["spec"]
    assert spec["resources"] == [{"kind": "OCIRepository", "name": "app3"}]
    assert "secretRef" not in spec
    assert len(view["secrets"]) == 3


def test_a_file_with_several_clusters_needs_to_be_told_which(case: Case) -> None:
    second = "  - {name: b, url: 'http://b', receiver: {name: 'x-{layer}', token: {env: T}}}\n"
    case.config.write_text(FILE.replace("repositories:", f"{second}repositories:"))
    for result in (case.print(), case.check()):
        assert result.exit_code == 2
        assert "tell with --cluster which one: prod, b" in result.output
    assert "no cluster 'c'; there are: prod, b" in case.print("--cluster", "c").output
    view = as_json(case.print("-o", "json", "--cluster", "b"))
    assert view["receivers"][0]["manifest"]["metadata"]["name"] == "x-infra"


@pytest.mark.parametrize(
    "words",
    [
        ("--source", "GitRepository"),
        ("--source", "gitrepository/a"),
        ("--source", "GitRepository/A B"),
        ("--secret-name", "a\nb"),
    ],
)
def test_names_that_no_object_can_have_are_refused(case: Case, words: tuple[str, str]) -> None:
    assert case.print(*words).exit_code == 2


def test_what_is_printed_has_no_differences(case: Case) -> None:
    result = case.check()
    assert result.exit_code == 0
    assert case.told() == []
    assert "router.yaml: prod: 3 Receivers in the manifests, 0 differences" in result.stderr


RECEIVERS = "hooks/receivers.yaml"

DIFFERENCES = [
    # one renamed: told at the manifest, and not also as one that is missing
    (
        (RECEIVERS, "  name: app1\n", "  name: app-1\n"),
        "error receivers.yaml: Receiver `flux-system/app-1` is `flux-system/app1` in the routing "
        "file, and its URL depends on that",
    ),
    (
        (RECEIVERS, "namespace: apps", "namespace: flux-system"),
        "error receivers.yaml: Receiver `flux-system/app2-hook` is `apps/app2-hook` in the routing "
        "file, and its URL depends on that",
    ),
    (
        (RECEIVERS, "type: github", "type: gitlab"),
        "error receivers.yaml: Receiver `apps/app2-hook` is of type `gitlab`; the routing file has "
        "`github`",
    ),
    (
        (RECEIVERS, "name: receiver-infra", "name: infra-token"),
        "error receivers.yaml: Receiver `flux-system/infra` reads Secret `infra-token`, not "
        "`receiver-infra`; --secret-name tells how Secrets are called here",
    ),
    (
        (RECEIVERS, "  secretRef:\n    name: receiver-infra\n", ""),
        "error receivers.yaml: Receiver `flux-system/infra` has no secretRef; type `generic-hmac` "
        "needs one, such as `receiver-infra`",
    ),
    (
        (RECEIVERS, "  type: generic-hmac\n", "  type: generic-hmac\n  suspend: true\n"),
        "error receivers.yaml: Receiver `flux-system/infra` is suspended: Flux answers every call "
        "of it 503",
    ),
    (
        (RECEIVERS, "  type: github\n", "  type: github\n  events: [ping]\n"),
        "error receivers.yaml: Receiver `apps/app2-hook` does not list `push` among its events: "
        "Flux answers 400",
    ),
    (
        (RECEIVERS, "    name: infra\n", "    name: infra\n  - kind: Bucket\n    name: other\n"),
        "warning receivers.yaml: Receiver `flux-system/infra` triggers Bucket flux-system/other, "
        "which none of its layers reads",
    ),
    (
        ("layers.yml", "{kind: GitRepository, name: app1}", "{kind: Bucket, name: b}"),
        "error receivers.yaml: Receiver `flux-system/app1` does not trigger Bucket flux-system/b, "
        "which the Kustomization of layer `app1` reads: a call applies nothing of it",
    ),
    (
        ("layers.yml", "name: infra, namespace: flux-system", "name: basis, namespace: x"),
        "warning router.yaml: no manifest has Kustomization `flux-system/infra` of layer `infra`",
    ),
    (
        ("layers.yml", ", dependsOn: [{name: infra}]", ""),
        "warning layers.yml: Kustomization `flux-system/app1` does not depend on "
        "`flux-system/infra`, as layer `app1` does",
    ),
    (
        (RECEIVERS, "  namespace: apps\n", ""),
        "warning receivers.yaml: Receiver `app2-hook` names no namespace, and belongs in `apps`: "
        "check what `kubectl kustomize` makes of it",
    ),
    (
        (RECEIVERS, "kind: Receiver\nmetadata:\n  name: app1", "kind: Sender\nmetadata: {name: x}"),
        "error router.yaml: no manifest has Receiver `flux-system/app1` of layer `app1`: "
        "`flux-router manifests` prints it",
    ),
]


@pytest.mark.parametrize(("change", "told"), DIFFERENCES, ids=[told for _, told in DIFFERENCES])
def test_a_difference_is_told(case: Case, change: tuple[str, str, str], told: str) -> None:
    case.change(*change)
    if "name: x}" in change[2]:
        case.change(RECEIVERS, "name: x}\n  namespace: flux-system", "name: x}")
    assert told in case.told()
    errors = [each for each in case.told() if each.startswith("error")]
    assert case.check().exit_code == bool(errors)
    assert (told in errors) == told.startswith("error")
    assert len(errors) <= 1


@pytest.mark.parametrize(
    ("kind", "level", "more"),
    [("GitRepository", "error", ": the router never calls it"), ("ImageRepository", "warning", "")],
)
def test_a_receiver_of_no_layer_is_told(case: Case, kind: str, level: str, more: str) -> None:
    file = case.folder / RECEIVERS
    file.write_text(file.read_text() + OTHER_RECEIVER % kind)
    assert case.told() == [
        f"{level} receivers.yaml: Receiver `flux-system/other` is of no layer of the routing file "
        f"on this cluster{more}"
    ]


def test_a_resource_in_another_namespace_needs_a_permission(case: Case) -> None:
    case.change(RECEIVERS, "    name: infra\n", "    name: infra\n    namespace: git\n")
    case.change("layers.yml", "name: infra}}", "name: infra, namespace: git}}")
    [told] = case.told()
    assert told.startswith(
        "warning receivers.yaml: Receiver `flux-system/infra` triggers GitRepository git/infra, in "
        "another namespace: Flux answers 500"
    )


@pytest.mark.parametrize(
    ("labels", "is_told"),
    [
        ("", True),
        ("    matchLabels:\n", True),  # null, which no API server keeps
        ("    matchLabels: {app: app1}\n", False),
        ("    matchLabels: {}\n", False),  # every one of them, and so Flux takes it
    ],
)
def test_a_resource_of_every_name_needs_labels(case: Case, labels: str, is_told: bool) -> None:
    case.change(RECEIVERS, "    name: app1\n", f"    name: '*'\n{labels}")
    told = (
        "error receivers.yaml: Receiver `flux-system/app1` triggers every GitRepository "
        "(`name: '*'`) without `matchLabels`: Flux answers 500, and triggers none of them"
    )
    assert case.told() == [told] * is_told
    assert case.check().exit_code == is_told


def test_receivers_of_different_tokens_may_not_read_one_secret(case: Case) -> None:
    file = case.folder / RECEIVERS
    file.write_text(
        file.read_text().replace("receiver-app1", "one").replace("receiver-infra", "one")
    )
    [view] = json.loads(case.check("-o", "json", "--secret-name", "one").stdout)
    messages = [each["message"] for each in view["manifests"]["differences"]]
    assert any("read one Secret, `one`; the routing file has a token" in each for each in messages)


def test_a_receiver_that_stands_twice_is_told_with_both_places(case: Case) -> None:
    shutil.copy(case.folder / RECEIVERS, case.folder / "again.yaml")
    told = case.told()
    assert len(told) == 3
    line = (case.folder / "again.yaml").read_text().splitlines().index("  name: infra") + 1
    assert told[0] == (
        "error receivers.yaml: Receiver `flux-system/infra` stands at "
        f"{case.folder / 'again.yaml'}:{line}, too"
    )


def test_a_secret_where_flux_allows_none_is_told(case: Case) -> None:
    case.config.write_text(
        FILE.replace("{token: {file", "{type: generic-oidc, token: {file").replace(
            ", type: github", ", type: generic-oidc"
        )
    )
    assert "Secrets" not in case.print().stdout
    told = [each for each in case.told() if "secretRef" in each]
    assert len(told) == 3
    assert told[0].endswith("`flux-system/infra` has a secretRef, which Flux refuses for type "
                            "`generic-oidc`")  # fmt: skip


def test_one_that_is_missing_and_one_that_is_too_many_are_not_taken_for_one(case: Case) -> None:
    case.change(RECEIVERS, "  name: app1\n", "  name: x\n")
    case.change(RECEIVERS, "    name: app1\n", "    name: y\n")
    told = [each.partition(": ")[2].partition(" of ")[0] for each in case.told()]
    assert told == [
        "no manifest has Receiver `flux-system/app1`",
        "Receiver `flux-system/x` is",
    ]


def test_a_secret_without_the_key_is_told_and_no_value_of_it(case: Case) -> None:
    (case.folder / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: receiver-infra, namespace: flux-system}\n"
        "stringData: {tokn: s3cret}\n"
    )
    assert case.told() == ["error secret.yaml: Secret `receiver-infra` has no key `token`"]
    assert "s3cret" not in case.check().output


def test_an_external_artifact_is_triggered_through_its_generator(case: Case) -> None:
    case.change("layers.yml", "GitRepository, name: app1", "ExternalArtifact, name: app1")
    generator = (
        "apiVersion: source.extensions.fluxcd.io/v1beta1\n"
        "kind: ArtifactGenerator\n"
        "metadata: {name: fleet, namespace: flux-system}\n"
        "spec: {artifacts: [{name: app1}], sources: [{alias: a, kind: GitRepository, name: %s}]}\n"
    )
    (case.folder / "generator.yaml").write_text(generator % "app1")
    assert case.told() == []
    (case.folder / "generator.yaml").write_text(generator % "fleet")
    assert "does not trigger GitRepository flux-system/fleet" in case.told()[0]


def test_a_list_as_kubectl_prints_it_is_read_as_a_file(case: Case) -> None:
    objects = list(yaml.safe_load_all((case.folder / RECEIVERS).read_text()))
    file = case.folder.parent / "list.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    result = run("check", str(case.config), "--manifests", str(file))
    assert result.exit_code == 0
    assert "3 Receivers in the manifests, 0 differences" in result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: b: c", "not read: this is not YAML: "),
        (b"\xff", "not read: it is not UTF-8, or larger than 4 MiB"),
        (b"[" * 100, "not read: more than 40 lists and mappings inside each other"),
        (b"#" * 5_000_000, "not read: the file is larger than 4 MiB"),
    ],
)
def test_what_is_no_manifest_is_told_and_the_rest_is_read(
    case: Case, content: bytes, told: str
) -> None:
    (case.folder / "a.yaml").write_bytes(content)
    [line] = case.told()
    assert line.startswith(f"warning a.yaml: {told}")


def test_a_file_that_cannot_be_read_is_told(case: Case) -> None:
    (case.folder / "a.yaml").symlink_to(case.folder / "nothing.yaml")
    assert case.told() == ["warning a.yaml: not read: No such file or directory"]


@pytest.mark.parametrize(
    "content",
    [b"", b"---\n---\n", b"- 1\n", b"kind: Receiver\n", b"on: {push: !x 1}\n<<: {a: 1}\n"],
)
def test_yaml_of_other_things_is_passed_over(case: Case, content: bytes) -> None:
    (case.folder / "a.yaml").write_bytes(content)
    assert case.told() == []


def test_hidden_folders_and_other_files_are_passed_over(case: Case) -> None:
    for name in (".git/a.yaml", "notes.txt"):
        file = case.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(OTHER_RECEIVER % "GitRepository")
    assert case.told() == []


def test_annotations_stand_in_the_manifests(case: Case) -> None:
    case.change(RECEIVERS, "type: github", "type: gitlab")
    file = case.folder / RECEIVERS
    line = 1 + file.read_text().splitlines().index("  name: app2-hook")
    annotations = case.check("-o", "github").stdout.splitlines()
    assert (
        f"::error file={file},line={line},col=9::Receiver `apps/app2-hook` is of"
        in (annotations[-1])
    )


@pytest.mark.parametrize(
    "words",
    [("--cluster", "prod"), ("{config}", "--manifests", "{folder}")],
)
def test_options_that_do_not_go_together_are_refused(case: Case, words: tuple[str, ...]) -> None:
    given = [word.format(config=case.config, folder=case.folder) for word in words]
    assert run("check", str(case.config), *given).exit_code == 2


def test_a_file_with_errors_is_not_compared(case: Case) -> None:
    case.config.write_text(FILE.replace("ref: main", "reff: main"))
    views: list[dict[str, Any]] = json.loads(case.check("-o", "json").stdout)
    assert "manifests" not in views[0]
    assert case.check().exit_code == 1
    assert isinstance(case.print().exception, Exception)
