"""Which files a build reads, field by field."""

from __future__ import annotations

import pytest

from router.core.kustomize.changed import read_changes
from router.core.kustomize.closure import Build, Closure, Need, find_closure
from router.core.kustomize.reader import Reader
from tests.core.kustomize.trees import blob_of, closure_of, make_tree


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("resources: [a.yaml, ../other]", {"apps/a.yaml", "other/kustomization.yaml", "other/x"}),
        ("bases: [../other/]", {"other/kustomization.yaml", "other/x"}),
        ("patches: [{path: a.yaml}, {patch: '- op: x'}]", {"apps/a.yaml"}),
        ("patchesStrategicMerge:\n  - a.yaml\n  - |\n    kind: X\n", {"apps/a.yaml"}),
        ("patchesJson6902: [{path: a.yaml, target: {kind: X}}]", {"apps/a.yaml"}),
        ("configMapGenerator: [{name: c, files: [k=a.yaml, b], envs: [c]}]",
         {"apps/a.yaml", "apps/b", "apps/c"}),
        ("secretGenerator: [{name: c, env: c}]", {"apps/c"}),
        ("replacements: [{path: a.yaml}, {source: {kind: X}}]", {"apps/a.yaml"}),
        ("crds: [a.yaml]\nconfigurations: [b]\nopenapi: {path: c}",
         {"apps/a.yaml", "apps/b", "apps/c"}),
        ("transformers: [patch.yaml]", {"apps/patch.yaml", "apps/a.yaml"}),
        ("transformers: ['{apiVersion: builtin, kind: PatchTransformer, path: a.yaml}']",
         {"apps/a.yaml"}),
        ("helmCharts: [{name: web, version: 1.2.3, valuesFile: a.yaml}]",
         {"apps/a.yaml", "apps/charts/web/Chart.yaml", "apps/charts/web/templates/x"}),
        ("resources: [sub]", {"apps/sub/kustomization.yml", "apps/sub/y"}),
    ],
)  # fmt: skip
def test_every_field_that_names_a_file_is_followed(text: str, read: set[str]) -> None:
    files = {
        "apps/kustomization.yaml": text,
        **dict.fromkeys(("apps/a.yaml", "apps/b", "apps/c", "apps/unread.yaml"), "x"),
        "apps/patch.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: a.yaml",
        "apps/charts/web/Chart.yaml": "name: web",
        "apps/charts/web/templates/x": "x",
        "apps/sub/kustomization.yml": "resources: [y]",
        "apps/sub/y": "y",
        "other/kustomization.yaml": "resources: [x]",
        "other/x": "x",
    }
    closure = closure_of(files, "./apps")
    assert closure.unknown is None
    assert set(closure.files) == {"apps/kustomization.yaml", *read}


def test_a_chain_leads_from_a_file_to_the_build() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [../base]",
        "base/kustomization.yaml": "resources: [x.yaml]",
        "base/x.yaml": "x",
    }
    assert closure_of(files, "apps").chain("base/x.yaml") == (
        "base/x.yaml",
        "base/kustomization.yaml",
        "apps/kustomization.yaml",
    )


def test_a_folder_without_a_kustomization_file_is_read_whole_as_flux_does() -> None:
    read = {
        "apps/a.yaml": "x",
        "apps/b.yml": "x",
        "apps/deep/c.yaml": "x",
        "apps/built/kustomization.yaml": "resources: [d.yaml]",
        "apps/built/d.yaml": "x",
    }
    files = read | dict.fromkeys(("apps/README.md", "apps/built/unread.yaml", "apps2/e.yaml"), "x")
    closure = closure_of(files, "apps")
    assert closure.unknown is None
    assert set(closure.files) == set(read)


def test_components_of_the_flux_kustomization_are_relative_to_its_folder() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [a.yaml]",
        "apps/a.yaml": "x",
        "parts/tls/kustomization.yaml": "kind: Component\npatches: [{path: p.yaml}]",
        "parts/tls/p.yaml": "x",
    }
    closure = closure_of(files, "apps", components=("../parts/tls",))
    assert {"parts/tls/kustomization.yaml", "parts/tls/p.yaml"} < set(closure.files)


