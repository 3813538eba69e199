"""A closure that is said to be the same after a change is the same."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from router.core.kustomize.closure import Closure
from router.core.kustomize.tree import Tree
from tests.core.kustomize.trees import closure_of, make_tree
from tests.thoroughness import examples

NAMES = ("a", "b", "kustomization.yaml", "Kustomization", "x.yaml")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
named = st.sampled_from(["a", "../a", "x.yaml", "../b/x.yaml", "b", "./a/b", "missing.yaml", ".."])
kustomizations = st.builds(
    lambda resources, charts: f"resources: {resources}\nhelmCharts: {charts}\n",
    st.lists(named, max_size=3),
    st.sampled_from(["[]", "[{name: a}]"]),
)
contents = st.sampled_from(["1", "2"]) | kustomizations
links = st.sampled_from(["a", "../b", "x.yaml", "b/x.yaml"])


def is_possible(files: dict[str, str]) -> bool:
    """Whether no file is a folder, too."""
    return not any(other.startswith(f"{path}/") for path in files for other in files)


trees = st.dictionaries(paths, contents, max_size=8).filter(is_possible)
few_links = st.dictionaries(st.sampled_from(["b/l", "a/x.yaml", "a"]), links, max_size=1)


def seen(closure: Closure) -> object:
    return closure.files, closure.remotes, closure.unknown


@settings(max_examples=examples(150), deadline=None)
@given(files=trees, change=trees, old_links=few_links, new_links=few_links, folder=named)
def test_a_closure_that_is_the_same_by_what_changed_is_the_same(
    files: dict[str, str],
    change: dict[str, str],
    old_links: dict[str, str],
    new_links: dict[str, str],
    folder: str,
) -> None:
    later = {path: text for path, text in {**files, **change}.items() if text != "2"}
    if not is_possible(files | old_links) or not is_possible(later | new_links):
        return
    old, new = make_tree(files, old_links), make_tree(later, new_links)
    changed = {
        path: new.files.get(path)
        for path in {*old.files, *new.files}
        if old.files.get(path) != new.files.get(path)
    }
    assert old.changed(changed).files == new.files
    before = closure_of(files, folder, links=old_links)
    after = closure_of(later, folder, links=new_links)
    is_same = before.is_same_after(old.describe(changed))
    event(f"same: {is_same}")
    if is_same:
        assert seen(before) == seen(after)


def test_a_file_that_nothing_looked_for_leaves_every_closure_as_it_was() -> None:
    files = {"apps/kustomization.yaml": "resources: [x.yaml]", "apps/x.yaml": "1", "other/y": "1"}
    tree, closure = make_tree(files), closure_of(files, "apps")
    for path, content, is_same in (
        ("apps/x.yaml", "2", True),
        ("other/z", "1", True),
        ("apps/kustomization.yaml", "resources: []", False),
        ("apps/Kustomization", "resources: []", False),
        ("apps/x.yaml", None, False),
    ):
        later = {**files, path: content or ""}
        entry = make_tree(later).files[path] if content else None
        assert closure.is_same_after(tree.describe({path: entry})) is is_same, path


def test_a_tree_knows_its_folders() -> None:
    tree = make_tree({"a/b/c": "1", "ab": "1"})
    assert [tree.is_folder(path) for path in ("", "a", "a/b", "a/b/c", "ab")] == [
        *(True, True, True, False, False)
    ]
    assert not Tree({}).is_folder("")
