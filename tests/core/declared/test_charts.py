"""Helm charts that Flux makes of files in the repository."""

from __future__ import annotations

import pytest

from router.core.declared.charts import read_dependencies
from router.core.declared.derive import Derived, derive_layers
from router.core.declared.files import read_flux
from router.core.declared.ownership import Ours, own_kustomizations
from router.core.kustomize.closure import Closure
from router.core.kustomize.found import BUILD
from tests.core.declared.test_derive import OWN_NAME, SOURCE, UNSEEN, kustomization
from tests.core.kustomize.trees import make_tree

FLEET = "{kind: GitRepository, name: fleet, namespace: flux-system}"


def helm_release(name: str, chart: str, source: str = FLEET, more: str = "{}") -> str:
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata: {{name: {name}, namespace: web}}\n"
        f"spec:\n  chart:\n    spec:\n      <<: {more}\n      chart: {chart}\n"
        f"      sourceRef: {source}\n"
    )


CHART = {"charts/web/Chart.yaml": "name: web", "charts/web/templates/a.yaml": "a: 1"}


def derive(
    files: dict[str, str],
    kustomizations: dict[str, str],
    applied: dict[str, str],
    unknown: str | None = None,
) -> Derived:
    """Kustomizations with their sources; *applied* has, for files, whose build reads them."""
    texts = {
        f"{name}.yaml": kustomization(name, f"path: ./{name}", source=source)
        for name, source in kustomizations.items()
    }
    texts |= {f"{name}/x.yaml": "a: 1" for name in kustomizations}
    texts |= files | {"source.yaml": SOURCE}
    tree = make_tree(texts)
    found = read_flux({path: content.encode() for path, content in texts.items()})
    owned = own_kustomizations(found, tree, Ours(urls={OWN_NAME}))
    closures = {
        each.build: Closure(
            files={path: BUILD for path, by in applied.items() if by == each.name}, unknown=unknown
        )
        for each in owned.kustomizations
    }
    return derive_layers(owned, found, tree, closures)


@pytest.mark.parametrize(
    ("release", "paths"),
    [
        (helm_release("web", "./charts/web"), ("charts/web/",)),
        (helm_release("web", "/charts/web/"), ("charts/web/",)),
        (helm_release("web", "web-1.tgz"), ("web-1.tgz",)),
        (helm_release("web", "./charts/web", more="{valuesFiles: [./v.yaml, charts/web/p.yaml]}"),
         ("charts/web/", "v.yaml")),
        ("apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: web}\n"
         f"spec: {{chart: charts/web, sourceRef: {FLEET}, valuesFile: v.yaml}}",
         ("charts/web/", "v.yaml")),
        (helm_release("web", "web", source="{kind: HelmRepository, name: fleet}"), ()),
        (helm_release("web", "web", source="{kind: GitRepository, name: other,"
                      " namespace: flux-system}"), ()),
        ("apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {chartRef: {}}", ()),
    ],
)  # fmt: skip
def test_a_chart_of_this_repository_is_its_layer_s(release: str, paths: tuple[str, ...]) -> None:
    files = CHART | {"app/release.yaml": release, "v.yaml": "a: 1", "web-1.tgz": ""}
    derived = derive(files, {"app": FLEET}, {"app/release.yaml": "app"})
    assert derived.notes == ()
    assert derived.layers[0].paths == paths


def test_so_are_the_charts_it_depends_on() -> None:
    files = CHART | {
        "app/release.yaml": helm_release("web", "./charts/web"),
        "charts/web/Chart.yaml": "dependencies: [{repository: 'file://../common'},"
        " {repository: 'https://charts.example'}, {repository: 'file://../../../out'}]",
        "charts/common/requirements.yaml": "dependencies: [{repository: 'file://../web/'},"
        " {repository: 'file://sub'}]",
        "charts/common/sub/Chart.yaml": "{{ no YAML",
    }
    derived = derive(files, {"app": FLEET}, {"app/release.yaml": "app"})
    assert derived.notes == ()
    below = ("charts/web/", "charts/common/", "charts/common/sub/")
    assert derived.layers[0].paths == below
    contents = {path: content.encode() for path, content in files.items()}
    assert read_dependencies("charts/web", contents) == ("charts/common", "../out")
    assert read_dependencies("charts/gone", contents) == ()


def test_it_is_of_the_layer_that_applies_it() -> None:
    files = CHART | {"b/release.yaml": helm_release("web", "./charts/web")}
    derived = derive(files, {"a": FLEET, "b": FLEET, "c": UNSEEN}, {"b/release.yaml": "b"})
    assert [each.name for each in derived.layers if each.paths] == ["b"]


def test_what_may_apply_it_counts_where_that_is_not_known() -> None:
    files = CHART | {"b/release.yaml": helm_release("web", "./charts/web")}
    derived = derive(files, {"a": FLEET, "c": UNSEEN}, {}, unknown="it is not known")
    assert [each.name for each in derived.layers if each.paths] == ["a"]


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (helm_release("web", "./charts/gone"), "there is no such folder"),
        (helm_release("web", "../out"), "there is no such folder"),
        (helm_release("web", "./charts/${NAME}"), "a variable stands in a path"),
        (helm_release("web", "./charts/web", source="{kind: GitRepository, name: unseen}"),
         "the Kustomization that applies it has another source than GitRepository web/unseen"),
        (helm_release("web", "./"), "it is the whole repository"),
    ],
)  # fmt: skip
def test_a_chart_that_cannot_be_followed_is_told(release: str, why: str) -> None:
    derived = derive(CHART | {"app/release.yaml": release}, {"app": FLEET},
                     {"app/release.yaml": "app"})  # fmt: skip
    (note,) = derived.notes
    assert note.file == "app/release.yaml"
    assert f"of HelmRelease web/web is not followed: {why}" in note.message
    assert derived.layers[0].paths == ()


def test_a_chart_that_no_build_applies_is_told() -> None:
    release = {"off/release.yaml": helm_release("web", "./charts/web")}
    derived = derive(CHART | release, {"app": FLEET}, {})
    assert [note.message for note in derived.notes] == [
        "the chart `charts/web` of HelmRelease web/web is not followed: no build applies it"
    ]


@pytest.mark.parametrize(
    ("patch", "is_told"),
    [
        ("[{path: /spec/chart/spec/valuesFiles, value: [v.yaml]}]", True),
        ("{kind: any, spec: {chart: {spec: {chart: ./other}}}}", True),
        ("[{path: /spec/chart, value: {}}]", True),
        ("[{path: /spec/chart/spec/version, value: 2}]", False),
        ("{kind: any, spec: {chart: {spec: {version: 2}}, values: {a: b}}}", False),
    ],
)
def test_a_patch_of_a_chart_is_told(patch: str, is_told: bool) -> None:
    file = f"patches: [{{target: {{kind: HelmRelease}}, patch: '{patch}'}}]"
    derived = derive({"x/kustomization.yaml": file}, {"app": FLEET}, {})
    told = ["a patch here changes the chart of a HelmRelease, and is not followed"]
    assert [note.message for note in derived.notes] == (told if is_told else [])
