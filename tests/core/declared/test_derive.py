"""Layers from Flux Kustomizations as a repository's files have them."""

from __future__ import annotations

import pytest

from router.core.declared.derive import Derived, DerivedLayer, derive_layers
from router.core.declared.files import FluxFiles, read_flux
from router.core.declared.ownership import Ours, own_kustomizations
from router.core.kustomize.closure import Closure
from router.core.kustomize.found import BUILD
from router.core.kustomize.tree import Tree
from router.core.naming import normalize_url
from tests.core.kustomize.trees import make_tree

OWN = "https://git.example/acme/fleet"
OWN_NAME = normalize_url(OWN)
SOURCE = f"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: fleet, namespace: flux-system}}
spec: {{url: {OWN}}}
---
apiVersion: source.toolkit.fluxcd.io/v1beta2
kind: GitRepository
metadata: {{name: other, namespace: flux-system}}
spec: {{url: https://git.example/acme/other}}
"""


UNSEEN = "{kind: GitRepository, name: unseen}"
"""A source that no file defines."""


def kustomization(
    name: str,
    spec: str = "path: ./apps",
    *,
    source: str = "{kind: GitRepository, name: fleet}",
    version: str = "v1",
) -> str:
    return (
        f"apiVersion: kustomize.toolkit.fluxcd.io/{version}\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\n"
        f"spec:\n  sourceRef: {source}\n  {spec}\n"
    )


def derive(**files: str) -> Derived:
    """*files* beside folders to build, by their names without `.yaml`."""
    named = {f"{name}.yaml": content for name, content in files.items()}
    named |= {"apps/kustomization.yaml": "resources: []", "source.yaml": SOURCE}
    found = read_flux({path: content.encode() for path, content in named.items()})
    return derive_from(found, make_tree(named))


def derive_from(found: FluxFiles, tree: Tree) -> Derived:
    owned = own_kustomizations(found, tree, Ours(urls={OWN_NAME}))
    closures = {each.build: Closure(files={each.file: BUILD}) for each in owned.kustomizations}
    return derive_layers(owned, found, tree, closures)


def only(**files: str) -> DerivedLayer:
    derived = derive(**files)
    assert derived.notes == ()
    (layer,) = derived.layers
    return layer


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1", "v1alpha9"])
def test_every_version_of_the_api_is_read(version: str) -> None:
    layer = only(ks=kustomization("a", version=version))
    assert layer == DerivedLayer(name="a", file="ks.yaml", build="./apps")


@pytest.mark.parametrize(
    ("spec", "build"),
    [("path: apps/", "./apps"), ("path: /apps", "./apps"), ("path: ./", "./"), ("prune: a", "./")],
)
def test_a_path_starts_at_the_root_however_it_is_written(spec: str, build: str) -> None:
    assert only(ks=kustomization("a", spec)).build == build


def test_components_and_dependencies_are_taken_over() -> None:
    spec = "path: apps\n  components: [../tls]\n  dependsOn: [{name: b, namespace: x}, {name: b}]"
    other = "---\n" + kustomization("b", source=UNSEEN)
    derived = derive(one=kustomization("a", spec), two=other)
    assert derived.notes == ()
    assert derived.layers[0].components == ("../tls",)
    assert derived.layers[0].depends_on == ("b",)


def test_a_list_of_kustomizations_is_read() -> None:
    indented = kustomization("b").replace("\n", "\n  ")
    assert only(ks="kind: KustomizationList\nitems:\n- " + indented).name == "b"


def test_dependencies_on_layers_of_other_entries_are_kept() -> None:
    spec = "path: apps\n  dependsOn: [{name: elsewhere}, {name: gone}]"
    found = read_flux({"ks.yaml": kustomization("a", spec).encode()})
    tree = make_tree({"apps/a": ""})
    ours = Ours(urls={OWN_NAME}, layers={"elsewhere"})
    owned = own_kustomizations(found, tree, ours)
    closures = {each.build: Closure(files={}) for each in owned.kustomizations}
    derived = derive_layers(owned, found, tree, closures)
    assert derived.layers[0].depends_on == ("elsewhere",)
    assert [note.message for note in derived.notes] == [
        "`a` depends on `gone`, which is no layer here"
    ]


def test_objects_in_lists_and_in_several_documents_are_found() -> None:
    indented = kustomization("b").replace("\n", "\n  ")
    several = kustomization("a") + "---\nkind: List\nitems:\n- " + indented
    assert [layer.name for layer in derive(ks=several).layers] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (kustomization("a", "path: ./${CLUSTER}"), "a variable stands in"),
        (kustomization("'${NAME}'"), "a variable stands in"),
        (kustomization('""'), "it has no name"),
        (kustomization("a", "path: ./gone"), "there is no folder ./gone"),
        (kustomization("a", "path: ../up"), "there is no folder ../up"),
        (kustomization("a", source="{kind: OCIRepository, name: x}"), "of kind OCIRepository"),
        (kustomization("a", source="{kind: GitRepository, name: other}"), "another repository"),
        (kustomization("a", source="{}"), "its source is not known, ``"),
        ("apiVersion: kustomize.toolkit.fluxcd.io/v1\nspec: {{ helm", "it is not YAML"),
    ],
)
def test_what_is_not_built_of_this_repository_is_told(text: str, told: str) -> None:
    derived = derive(ks=text)
    assert derived.layers == ()
    (note,) = derived.notes
    assert note.file == "ks.yaml"
    assert told in note.message


def test_a_source_that_nothing_here_defines_is_taken_to_be_this_repository() -> None:
    assert only(ks=kustomization("a", source=UNSEEN)).name == "a"


def test_two_of_one_name_and_a_dependency_that_is_gone_are_told() -> None:
    spec = "path: apps\n  dependsOn: [{name: gone}]"
    derived = derive(one=kustomization("a", spec), two=kustomization("a"))
    assert [layer.file for layer in derived.layers] == ["one.yaml"]
    assert derived.layers[0].depends_on == ()
    assert [(note.file, note.message) for note in derived.notes] == [
        ("two.yaml", "`a` is also defined in one.yaml, and that counts"),
        ("one.yaml", "`a` depends on `gone`, which is no layer here"),
    ]


def test_layers_that_share_a_source_are_told() -> None:
    names = [f"l{number:02}" for number in range(12)]
    derived = derive(**{name: kustomization(name) for name in names})
    (note,) = derived.notes
    shown = ", ".join(f"`{name}`" for name in names[:10])
    assert note.message == (
        f"{shown} and 2 more share GitRepository flux-system/fleet: Flux builds them all whenever"
        " it is fetched"
    )


def test_the_one_receiver_of_a_source_is_the_layer_s() -> None:
    receiver = (
        "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\n"
        "metadata: {name: hook, namespace: flux-system}\n"
        "spec: {type: github, resources: [{kind: GitRepository, name: fleet}]}\n"
    )
    layer = only(ks=kustomization("a"), hook=receiver)
    assert layer.receiver is not None
    assert layer.receiver.name == "hook"
    second = receiver.replace("hook", "second")
    derived = derive(ks=kustomization("a"), hook=receiver, second=second)
    assert derived.layers[0].receiver is None
    assert [(note.file, note.message) for note in derived.notes] == [
        ("ks.yaml", "`a` gets no `receiver`: `hook`, `second` have its source fetched")
    ]
    every = receiver.replace("name: fleet", "name: '*', matchLabels: {a: b}")
    assert only(ks=kustomization("a"), hook=every).receiver is not None
    harbor = receiver.replace("github", "harbor")
    assert only(ks=kustomization("a"), hook=harbor).receiver is None


def test_a_file_without_content_is_told() -> None:
    found = read_flux({"large.yaml": None})
    (note,) = derive_from(found, make_tree({})).notes
    assert (note.file, "larger than 1024 KiB" in note.message) == ("large.yaml", True)


MERGE = kustomization("a", "path: ./other")
VARIABLES = (
    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: all}\n"
    "spec: {postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}}"
)
POINTER = '[{"op": "replace", "path": "/spec/path", "value": "./other"}]'


@pytest.mark.parametrize(
    ("files", "at"),
    [
        ({"kustomization": "patches: [{path: p.yaml}]", "p": MERGE}, "p.yaml"),
        ({"kustomization": "patchesStrategicMerge: [p.yaml]", "p": MERGE}, "p.yaml"),
        ({"kustomization": f"patches: [{{patch: '{POINTER}'}}]"}, "kustomization.yaml"),
        ({"kustomization": "patches: [{path: p.yaml}]", "p": VARIABLES}, "p.yaml"),
        ({"two": kustomization("b", f"patches: [{{patch: '{POINTER}'}}]", source=UNSEEN)},
         "two.yaml"),
    ],
)  # fmt: skip
def test_a_patch_of_a_path_is_told_and_makes_no_layer(files: dict[str, str], at: str) -> None:
    derived = derive(ks=kustomization("a"), **files)
    assert [layer.build for layer in derived.layers][:1] == ["./apps"]
    (note,) = derived.notes
    assert (note.file, "is not followed" in note.message) == (at, True)


ANY = "{kind: any, metadata: {name: any}, spec: {path: ./other}}"


@pytest.mark.parametrize(
    ("files", "at"),
    [
        ({"kustomization": f"patches: [{{target: {{kind: Kustomization}}, patch: '{ANY}'}}]"},
         "kustomization.yaml"),
        ({"kustomization": "replacements: [{targets: [{select: {kind: Kustomization},"
                           " fieldPaths: [spec.path]}]}]"}, "kustomization.yaml"),
        ({"kustomization": "patches: [{path: p.yaml}]",
          "p": kustomization("a", "x: y") + "$patch: delete\n"}, "p.yaml"),
        ({"kustomization": "patches: [{path: p.yaml, target: {kind: Kustomization, name: a}}]",
          "p": '[{"op": "replace", "path": "/spec", "value": {}}]'}, "p.yaml"),
        ({"kustomization": "patches: [{path: p.yaml, target: {kind: Kustomization, name: a}}]",
          "p": '[{"op": "replace", "path": "/metadata/name", "value": "b"}]'}, "p.yaml"),
        ({"kustomization": "replacements: [{targets: [{select: {kind: Kustomization}}]}]"},
         "kustomization.yaml"),
        ({"kustomization": "transformers: [t.yaml]\nresources: [ks.yaml]"}, "kustomization.yaml"),
        ({"kustomization": "namePrefix: prod-\nresources: [ks.yaml]"}, "kustomization.yaml"),
        ({"x/kustomization": "nameSuffix: -prod\nresources: [../y]",
          "y/kustomization": "resources: [../ks.yaml]"}, "x/kustomization.yaml"),
    ],
)  # fmt: skip
def test_so_is_all_else_that_changes_what_a_kustomization_is(
    files: dict[str, str], at: str
) -> None:
    derived = derive(ks=kustomization("a"), **files)
    assert [layer.build for layer in derived.layers] == ["./apps"]
    (note,) = derived.notes
    assert (note.file, "is not followed" in note.message) == (at, True)


@pytest.mark.parametrize(
    "files",
    [
        {"kustomization": "namePrefix: prod-\nresources: [other.yaml]"},
        {"kustomization": "patches: [{target: {kind: Ingress}, patch: '[{path: /spec/path}]'}]"},
        {"kustomization": "replacements: [{targets: [{select: {kind: Ingress},"
                          " fieldPaths: [spec.path]}]}]"},
    ],
)  # fmt: skip
def test_what_does_not_reach_a_kustomization_is_not_told(files: dict[str, str]) -> None:
    assert derive(ks=kustomization("a"), **files).notes == ()


def test_a_file_that_is_a_patch_here_and_a_resource_there_has_a_kustomization() -> None:
    files = {"x/kustomization": "patches: [{path: ../ks.yaml}]",
             "y/kustomization": "resources: [../ks.yaml]"}  # fmt: skip
    assert [layer.name for layer in derive(ks=kustomization("a"), **files).layers] == ["a"]


def test_very_many_patches_are_told_and_not_all_looked_at() -> None:
    """A few bytes of aliases may name each a thousand times."""
    ten = ", ".join(["*p"] * 99)
    lists = "".join(f"  - {{targets: [*t{', *t' * 99}]}}\n" for _ in range(60))
    file = f"x: &t {{select: {{kind: Ingress}}}}\nreplacements:\n{lists}# {ten}\n"
    (note,) = derive(ks=kustomization("a"), kustomization=file).notes
    assert note.message == "it has more than 5000 patches, and no further ones are looked at"


def test_a_patch_of_something_else_is_not_told() -> None:
    spec = """patches: [{patch: "{{ no yaml"}, {patch: '[{"path": "/spec/prune"}]'}]"""
    assert derive(ks=kustomization("a", spec)).notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "{{ helm",
        "toolkit.fluxcd.io",
        "- kustomize.toolkit.fluxcd.io",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: []",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: 1\nspec:\n"
        "  sourceRef: 1\n  dependsOn: 1\n  components: {}\n  postBuild: []",
    ],
)
def test_what_is_no_kustomization_crashes_nothing(text: str) -> None:
    assert derive(ks=text, kustomization=text).layers == ()


def test_forms_that_only_kustomizes_own_files_may_not_have_hide_no_kustomization() -> None:
    odd = "---\nkind: Pod\nlive: &p {on: yes}\nstart: {on: no, <<: *p}\nsize: !!int 5\n"
    layers = derive(
        app=kustomization("app") + odd, other=kustomization("other", source=UNSEEN)
    ).layers
    assert [layer.name for layer in layers] == ["app", "other"]
