"""Which Kustomizations are of this repository, and of the ref that an entry follows."""

from __future__ import annotations

import json

import pytest

from router.core.declared.files import read_flux
from router.core.declared.ownership import Ours, own_kustomizations
from router.core.match import LayerIndex
from router.core.routing import Repository
from tests.core.declared.test_derive import OWN, OWN_NAME, kustomization
from tests.core.kustomize.trees import make_tree

OTHER = "https://git.example/acme/other"


def source(name: str, **spec: object) -> str:
    return (
        "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {json.dumps(spec)}\n---\n"
    )


def used(name: str) -> str:
    """A Kustomization with the source of its name."""
    return kustomization(name, source=f"{{kind: GitRepository, name: {name}}}")


def entry_of(ref: str) -> Repository:
    return Repository(name="fleet", hook="h", url=OWN, ref=ref, layers=(), index=LayerIndex([]))


@pytest.mark.parametrize(
    ("forms", "name", "layer"),
    [
        ({"{layer}"}, "app1", "app1"),
        ({"prod-{layer}"}, "prod-app1", "app1"),
        ({"prod-{layer}"}, "lab-app1", "lab-app1"),
        ({"prod-{layer}", "{layer}"}, "prod-app1", "app1"),
        ({"prod-{layer}", "{layer}-lab"}, "app1-lab", "app1"),
        ({"{layer}.{layer}"}, "app1.app1", "app1.app1"),
        ({"prod-{layer}"}, "prod-", "prod-"),
        ({"all"}, "all", "all"),
        (set(), "app1", "app1"),
    ],
)
def test_a_kustomization_is_of_the_layer_that_clusters_call_so(
    forms: set[str], name: str, layer: str
) -> None:
    assert Ours(urls=(), kustomizations=forms).layer_of(name) == layer


def own(
    files: dict[str, str],
    ref: str | None = None,
    *,
    is_named: bool = True,
    may_be_fork: bool = True,
) -> tuple[list[str], dict[str, str]]:
    """Names of our Kustomizations, and of the others with the reasons."""
    tree = make_tree({"apps/kustomization.yaml": "resources: []"} | files)
    found = read_flux({path: content.encode() for path, content in files.items()})
    entry = None if ref is None else entry_of(ref)
    owned = own_kustomizations(
        found, tree, Ours(urls={OWN_NAME}, is_named=is_named, may_be_fork=may_be_fork, entry=entry)
    )
    others = {each.kustomization.name: each.reason for each in owned.left_out}
    return [each.name for each in owned.kustomizations], others


ELSEWHERE = "its source `b` is another repository"


@pytest.mark.parametrize(
    ("sources", "ours"),
    [
        ({"a": {"url": OWN}, "b": {"url": OTHER}}, ["a"]),
        # A patch tells the URL, or a variable stands for it.
        ({"a": {"ignore": "/*"}, "b": {"url": OTHER}}, ["a"]),
        ({"a": {"url": "https://${HOST}/fleet"}, "b": {"url": OTHER}}, ["a"]),
        # No file defines it.
        ({"a": None, "b": {"url": OTHER}}, ["a"]),
        # A fork: none of them can be told to be this repository.
        ({"a": {"url": "https://git.example/else/fleet"}, "b": {"url": OTHER}}, ["a"]),
    ],
)
def test_a_source_with_another_url_is_ours_only_in_a_fork(
    sources: dict[str, dict[str, str] | None], ours: list[str]
) -> None:
    text = "".join(source(name, **spec) for name, spec in sources.items() if spec is not None)
    found, others = own({"all.yaml": text + used("a") + "---\n" + used("b")})
    assert found == ours
    assert others == {"b": ELSEWHERE}


def test_a_source_of_a_repository_of_another_name_is_not_ours() -> None:
    """Where bootstrap's own source is in no file, all that are may be others."""
    files = {"all.yaml": source("b", url=OTHER) + used("b")}
    assert own(files) == ([], {"b": ELSEWHERE})
    assert own(files, is_named=False) == (["b"], {})  # nobody knows what it is called


