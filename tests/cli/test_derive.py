"""flux-router derive on a real repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from router.core.errors import ConfigInvalid, SettingsInvalid
from tests.cli.fleet import Fleet, run
from tests.cli.test_builds import FILE
from tests.core.declared.test_charts import helm_release
from tests.core.declared.test_derive import kustomization
from tests.remote.git.local import make_repo

VARS = "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}"
LAYERS = """\
layers:
  - name: apps
    build: ./apps/prod
    paths: [clusters/prod/vars.yaml]
    dependsOn: [infra]
  - name: flux-system
    build: ./clusters/prod
  - name: infra
    build: ./infra
  - name: nested
    build: ./nested
    components: [../tls]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Two clusters; prod has a Kustomization whose build applies another one."""
    folder = tmp_path_factory.mktemp("cluster")
    repo = make_repo(folder / "fleet")
    apps = f"path: ./apps/prod\n  dependsOn: [{{name: infra}}]\n  {VARS}"
    repo.commit(
        {
            "clusters/prod/kustomization.yaml": "resources: [self.yaml, infra.yaml, apps.yaml,"
            " vars.yaml]",
            "clusters/prod/self.yaml": kustomization("flux-system", "path: ./clusters/prod"),
            "clusters/prod/infra.yaml": kustomization("infra", "path: ./infra"),
            "clusters/prod/apps.yaml": kustomization("apps", apps),
            "clusters/prod/vars.yaml": "kind: ConfigMap\nmetadata: {name: vars}",
            "clusters/prod/unused.yaml": kustomization("unused", "path: ./infra"),
            "clusters/lab/apps.yaml": kustomization("apps", "path: ./apps/lab"),
            "apps/prod/kustomization.yaml": "resources: [nested.yaml, moved.yaml]",
            "apps/prod/nested.yaml": kustomization(
                "nested", "path: ./nested\n  components: [../tls]"
            ),
            "apps/prod/moved.yaml": kustomization("moved", "path: ./${WHERE}"),
            "apps/lab/a.yaml": "a: 1",
            "infra/a.yaml": "a: 1",
            "nested/a.yaml": "a: 1",
            "tls/kustomization.yaml": "kind: Component",
        }
    )
    return Fleet(repo=repo, config=folder / "router.yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "router.yaml"
    path.write_text(FILE.partition("    layers:")[0] + "    layers:\n      # all\n"
                    "      - {name: apps, paths: [apps/]}\n")  # fmt: skip
    return path


def test_the_layers_of_a_cluster_are_printed_and_what_is_left_out_is_told(cluster: Fleet) -> None:
    result = run("derive", "--repo", str(cluster.repo.path), "--path", "clusters/prod")
    assert (result.exit_code, result.stdout) == (0, LAYERS)
    assert result.stderr == (
        "apps/prod/moved.yaml: the Kustomization `moved` is not derived: a variable stands in its"
        " name or path, `./${WHERE}`\n"
        "clusters/prod/apps.yaml: `apps`, `flux-system`, `infra`, `nested` share GitRepository"
        " flux-system/fleet: Flux builds them all whenever it is fetched\n"
    )


def test_without_a_folder_every_file_counts_and_two_of_a_name_are_told(cluster: Fleet) -> None:
    result = run("derive", "--repo", str(cluster.repo.path))
    assert "- name: unused\n" in result.stdout
    assert "prod/apps.yaml: `apps` is also defined in clusters/lab/apps.yaml" in result.stderr


def test_a_file_is_changed_once_and_then_in_step(cluster: Fleet, file: Path) -> None:
    words = ("derive", "--repo", str(cluster.repo.path), "--path", "clusters/prod")
    before = file.read_text()
    shown = run(*words, "--config", str(file))
    assert file.read_text() == before
    written = run(*words, "--write", str(file))
    assert (written.exit_code, written.stdout) == (0, shown.stdout)
    new = (
        "      - {name: apps, build: ./apps/prod, dependsOn: [infra], "
        "paths: [apps/, clusters/prod/vars.yaml]}\n"
    )
    assert f"+{new}" in shown.stdout
    assert file.read_text().startswith(
        before.replace("      - {name: apps, paths: [apps/]}\n", new)
    )
    again = run(*words, "--write", str(file))
    assert (again.exit_code, again.stdout) == (0, "")
    assert "in step with 4 layers" in again.stderr
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_would_not_load_any_more_is_left_as_it_is(tmp_path: Path, file: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    repo.commit({"ks.yaml": kustomization("x", 'path: "a\\x01b"'), "a\x01b/a.yaml": "a: 1"})
    before = file.read_text()
    result = run("derive", "--repo", str(repo.path), "--write", str(file))
    assert isinstance(result.exception, ConfigInvalid)
    assert "left as it is" in result.stderr
    assert file.read_text() == before


def test_a_name_that_no_layer_can_have_is_told_and_the_others_are_derived(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    repo.commit({"ks.yaml": kustomization("apps.v2", "path: a"), "a/a.yaml": "a: 1",
                 "b.yaml": kustomization("b", "path: a")})  # fmt: skip
    result = run("derive", "--repo", str(repo.path))
    assert result.stdout == "layers:\n  - name: b\n    build: ./a\n"
    told = "ks.yaml: the Kustomization `apps.v2` is not derived: no layer can have its name\n"
    assert told in result.stderr


@pytest.mark.parametrize("folder", [None, "prod"])
def test_patches_and_kustomizations_in_files_of_other_kinds_count(
    folder: str | None, tmp_path: Path
) -> None:
    """A patch need not hold any of the words by which other files are found."""
    repo = make_repo(tmp_path / "fleet")
    document = yaml.safe_load(kustomization("app", "path: ./apps"))
    repo.commit(
        {
            "prod/kustomization.yaml": "resources: [apps.json]\n"
            "patches: [{path: p.txt, target: {kind: Kustomization}}]",
            "prod/apps.json": json.dumps(document),
            "prod/p.txt": "[{op: replace, path: /spec, value: {}}]",
            "apps/a": "",
        }
    )
    words = () if folder is None else ("--path", folder)
    result = run("derive", "--repo", str(repo.path), *words)
    assert result.stdout == "layers:\n  - name: app\n    build: ./apps\n"
    assert result.stderr.startswith("prod/p.txt: a patch here changes path")


def test_the_charts_that_a_chart_depends_on_are_read_from_the_repository(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    source = "{kind: GitRepository, name: fleet, namespace: flux-system}"
    repo.commit(
        {
            "prod/ks.yaml": kustomization("app", "path: ./apps", source=source),
            "apps/release.yaml": helm_release("web", "./charts/web"),
            "charts/web/Chart.yaml": "dependencies: [{repository: 'file://../base'}]",
            "charts/base/Chart.yaml": "dependencies: [{repository: 'file://../web'}]",
        }
    )
    for words in ((), ("--path", "prod")):
        result = run("derive", "--repo", str(repo.path), *words)
        assert "    paths: [charts/web/, charts/base/]\n" in result.stdout


def test_an_entry_in_payload_mode_is_told_that_it_needs_git(cluster: Fleet, file: Path) -> None:
    payload_mode = file.read_text().replace("    git: {}\n", "")
    file.write_text(payload_mode)
    result = run("derive", "--repo", str(cluster.repo.path), "--write", str(file))
    assert isinstance(result.exception, SettingsInvalid)
    assert "fleet has no `git`, and only git mode knows `build`" in str(result.exception)
    assert file.read_text() == payload_mode


@pytest.mark.parametrize("layers", ["", "    layers:\n", "    layers: []\n"])
def test_an_entry_without_layers_gets_its_first_ones(
    cluster: Fleet, file: Path, layers: str
) -> None:
    begin = file.read_text().partition("    layers:")[0]
    second = begin.partition("repositories:\n")[2]
    second = second.replace("name: fleet", "name: lab").replace("ref: main", "ref: lab")
    file.write_text(begin + layers + second)
    words = ("--path", "clusters/prod", "--repository", "fleet", "--write", str(file))
    result = run("derive", "--repo", str(cluster.repo.path), *words)
    assert result.exit_code == 0, result.exception
    indented = "".join(f"    {line}\n" for line in LAYERS.splitlines())
    assert file.read_text() == begin + indented + second


def test_the_mark_of_utf_8_at_the_begin_of_a_file_stays(cluster: Fleet, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    words = ("--path", "clusters/prod", "--write", str(file))
    assert run("derive", "--repo", str(cluster.repo.path), *words).exit_code == 0
    assert file.read_bytes().startswith(b"\xef\xbb\xbfapiVersion")


def test_what_is_left_to_be_changed_by_hand_is_not_in_step(cluster: Fleet, file: Path) -> None:
    begin = file.read_text().partition("    layers:")[0]
    file.write_text(
        f"{begin}    layers:\n      - {{name: apps, build: ./apps/prod, paths: &p [apps/],"
        " dependsOn: [infra]}\n      - {name: infra, build: ./infra, paths: *p}\n"
        "      - {name: flux-system, build: ./clusters/prod}\n"
        "      - {name: nested, build: ./nested, components: [../tls]}\n"
    )
    words = ("--path", "clusters/prod", "--write", str(file))
    result = run("derive", "--repo", str(cluster.repo.path), *words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "`paths` of layer `apps` is shared with others by an alias" in result.stderr
    assert "in step" not in result.stderr


def test_a_checkout_of_another_repository_is_told(tmp_path: Path, file: Path) -> None:
    repo = make_repo(tmp_path / "fork")
    repo.commit({"a.yaml": "a: 1"})
    words = ("derive", "--repo", str(repo.path), "--config", str(file))
    told = f"the remotes of {repo.path} are none of the repositories in {file}; taken to be a fork"
    assert told not in run(*words).stderr  # it has none
    repo.git("remote", "add", "origin", "https://github.com/else/fleet")
    assert told in run(*words).stderr
    repo.git("remote", "add", "upstream", "https://github.com/Acme/Fleet")
    assert told not in run(*words).stderr


def test_what_a_folder_applies_from_elsewhere_is_told(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    url = "https://github.com/acme/fleet//clusters/base?ref=main"
    repo.commit({"prod/kustomization.yaml": f"resources: ['{url}']"})
    result = run("derive", "--repo", str(repo.path), "--path", "prod")
    assert (result.stdout, result.stderr) == (
        "layers: []\n",
        f"prod/kustomization.yaml: what `{url}` applies, which is elsewhere, is not looked at\n",
    )


def test_a_build_that_is_not_whole_is_told(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    repo.commit({"prod/kustomization.yaml": "resources: [ks.yaml, gone.yaml]",
                 "prod/ks.yaml": kustomization("self", "path: prod")})  # fmt: skip
    result = run("derive", "--repo", str(repo.path), "--path", "prod")
    assert result.stdout == "layers:\n  - name: self\n    build: ./prod\n"
    assert result.stderr == (
        "prod: what its build reads is not known: prod/kustomization.yaml: there is no"
        " prod/gone.yaml\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--path", "gone"), "there is no folder 'gone' at HEAD"),
        (("--path", "clusters/prod/apps.yaml"), "'clusters/prod/apps.yaml' is a file, no folder"),
        (("--rev", "gone"), "'gone' names no commit"),
    ],
)
def test_what_is_not_there_is_an_error(cluster: Fleet, words: tuple[str, ...], told: str) -> None:
    result = run("derive", "--repo", str(cluster.repo.path), *words)
    assert isinstance(result.exception, SettingsInvalid)
    assert told in str(result.exception)


def test_options_that_contradict_each_other_are_refused(cluster: Fleet, file: Path) -> None:
    repo = ("derive", "--repo", str(cluster.repo.path))
    assert run(*repo, "--config", str(file), "--write", str(file)).exit_code == 2
    assert run(*repo, "--repository", "fleet").exit_code == 2
    text = file.read_text()
    second = (
        text.partition("repositories:\n")[2]
        .replace("name: fleet", "name: second")
        .replace("ref: main", "ref: lab")
    )
    file.write_text(text + second.replace("name: apps", "name: second-apps"))
    assert run(*repo, "--write", str(file)).exit_code == 2
    assert run(*repo, "--config", str(file), "--repository", "second").exit_code == 0


ROOT = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: https://github.com/acme/fleet, interval: 1m0s}
---
"""
RECEIVER = """\
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: flux-system, namespace: flux-system}
spec: {type: generic-hmac, resources: [{kind: GitRepository, name: fleet}]}
"""


