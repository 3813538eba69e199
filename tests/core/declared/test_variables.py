"""Files that variables of Kustomizations come from."""

from __future__ import annotations

import pytest

from router.core.declared.files import read_flux
from router.core.declared.variables import MAX_RELATED, Variables
from tests.core.declared.test_derive import derive, kustomization, only

FROM = "postBuild: {{substituteFrom: [{}]}}"
VARS = FROM.format("{kind: ConfigMap, name: vars}")
DEFINED = "kind: ConfigMap\nmetadata: {name: vars}"


def test_files_that_variables_are_substituted_from_are_the_layer_s() -> None:
    spec = FROM.format(
        "{kind: ConfigMap, name: vars}, {kind: Secret, name: keys}, {kind: ConfigMap, name: made},"
        " {kind: ConfigMap, name: gone, optional: true}"
    )
    generator = "configMapGenerator: [{name: made, envs: [made.env]}, {name: x, files: [x]}]"
    layer = only(
        ks=kustomization("a", spec),
        vars=DEFINED,
        elsewhere="kind: ConfigMap\nmetadata: {name: vars, namespace: other}",
        keys="kind: Secret\nmetadata: {name: keys, namespace: flux-system}\nsops: {}",
        **{"made/kustomization": generator},
    )
    assert layer.paths == (*("vars.yaml", "keys.yaml", "made/kustomization.yaml", "made/made.env"),)


OPERATION = "[{op: add, path: /data/a, value: b}]"
INLINE = "kustomization.yaml"
REPLACED = (
    "replacements: [{source: {kind: Secret, name: other}, targets: [{select: {kind: ConfigMap}}]}]"
)


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ({"kustomization": "patches: [{path: p.yaml}]", "p": DEFINED}, ["p.yaml"]),
        ({"kustomization": "patchesStrategicMerge: [p.yaml]", "p": DEFINED}, ["p.yaml"]),
        ({"kustomization": "patches: [{patch: '{kind: ConfigMap, metadata: {name: vars}}'}]"},
         [INLINE]),
        ({"kustomization": "patches: [{path: p.yaml, target: {name: vars}}]", "p": OPERATION},
         ["p.yaml"]),
        ({"kustomization": "patches: [{path: p.yaml, target: {kind: ConfigMap, name: v.*}}]"},
         ["p.yaml"]),
        ({"kustomization": "patches: [{path: p.yaml, target: {labelSelector: a=b}}]"}, ["p.yaml"]),
        ({"kustomization": "patches: [{path: p.yaml, target: {kind: Secret}}]"}, []),
        ({"kustomization": "patches: [{path: p.yaml, target: {kind: ConfigMap, name: x}}]"}, []),
        ({"kustomization": REPLACED}, [INLINE]),
        ({"kustomization": REPLACED, "z": "kind: Secret\nmetadata: {name: other}"},
         [INLINE, "z.yaml"]),
        ({"kustomization": "replacements: [{path: r.yaml}]",
          "r": REPLACED.replace("replacements: ", "")}, ["r.yaml"]),
        ({"kustomization": "replacements: [{path: r.yaml}]",
          "r": "{targets: [{select: {kind: ConfigMap, name: x}}]}"}, []),
    ],
)  # fmt: skip
def test_what_changes_their_objects_is_the_layer_s_too(
    files: dict[str, str], read: list[str]
) -> None:
    files["kustomization"] += "\nresources: [vars.yaml, z.yaml]"
    layer = only(ks=kustomization("a", VARS), vars=DEFINED, **files)
    assert layer.paths == ("vars.yaml", *read)


PATCH = "patches: [{target: {kind: ConfigMap}, patch: 'data: {a: b}'}]\n"


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ({"kustomization": PATCH}, []),
        ({"over/kustomization": PATCH + "resources: [../base]",
          "base/kustomization": "resources: [../vars.yaml]"}, ["over/kustomization.yaml"]),
        ({"over/kustomization": PATCH + "resources: [../base/gone, ../base]",
          "base/kustomization": "configMapGenerator: [{name: vars}]"},
         ["base/kustomization.yaml", "over/kustomization.yaml"]),
        # What a component changes are the objects of those that include it.
        ({"tls/kustomization": PATCH + "kind: Component"}, ["tls/kustomization.yaml"]),
        ({"over/kustomization": PATCH + "unknown: [1]"}, ["over/kustomization.yaml"]),
    ],
)  # fmt: skip
def test_only_patches_that_reach_their_objects_count(
    files: dict[str, str], read: list[str]
) -> None:
    layer = only(ks=kustomization("a", VARS), vars=DEFINED, **files)
    assert sorted(layer.paths) == [*read, "vars.yaml"]


def test_a_patch_of_a_flux_kustomization_counts_as_well() -> None:
    spec = f"path: ./vars\n  {VARS}\n  {PATCH}"
    layer = only(ks=kustomization("a", spec), **{"vars/vars": DEFINED})
    assert layer.paths == ("vars/vars.yaml", "ks.yaml")


PROD, LAB = "clusters/prod/kustomization", "clusters/lab/kustomization"