@pytest.mark.parametrize(
    "patches",
    [
        {"p.yaml": f"- {{op: replace, path: /spec/url, value: {OWN}}}",
         "kustomization.yaml": "patches: [{path: p.yaml, target: {kind: GitRepository}}]\n"
                               "resources: [all.yaml]"},
        {"p.yaml": source("b", url=OWN),
         "kustomization.yaml": "patchesStrategicMerge: [p.yaml]\nresources: [all.yaml]"},
        {"kustomization.yaml": "patches: [{target: {name: '[b]'}, patch: '[{path: /spec}]'}]\n"
                               "resources: [all.yaml]"},
    ],
)  # fmt: skip
def test_a_source_that_a_patch_redirects_may_be_ours_and_that_is_told(
    patches: dict[str, str],
) -> None:
    files = {"all.yaml": source("a", url=OWN) + source("b", url=OTHER) + used("b")} | patches
    assert own(files) == (["b"], {})
    found = read_flux({path: content.encode() for path, content in files.items()})
    (note,) = (each for each in found.unfollowed if "URL or ref" in each.message)
    assert note.file == next(iter(patches))


def test_a_patch_of_something_else_redirects_no_source() -> None:
    patch = "patches: [{{target: {{kind: {}}}, patch: '[{{path: /spec/url}}]'}}]\nresources: [{}]"
    files = {"all.yaml": source("a", url=OWN) + source("b", url=OTHER) + used("b")}
    for kind, resource in (("HelmRepository", "all.yaml"), ("GitRepository", "other.yaml")):
        file = patch.format(kind, resource)
        assert own(files | {"kustomization.yaml": file}) == ([], {"b": ELSEWHERE})


@pytest.mark.parametrize(
    ("spec", "ref", "why"),
    [
        ({"branch": "main"}, "refs/heads/main", None),
        ({"branch": "lab"}, "refs/heads/main", "follows refs/heads/lab"),
        ({"branch": "lab"}, None, None),
        ({"branch": "${BRANCH}"}, "refs/heads/main", None),
        ({}, "refs/heads/main", "follows refs/heads/master"),
        ({}, "refs/heads/master", None),
        ({"tag": "v1.2.3"}, "refs/tags/v*", None),
        ({"tag": "v1.2.3"}, "refs/heads/main", "follows refs/tags/v1.2.3"),
        ({"semver": ">=1", "branch": "main"}, "refs/tags/v*", None),
        ({"semver": ">=1", "branch": "main"}, "refs/heads/main", "follows tags"),
        ({"name": "refs/heads/main", "semver": ">=1"}, "refs/heads/main", None),
        ({"name": "refs/pull/1/head"}, "refs/heads/main", "follows refs/pull/1/head"),
        ({"branch": "main", "commit": "0" * 40}, "refs/heads/main", "stays at one commit"),
        ({"branch": "main", "commit": "0" * 40}, None, "stays at one commit"),
        ({"branch": "main", "commit": "${COMMIT}"}, "refs/heads/main", None),
    ],
)
def test_a_source_is_of_the_ref_that_flux_takes(
    spec: dict[str, str], ref: str | None, why: str | None
) -> None:
    """Where several are given: https://fluxcd.io/flux/components/source/gitrepositories/#reference"""
    files = {"all.yaml": source("a", url=OWN, ref=spec) + used("a")}
    assert own(files, ref) == ((["a"], {}) if why is None else ([], {"a": f"its source `a` {why}"}))


def test_of_sources_of_one_name_the_nearest_counts() -> None:
    files = {
        f"clusters/{branch}/flux-system/gotk-sync.yaml": source(
            "flux-system", url=OWN, ref={"branch": branch}
        )
        for branch in ("lab", "main")
    }
    for branch in ("lab", "main"):
        text = kustomization(branch, source="{kind: GitRepository, name: flux-system}")
        files[f"clusters/{branch}/apps.yaml"] = text
    assert own(files, "refs/heads/main") == (
        ["main"],
        {"lab": "its source `flux-system` follows refs/heads/lab"},
    )
    both = files | {"base/apps.yaml": kustomization("base",
                    source="{kind: GitRepository, name: flux-system}")}  # fmt: skip
    assert "base" in own(both, "refs/heads/main")[0]


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        ("{kind: any, spec: {sourceRef: {kind: GitRepository, name: b}}}", "b"),
        ("{kind: any, spec: {sourceRef: {kind: GitRepository, name: a}}}", "a"),
        ("[{path: /spec/sourceRef, value: {kind: GitRepository, name: a}}]", "a"),
        ("[{path: /spec/sourceRef/name, value: a}]", None),
    ],
)
def test_a_source_that_only_a_patch_gives_is_taken_from_it(patch: str, name: str | None) -> None:
    """As the kustomization of a folder gives what all its Kustomizations have in common."""
    without = kustomization("x", "path: apps").replace("sourceRef: {kind: Git", "x: {kind: Git")
    files = {
        "all.yaml": source("a", url=OWN) + source("b", url=OTHER) + without,
        "kustomization.yaml": f"patches: [{{target: {{kind: Kustomization}}, patch: '{patch}'}}]\n"
                              "resources: [all.yaml]",
    }  # fmt: skip
    reasons = {"b": ELSEWHERE.replace("`b`", "`b`"), None: "its source is not known, ``"}
    assert own(files) == ((["x"], {}) if name == "a" else ([], {"x": reasons[name]}))