def test_what_is_elsewhere_is_told_and_watched_by_nothing() -> None:
    text = "resources:\n  - https://example.com/x.yaml\n  - github.com/acme/base//prod?ref=v1\n"
    closure = closure_of({"apps/kustomization.yaml": text}, "apps")
    assert closure.unknown is None
    assert [(remote.url, remote.by) for remote in closure.remotes] == [
        ("https://example.com/x.yaml", "apps/kustomization.yaml"),
        ("github.com/acme/base//prod?ref=v1", "apps/kustomization.yaml"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("resources: [missing.yaml]", "there is no apps/missing.yaml"),
        ("resources: [../../out.yaml]", "leads out of the repository"),
        ("resources: [/etc/passwd]", "is an absolute path"),
        ("resources: [.]", "is part of a circle"),
        ("resources: x", "`resources` is no list"),
        ("resources: [{}]", "holds something that is no text"),
        ("[]", "it is no mapping"),
        ("a: b: c", "it is not YAML"),
        ("a: *x", "alias"),
        ("newField: [x]", "field `newField` is not known"),
        ("components: [a.yaml]", "there is no apps/a.yaml"),
        ("transformers: [plugin.yaml]", "nobody can tell what the plugin 'Mine' reads"),
        ("x: " + "[" * 20, "it is not YAML"),
    ],
)
def test_what_cannot_be_told_makes_the_closure_unknown(text: str, why: str) -> None:
    files = {
        "apps/kustomization.yaml": text,
        "apps/a.yaml": "x",
        "apps/plugin.yaml": "apiVersion: acme/v1\nkind: Mine\n",
    }
    closure = closure_of(files, "apps")
    assert closure.unknown is not None
    assert why in closure.unknown
    assert "apps/kustomization.yaml" in closure.files


def test_links_are_followed_within_the_repository_and_no_further() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [linked.yaml, folder/x.yaml]",
        "base/x.yaml": "x",
    }
    links = {"apps/linked.yaml": "../base/x.yaml", "apps/folder": "../base"}
    closure = closure_of(files, "apps", links=links)
    assert closure.unknown is None
    assert set(closure.files) == {*files, *links}
    outside = closure_of(files, "apps", links=links | {"apps/linked.yaml": "../../etc/passwd"})
    assert "out of the repository" in (outside.unknown or "")
    circle = closure_of(files, "apps", links=links | {"apps/linked.yaml": "linked.yaml"})
    assert "more than 40 links" in (circle.unknown or "")


def test_a_submodule_is_read_as_the_commit_it_stands_at() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [../vendor/x.yaml]\nconfigMapGenerator:\n"
        "  - {name: a, files: [../vendor/y.txt]}\n",
    }
    closure = closure_of(files, "apps", submodules=("vendor",))
    assert "vendor" in closure.files
    assert closure.unknown == "apps/kustomization.yaml: vendor/x.yaml is in a submodule"
    inside = closure_of(files, "vendor/deep", submodules=("vendor",))
    assert (set(inside.files), inside.unknown) == ({"vendor"}, "vendor/deep is in a submodule")
    assert inside.absent == ()


def test_a_folder_without_manifests_counts_when_it_appears_or_goes() -> None:
    base = {"part/kustomization.yaml": "kind: Component"}
    files = base | {"apps/README.md": "x", "apps/logo/x.png": "x"}
    closures = [closure_of(each, "apps", components=("../part",)) for each in (base, files)]
    for sides in (closures, closures[::-1]):
        assert read_changes({"apps": sides}, files.keys() - base.keys()).readings
    assert not read_changes({"apps": [closures[1]] * 2}, ["apps/logo/x.png"]).readings
    built = closure_of(files | {"apps/b/kustomization.yaml": "resources: []"}, "apps")
    assert set(built.files) == {"apps/b/kustomization.yaml"}


def test_a_folder_that_is_not_there_is_told_apart_from_what_cannot_be_told() -> None:
    files = {"apps/kustomization.yaml": "resources: [x.yaml]", "apps/x.yaml": "x", "file": "x"}
    absent = closure_of(files, "./gone/", components=("../part",))
    assert (absent.absent, absent.unknown) == (("gone",), "there is no folder gone")
    assert absent.files == {}
    both = closure_of(files, "gone", "apps")
    assert (both.absent, set(both.files)) == (("gone",), {*files} - {"file"})
    broken = closure_of(files | {"apps/kustomization.yaml": "[]"}, "gone", "apps")
    assert (broken.absent, broken.unknown) == (
        (),
        "apps/kustomization.yaml: it is no mapping",
    )
    assert closure_of(files, "file").unknown == "file is no folder"


def test_content_that_cannot_be_had_makes_the_closure_unknown_until_it_can() -> None:
    tree = make_tree({"apps/kustomization.yaml": "resources: []"})
    blob = blob_of("resources: []")
    reader, build = Reader(), Build(folders=("apps",))
    reader.add({blob: None})
    closure = find_closure(tree, build, reader=reader)
    assert isinstance(closure, Closure)
    assert closure.unknown == "apps/kustomization.yaml: its content cannot be had"
    reader.forget_missing()
    assert find_closure(tree, build, reader=reader) == Need(frozenset({blob}))
