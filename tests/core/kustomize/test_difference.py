"""Which changes leave a closure as it is, and which have it worked out anew."""

from __future__ import annotations

import pytest

from router.core.kustomize.difference import find_difference
from tests.core.kustomize.trees import closure_of, make_tree

FILES = {
    "apps/kustomization.yaml": "resources: [a.yaml, ../base]\ntransformers: [plugin.yaml]\n"
    "patchesStrategicMerge: ['kind: Text']\nhelmCharts: [{name: web}]",
    "apps/a.yaml": "x",
    "apps/plugin.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: patch.yaml",
    "apps/patch.yaml": "x",
    "apps/charts/web/Chart.yaml": "x",
    "base/kustomization.yml": "resources: [b.yaml]",
    "base/b.yaml": "x",
    "plain/deep/c.yaml": "x",
    "docs/x.md": "x",
}


@pytest.mark.parametrize(
    ("change", "is_left"),
    [
        ({"apps/a.yaml": "y", "base/b.yaml": "y", "plain/deep/c.yaml": "y"}, True),
        ({"docs/x.md": None, "docs/y.md": "x", "other/kustomization.yaml": "x"}, True),
        ({"apps/kustomization.yaml": "resources: []"}, False),
        ({"base/kustomization.yml": "resources: []"}, False),
        ({"apps/plugin.yaml": "kind: Other"}, False),
        ({"base/kustomization.yaml": "resources: []"}, False),
        ({"apps/Kustomization": "resources: []"}, False),
        ({"base/b.yaml": None}, False),
        ({"apps/charts/web/values.yaml": "x"}, False),
        ({"apps/kind: Text": "a file by the name of a patch"}, False),
        ({"plain/new.yaml": "x"}, False),
        ({"plain/deep/c.yaml": None}, False),
        ({".sourceignore": "*"}, False),
        ({"docs/.sourceignore": "*"}, False),
    ],
)
def test_a_closure_holds_until_something_changes_that_it_depends_on(
    change: dict[str, str | None], is_left: bool
) -> None:
    after = {path: text for path, text in {**FILES, **change}.items() if text is not None}
    tree, new = make_tree(FILES), make_tree(after)
    difference = find_difference(tree, {path: new.files.get(path) for path in change})
    closures = [closure_of(FILES, folder) for folder in ("apps", "plain")]
    assert [closure.unknown for closure in closures] == [None, None]
    assert all(map(difference.leaves, closures)) == is_left
    if is_left:
        assert [closure_of(after, folder) for folder in ("apps", "plain")] == closures


def test_links_and_submodules_may_matter_to_everything() -> None:
    tree, closure = make_tree(FILES), closure_of(FILES, "apps")
    others = make_tree(FILES, links={"docs/l": "x.md"}, submodules=["docs/s"])
    for path in ("docs/l", "docs/s"):
        assert not find_difference(tree, {path: others.files[path]}).leaves(closure)
        assert not find_difference(others, {path: None}).leaves(closure)
        there = {"docs/x.md": others.files[path]}
        assert not find_difference(tree, there).leaves(closure)


def test_an_unknown_closure_never_holds() -> None:
    closure = closure_of({"apps/kustomization.yaml": "resources: [gone.yaml]"}, "apps")
    assert not find_difference(make_tree(FILES), {}).leaves(closure)