@pytest.mark.parametrize(
    ("at", "files", "read", "unsure"),
    [
        # Two clusters with an object of one name each.
        ("clusters/prod/a", {"clusters/prod/vars": DEFINED, "clusters/lab/vars": DEFINED},
         ["clusters/prod/vars.yaml"], []),
        ("clusters/prod/a", {"settings/prod/vars": DEFINED, "clusters/lab/vars": DEFINED},
         ["clusters/lab/vars.yaml"], ["clusters/lab/vars.yaml"]),
        ("clusters/prod/apps/a", {"clusters/prod/vars": DEFINED, "clusters/lab/vars": DEFINED},
         ["clusters/prod/vars.yaml"], []),
        ("clusters/prod/apps/a", {"clusters/prod/x/vars": DEFINED, "clusters/lab/x/vars": DEFINED},
         ["clusters/prod/x/vars.yaml"], []),
        ("base/a", {"clusters/prod/vars": DEFINED, "clusters/lab/vars": DEFINED},
         ["clusters/lab/vars.yaml", "clusters/prod/vars.yaml"],
         ["clusters/lab/vars.yaml", "clusters/prod/vars.yaml"]),
        # One for both, which each of them patches.
        ("clusters/prod/a", {PROD: PATCH + "resources: [../../base]", "base/vars": DEFINED,
                             LAB: PATCH + "resources: [../../base]",
                             "base/kustomization": "resources: [vars.yaml]"},
         ["base/vars.yaml", f"{PROD}.yaml"], []),
        ("base/a", {PROD: PATCH + "resources: [../../base]", "base/vars": DEFINED,
                    LAB: PATCH + "resources: [../../base]",
                    "base/kustomization": PATCH + "resources: [vars.yaml]"},
         ["base/kustomization.yaml", "base/vars.yaml", f"{LAB}.yaml", f"{PROD}.yaml"],
         [f"{LAB}.yaml", f"{PROD}.yaml"]),
        # A generator that adds to another one's object.
        ("clusters/prod/a", {PROD: "configMapGenerator: [{name: vars, envs: [p]}]\n"
                             "resources: [../../base]",
                             "base/kustomization": "configMapGenerator: [{name: vars, envs: [b]}]"},
         ["base/b", "base/kustomization.yaml", "clusters/prod/kustomization.yaml",
          "clusters/prod/p"], []),
    ],
)  # fmt: skip
def test_of_several_clusters_the_nearest_counts(
    at: str, files: dict[str, str], read: list[str], unsure: list[str]
) -> None:
    texts = {f"{name}.yaml": content for name, content in files.items()}
    texts[f"{at}.yaml"] = kustomization("a", VARS)
    found = read_flux({path: content.encode() for path, content in texts.items()})
    (each,) = found.objects.kustomizations
    variables = Variables(found).find(each)
    assert sorted(variables.files) == read
    assert sorted(variables.unsure) == unsure


@pytest.mark.parametrize(
    ("each", "told"),
    [
        ("{kind: Secret, name: '${X}'}", "a Secret of no known name, `${X}`"),
        ("{kind: Secret}", "a Secret of no known name, ``"),
        ("{kind: Secret, name: y}", "a Secret that no file here defines, `y`"),
        ("{kind: Secret, name: y, optional: false}", "a Secret that no file here defines, `y`"),
        ("{kind: ConfigMap, name: vars-suffix}", "a ConfigMap that no file here defines, `vars-"),
    ],
)
def test_variables_from_what_no_file_defines_are_told(each: str, told: str) -> None:
    derived = derive(ks=kustomization("a", FROM.format(each)), y="{{ Secret y", vars=DEFINED)
    (note,) = derived.notes
    assert (note.file, f"`a` substitutes from {told}" in note.message) == ("ks.yaml", True)
    assert derived.layers[0].paths == ()


def test_nothing_is_told_of_optional_ones() -> None:
    spec = FROM.format("{kind: Secret, name: y, optional: true}, {kind: Secret, optional: 'true'}")
    assert only(ks=kustomization("a", spec)).paths == ()


def test_the_namespace_that_a_kustomization_sets_counts() -> None:
    without = kustomization("a", VARS).replace(", namespace: flux-system", "")
    vars_of_net = "kind: ConfigMap\nmetadata: {name: vars, namespace: net}"
    files = {"net/ks": without, "net/kustomization": "namespace: net\nresources: [ks.yaml]"}
    assert only(vars=vars_of_net, **files).paths == ("vars.yaml",)
    assert derive(ks=kustomization("a", VARS), vars=vars_of_net).layers[0].paths == ()
    generator = "configMapGenerator: [{name: vars, namespace: net}]"
    assert only(**files, **{"x/kustomization": generator}).paths == ("x/kustomization.yaml",)


def test_of_very_many_clusters_the_nearest_still_counts() -> None:
    many = {f"clusters/c{number}/vars": DEFINED for number in range(MAX_RELATED + 1)}
    layer = only(**{"clusters/c7/ks": kustomization("a", VARS)}, **many)
    assert layer.paths == ("clusters/c7/vars.yaml",)
