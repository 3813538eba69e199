"""flux-router check of layers with builds, and against the Flux Kustomizations of a checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fleet import Fleet, as_json, run
from tests.cli.test_builds import FILE
from tests.cli.test_check import lines
from tests.core.declared.test_charts import helm_release
from tests.core.declared.test_derive import kustomization
from tests.remote.git.local import make_repo

REMOTE = "https://example.org/base?ref=v1"
LAYERS = """\
    layers:
      - name: app1
        build: ./apps/app1
        paths: [apps/app1/]
        dependsOn: [app2]
      - {name: app2, build: ./apps/app2}
      - {name: app3, paths: [apps/app3/, "!apps/app3/b.yaml"]}
      - {name: broken, build: ./broken}
"""


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    folder = tmp_path_factory.mktemp("drifted")
    repo = make_repo(folder / "fleet")
    flux = {
        "app1": "path: apps/app1\n  dependsOn: [{name: app3}, {name: other}]",
        "app2": "path: ./apps/app2",
        "app3": "path: ./apps/app3",
        "renamed": "path: ./apps/app2",  # served by the folder
        "other": "path: ./apps/other",
    }
    repo.commit(
        {f"clusters/{name}.yaml": kustomization(name, spec) for name, spec in flux.items()}
        | {
            "apps/app1/kustomization.yaml": f"resources: [../../base, '{REMOTE}']",
            "apps/app2/kustomization.yaml": f"resources: [../../base, '{REMOTE}']",
            "apps/app3/kustomization.yaml": "resources: [../../base, a.yaml, b.yaml]",
            "apps/app3/a.yaml": "a: 1",
            "apps/app3/b.yaml": "a: 1",
            "apps/other/a.yaml": "a: 1",
            "base/kustomization.yaml": "resources: [all.yaml]",
            "base/all.yaml": "a: 1",
            "broken/kustomization.yaml": "resources: [gone.yaml]",
        }
    )
    config = folder / "router.yaml"
    config.write_text(FILE.partition("    layers:")[0] + LAYERS)
    return Fleet(repo=repo, config=config)


def test_what_differs_is_told_at_its_place(drifted: Fleet) -> None:
    base = "base/all.yaml, base/kustomization.yaml"
    assert [line for line in lines(drifted) if "dependsOn` does not order" not in line] == [
        ":5:11: warning: no layer owns 6 of 14 files, and a change there calls nothing: "
        "apps/other/a.yaml, clusters/app1.yaml, clusters/app2.yaml, clusters/app3.yaml,"
        " clusters/other.yaml, clusters/renamed.yaml",
        ":15:16: note: layers `app1` and `app2` share 2 files, such as `base/all.yaml`: "
        "a change there calls each of them",
        ":17:31: warning: it is not known what the build of layer `broken` reads: "
        "broken/kustomization.yaml: there is no broken/gone.yaml; every push of the ref calls it",
        f":13:17: note: the build of layer `app1` reads 2 files that its `paths` do not cover; "
        f"they count: {base}",
        f":16:30: warning: the Kustomization of layer `app3` (clusters/app3.yaml) reads 2 files "
        f"that its `paths` do not cover, so that a change there does not call it: {base}; "
        f"`build: ./apps/app3` (git mode) would",
        ":14:20: warning: layer `app1` depends on `app2`, and its Kustomization "
        "(clusters/app1.yaml) on `app3`",
        ":11:15: warning: layers `app1`, `app2`, `app3` have receivers of their own, and"
        " Kustomizations with one source, GitRepository flux-system/fleet: a call of any has Flux"
        " build all of them",
        ":5:11: warning: no layer serves 1 Flux Kustomization of this repository: "
        "`other` (clusters/other.yaml)",
        f":12:16: note: nothing watches `{REMOTE}`, which apps/app1/kustomization.yaml has the "
        f"build of layers `app1`, `app2` read",
    ]


def test_json_has_the_same_by_its_parts(drifted: Fleet) -> None:
    [view] = as_json(drifted.check("-o", "json"))
    [found] = view["repositories"]
    own = {"namespace": "flux-system"}
    assert found["unknownBuilds"] == [
        {"layer": "broken", "reason": "broken/kustomization.yaml: there is no broken/gone.yaml"}
    ]
    files = ["base/all.yaml", "base/kustomization.yaml"]
    app3 = {"name": "app3", "file": "clusters/app3.yaml", **own}
    assert found["uncovered"] == [
        {"layer": "app1", "kustomization": None, "files": files},
        {"layer": "app3", "kustomization": app3, "files": files},
    ]
    app1 = {"name": "app1", "file": "clusters/app1.yaml", "dependsOn": ["app3"], **own}
    assert found["dependencies"] == [
        {"layer": "app1", "dependsOn": ["app2"], "kustomization": app1}
    ]
    source = {"name": "fleet", "namespace": "flux-system"}
    assert found["sharedSources"] == [{"source": source, "layers": ["app1", "app2", "app3"]}]
    assert found["unserved"] == [{"name": "other", "file": "clusters/other.yaml", **own}]
    assert found["remotes"] == [
        {"url": REMOTE, "file": "apps/app1/kustomization.yaml", "layers": ["app1", "app2"]}
    ]


def test_annotations_are_made_of_them_and_they_are_no_errors(drifted: Fleet) -> None:
    result = drifted.check("-o", "github")
    assert result.exit_code == 0
    assert f"::warning file={drifted.config},line=14,col=20::layer `app1` depends" in result.stdout
    assert "::notice " in result.stdout


def test_a_clone_without_contents_leaves_nothing_silently_out(
    drifted: Fleet, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    drifted.repo.git("config", "uploadpack.allowFilter", "true")
    url = drifted.repo.path.as_uri()
    drifted.repo.git("clone", "-q", "--bare", "--filter=blob:none", url, str(bare))
    told = run("check", str(drifted.config), "--repo", str(bare)).stdout
    assert "14 files may hold Flux Kustomizations and cannot be read" in told
    assert "`app1` reads: apps/app1/kustomization.yaml: its content cannot be had" in told
    derived = run("derive", "--repo", str(bare))
    assert derived.stdout == "layers: []\n"
    assert derived.stderr.count("the repository lacks its content") == 14


def git_repository(name: str, **spec: object) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {json.dumps(spec)}\n"
    )


OWN = git_repository("flux-system", url="https://github.com/acme/fleet")


READ = {
    "apps/app1/kustomization.yaml": "resources: [../../base]",
    "base/kustomization.yaml": "resources: [all.yaml]",
    "base/all.yaml": "a: 1",
}
BASE = ["base/all.yaml", "base/kustomization.yaml"]


@pytest.mark.parametrize(
    ("ignores", "more", "left_out"),
    [
        (["/*\n!/apps/app1\n!/base"], {}, []),
        (["/*\n!/apps/app1"], {}, BASE),
        (["/*\n!/apps/app1\n!/base/[a]*"], {}, []),  # nobody can be sure what that brings back
        # Of several clusters, one source of that name that has it is enough.
        (["/*\n!/apps/app1", ""], {}, []),
        (["/*\n!/apps/app1", "all.yaml"], {}, ["base/all.yaml"]),
        ([""], {".sourceignore": "base/"}, BASE),
        (["# none"], {"base/kustomization.yaml": "configMapGenerator: [{files: [x.png]}]",
                      "base/x.png": "x"}, ["base/x.png"]),
        # As bootstrap leaves it; the URL of the layers' sources is told by a patch.
        (["/*\n!/apps/app1"], {"clusters/gotk-sync.yaml": OWN}, BASE),
        # A folder without a kustomization file has what its source has.
        (["all.yaml"], {"apps/app1/kustomization.yaml": None, "apps/app1/all.yaml": "a: 1"}, []),
    ],
)  # fmt: skip
def test_what_a_source_leaves_out_of_what_the_build_reads_is_told(
    ignores: list[str], more: dict[str, str | None], left_out: list[str], tmp_path: Path
) -> None:
    """A source for each layer has rules of its own, which are easily forgotten."""
    repo = make_repo(tmp_path / "fleet")
    used = kustomization("app1", "path: apps/app1", source="{kind: GitRepository, name: app1}")
    sources = {
        f"clusters/{number}.yaml": git_repository("app1", ignore=ignore)
        for number, ignore in enumerate(ignores)
    }
    files = READ | {"clusters/app1.yaml": used} | sources | more
    repo.commit({path: text for path, text in files.items() if text is not None})
    config = tmp_path / "router.yaml"
    layers = "    layers:\n      - {name: app1, build: ./apps/app1}\n"
    config.write_text(FILE.partition("    layers:")[0] + layers)
    fleet = Fleet(repo=repo, config=config)
    told = [line for line in lines(fleet) if "leaves out" in line]
    [view] = as_json(fleet.check("-o", "json"))
    found = view["repositories"][0]["leftOut"]
    if not left_out:
        assert (told, found) == ([], [])
        return
    count = "1 file" if len(left_out) == 1 else f"{len(left_out)} files"
    assert told == [
        f":11:16: warning: the source of layer `app1`, `app1` (clusters/0.yaml), leaves out {count}"
        " that the layer's build reads, by `spec.ignore`, `.sourceignore` or Flux's defaults: "
        + ", ".join(left_out)
    ]
    source = {"name": "app1", "namespace": "flux-system", "file": "clusters/0.yaml"}
    assert found == [{"layer": "app1", "source": source, "files": left_out}]


def survey(tmp_path: Path, layers: str, files: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    """What is told of *layers*, without what each file of no layer gives; and the same as JSON."""
    repo = make_repo(tmp_path / "fleet")
    repo.commit(files)
    config = tmp_path / "router.yaml"
    config.write_text(FILE.partition("    layers:")[0] + f"    layers:\n{layers}")
    fleet = Fleet(repo=repo, config=config)
    told = [line for line in lines(fleet) if "no layer owns" not in line]
    [view] = as_json(fleet.check("-o", "json"))
    return told, view["repositories"][0]


VARIABLES = "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}"
MOVED = {
    "clusters/app.yaml": kustomization("app", "path: ./apps/new\n  components: [../tls, ../x/]"),
    "apps/old/a.yaml": "a: 1",
    "apps/new/a.yaml": "a: 1",
    "apps/tls/kustomization.yaml": "kind: Component",
    "apps/x/kustomization.yaml": "kind: Component",
}


@pytest.mark.parametrize(
    ("layer", "key", "told"),
    [
        ("build: ./apps/old", "builds", ":11:28: warning: layer `app` builds `./apps/old`, and its"
         " Kustomization (clusters/app.yaml) builds `./apps/new`"),
        ("build: [./apps/old, apps/new], components: [../tls]", "components",
         ":11:28: warning: layer `app` has components `../tls`, and its Kustomization"
         " (clusters/app.yaml) has `../tls`, `../x/`"),
        ("build: apps/new/, components: [../x, ../tls]", None, None),
        ("paths: [apps/]", None, None),
    ],
)  # fmt: skip
def test_a_layer_that_builds_otherwise_than_its_kustomization_is_told(
    layer: str, key: str | None, told: str | None, tmp_path: Path
) -> None:
    lines, view = survey(tmp_path, f"      - {{name: app, {layer}}}\n", MOVED)
    assert [line for line in lines if "Kustomization" in line] == ([told] if told else [])
    found = {each: view[each] for each in ("builds", "components") if view[each]}
    assert list(found) == ([key] if key else [])


def test_of_several_clusters_one_that_agrees_with_the_build_is_enough(tmp_path: Path) -> None:
    files = MOVED | {"clusters/lab.yaml": kustomization("app", "path: ./apps/old")}
    lines, _ = survey(tmp_path, "      - {name: app, build: ./apps/old}\n", files)
    assert lines == []


@pytest.mark.parametrize(
    ("layer", "files"),
    [
        ("build: ./apps", ["charts/web/Chart.yaml", "charts/web/values.yaml", "vars.yaml"]),
        ("build: ./apps, paths: [charts/]", ["vars.yaml"]),
        ("build: ./apps, paths: [charts/, vars.yaml]", []),
        ("paths: [apps/, charts/web/*]", ["vars.yaml"]),
    ],
)
def test_variables_and_charts_that_call_no_layer_are_told(
    layer: str, files: list[str], tmp_path: Path
) -> None:
    told, view = survey(
        tmp_path,
        f"      - {{name: app, {layer}}}\n",
        {
            "clusters/app.yaml": kustomization("app", f"path: ./apps\n  {VARIABLES}"),
            "apps/release.yaml": helm_release("web", "./charts/web"),
            "charts/web/Chart.yaml": "name: web",
            "charts/web/values.yaml": "a: 1",
            "vars.yaml": "kind: ConfigMap\nmetadata: {name: vars}",
        },
    )
    own = {"name": "app", "namespace": "flux-system", "file": "clusters/app.yaml"}
    found = {"layer": "app", "kustomization": own, "files": files}
    assert view["unwatched"] == ([found] if files else [])
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    expected = (
        f":11:16: warning: Flux takes variables or charts for layer `app` (clusters/app.yaml) from"
        f" {count} whose change does not call it: {', '.join(files)}; add them to its `paths`"
    )
    assert [line for line in told if "Flux takes" in line] == ([expected] if files else [])


def test_a_kustomization_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    told, view = survey(
        tmp_path,
        "      - {name: app, paths: [apps/]}\n",
        {
            "apps/a.yaml": "a: 1",
            "clusters/app.yaml": kustomization("app", "path: ./apps/${CLUSTER}"),
            "clusters/gone.yaml": kustomization("gone", "path: ./gone"),
            "clusters/oci.yaml": kustomization("oci", source="{kind: OCIRepository, name: x}"),
        },
    )
    assert told == [
        ":5:11: note: 2 Flux Kustomizations of this repository cannot be followed, such as `app`"
        " (clusters/app.yaml): a variable stands in its name or path, `./apps/${CLUSTER}`"
    ]
    assert [each["name"] for each in view["unfollowed"]] == ["app", "gone"]


def test_kustomizations_of_another_ref_are_no_concern_of_an_entry(tmp_path: Path) -> None:
    source = "{kind: GitRepository, name: lab}"
    lab = git_repository("lab", url="https://github.com/acme/fleet", ref={"branch": "lab"})
    files = {"clusters/lab.yaml": lab + "---\n" + kustomization("lab", "path: apps", source=source)}
    told, _ = survey(tmp_path, "      - {name: app, paths: [apps/]}\n", files | {"apps/a": "a"})
    assert told == []


@pytest.mark.parametrize(
    ("intervals", "is_polled"),
    [(["1m0s"], True), (["10m"], True), (["10m1s"], False), (["24h"], False), (["1.5s"], True),
     (["often"], False), ([""], False), (["1m", "24h"], False)],
)  # fmt: skip
def test_what_flux_fetches_by_itself_needs_no_layer(
    intervals: list[str], is_polled: bool, tmp_path: Path
) -> None:
    """Such as what `flux bootstrap` makes; a source with a long interval was likely forgotten."""
    sources = "---\n".join(git_repository("own", interval=each) for each in intervals)
    text = sources + "---\n" + kustomization("x", "path: apps",
                                             source="{kind: GitRepository, name: own}")  # fmt: skip
    told, view = survey(
        tmp_path, "      - {name: app, paths: [apps/]}\n", {"apps/a": "a", "clusters/x.yaml": text}
    )
    more = ", whose source Flux fetches every 10 minutes or more often" if is_polled else ""
    level = "note" if is_polled else "warning"
    assert told == [
        f":5:11: {level}: no layer serves 1 Flux Kustomization of this repository{more}:"
        " `x` (clusters/x.yaml)"
    ]
    assert [each["name"] for each in view["polled" if is_polled else "unserved"]] == ["x"]


def test_files_that_no_cluster_applies_count_unless_a_folder_is_told(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    repo.commit(
        {
            "prod/app.yaml": kustomization("app", f"path: ./apps\n  {VARIABLES}"),
            "apps/a.yaml": "a: 1",
            ".archive/vars.yaml": "kind: ConfigMap\nmetadata: {name: vars}",
            ".archive/old.yaml": kustomization("old", "path: ./apps/old"),
            "apps/old/a.yaml": "a: 1",
        }
    )
    config = tmp_path / "router.yaml"
    layers = "    layers:\n      - {name: app, build: ./apps}\n"
    config.write_text(FILE.partition("    layers:")[0] + layers)
    fleet = Fleet(repo=repo, config=config)

    def told(*words: str) -> list[str]:
        found = fleet.check(*words).stdout.splitlines()
        return [line for line in found if "Flux" in line]

    assert [".archive/" in line for line in told()] == [True, True]
    assert told("--path", "prod") == []
    assert told("--path", "prod", "--path", "./.archive/")[-1].endswith("`old` (.archive/old.yaml)")
    repo.commit({"prod/kustomization.yaml": "resources: [app.yaml, gone.yaml]"})
    assert any("prod: what its build reads is not known" in line for line in told("--path", "prod"))
    result = fleet.check("--path", "gone")
    assert "there is no folder 'gone' at HEAD" in str(result.exception)


def test_a_dependency_on_a_layer_of_another_entry_is_none_that_differs(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "fleet")
    spec = "path: ./apps\n  dependsOn: [{name: other-all}]"
    repo.commit({"prod/app.yaml": kustomization("app", spec), "apps/a.yaml": "a: 1"})
    config = tmp_path / "router.yaml"
    layers = "    layers:\n      - {name: app, build: ./apps, dependsOn: [other-all]}\n"
    config.write_text(FILE.partition("    layers:")[0] + layers)
    fleet = Fleet(repo=repo, config=config)
    fleet.add_entry("other", "https://github.com/acme/other")
    words = ("--repository", "fleet")
    assert "depends on" not in fleet.check(*words).stdout
    fleet.change("dependsOn: [other-all]", "dependsOn: []")
    assert "depends on nothing, and its Kustomization (prod/app.yaml) on `other-all`" in (
        fleet.check(*words).stdout
    )