@pytest.mark.parametrize(
    ("sync", "is_derived"),
    [
        (ROOT, False),
        (ROOT + RECEIVER + "---\n", True),
        (ROOT.replace("1m0s", "24h"), True),
        (ROOT.replace("1m0s", "24h") + RECEIVER + "---\n", True),
    ],
)
def test_what_applies_itself_is_a_layer_only_if_somebody_has_to_be_called(
    sync: str, is_derived: bool, tmp_path: Path
) -> None:
    repo = make_repo(tmp_path / "fleet")
    repo.commit({"prod/sync.yaml": sync + kustomization("flux-system", "path: ./prod")})
    result = run("derive", "--repo", str(repo.path), "--path", "prod")
    assert ("- name: flux-system" in result.stdout) is is_derived
    told = (
        "prod/sync.yaml: the Kustomization `flux-system` is not derived: it applies itself, and"
        " Flux fetches its source often without being called\n"
    )
    assert result.stderr == ("" if is_derived else told)


def test_layers_are_named_as_the_clusters_of_the_file_call_their_kustomizations(
    tmp_path: Path, file: Path
) -> None:
    repo = make_repo(tmp_path / "fleet")
    source = "{{kind: GitRepository, name: {}}}".format
    repo.commit(
        {
            "a.yaml": kustomization("prod-apps", "path: ./apps\n  dependsOn: [{name: prod-infra}]",
                                    source=source("apps")),
            "b.yaml": kustomization("prod-infra", "path: ./infra", source=source("infra")),
            "apps/a": "",
            "infra/a": "",
        }
    )  # fmt: skip
    text = file.read_text().replace(
        "receiver: {", "kustomization: {name: 'prod-{layer}'}, receiver: {", 1
    )
    assert "kustomization:" in text
    file.write_text(text)
    checked = ("check", str(file), "--repo", str(repo.path))
    assert "no layer serves 1 Flux Kustomization of this repository: `prod-infra`" in (
        run(*checked).stdout
    )
    result = run("derive", "--repo", str(repo.path), "--write", str(file))
    assert result.exit_code == 0, result.exception
    assert file.read_text() == text.replace(
        "{name: apps, paths: [apps/]}",
        "{name: apps, build: ./apps, dependsOn: [infra], paths: [apps/]}\n"
        "      - name: infra\n        build: ./infra",
    )
    again = run(*checked).stdout
    assert [word for word in ("serves", "depends on", "builds") if word in again] == []