def test_a_patched_source_of_a_kustomization_that_has_one_is_told() -> None:
    patch = "[{path: /spec/sourceRef/name, value: b}]"
    files = {
        "all.yaml": source("a", url=OWN) + used("a"),
        "kustomization.yaml": f"patches: [{{target: {{kind: Kustomization}}, patch: '{patch}'}}]\n"
                              "resources: [all.yaml]",
    }  # fmt: skip
    found = read_flux({path: content.encode() for path, content in files.items()})
    (note,) = found.unfollowed
    assert (note.file, "the source of a Kustomization" in note.message) == (
        "kustomization.yaml", True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["{kind: GitRepository, name: '${x}'}", "{}"])
def test_a_source_that_nobody_knows_is_told(name: str) -> None:
    _, others = own({"all.yaml": kustomization("a", source=name)})
    assert others["a"].startswith("its source is not known")


@pytest.mark.parametrize(
    ("of_source", "of_kustomization", "reference", "is_found"),
    [
        ("", "", "podinfo", True),
        ("podinfo", "", "", True),
        ("other", "other", "", True),
        ("", "", "flux-system", False),
        ("", "", "", True),
    ],
)
def test_the_namespace_that_a_kustomization_sets_is_an_object_s(
    of_source: str, of_kustomization: str, reference: str, is_found: bool
) -> None:
    """Also of one that tells another; but what is referred to stays as it is written."""

    def told(namespace: str) -> str:
        return f", namespace: {namespace}" if namespace else ""

    flux = ", namespace: flux-system"
    ref = f"{{kind: GitRepository, name: b{told(reference)}}}"
    files = {
        "a/kustomization.yaml": "namespace: podinfo\nresources: [all.yaml]",
        "a/all.yaml": source("b", url=OTHER).replace(flux, told(of_source))
        + kustomization("x", source=ref).replace(
            ", namespace: flux-system}\nspec", f"{told(of_kustomization)}}}\nspec"
        ),
        "own.yaml": source("a", url=OWN),
    }
    assert own(files) == (([], {"x": ELSEWHERE}) if is_found else (["x"], {}))


def test_a_source_of_that_name_in_another_namespace_is_another() -> None:
    used_by = kustomization("x", source="{kind: GitRepository, name: b, namespace: flux-system}")
    files = {"all.yaml": source("b", url=OTHER).replace("flux-system", "team") + used_by}
    assert own(files) == (["x"], {})


def test_the_checkout_that_the_entry_names_is_no_fork() -> None:
    other = "https://git.example/team/fleet"
    files = {"all.yaml": source("b", url=other) + used("b") + "---\n" + used("c")}
    assert own(files) == (["b", "c"], {})
    assert own(files, may_be_fork=False) == (["c"], {"b": ELSEWHERE})


def test_where_a_checkout_has_no_name_that_of_its_folder_tells_a_source() -> None:
    files = {"all.yaml": source("a", url="https://git.example/else/fleet") + used("a")
             + source("b", url=OTHER) + used("b")}  # fmt: skip
    assert own(files, is_named=False) == (["a"], {"b": ELSEWHERE})


def test_a_fork_with_a_source_that_nothing_tells_is_a_fork_still() -> None:
    files = {"all.yaml": source("a", url="https://git.example/else/fleet") + used("a")
             + source("b", url="${URL}") + used("b") + "---\n" + used("c")}  # fmt: skip
    assert own(files) == (["a", "b", "c"], {})
