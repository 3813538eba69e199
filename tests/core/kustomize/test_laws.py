"""The promise of a closure, held against a real kustomize on random trees.

HYPOTHESIS_PROFILE=thorough tries many more of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, event, given, settings

from router.core.kustomize.difference import find_difference
from tests.core.kustomize.kustomize import FAILS, render
from tests.core.kustomize.random_trees import Made, made_trees
from tests.core.kustomize.trees import closure_of, make_tree

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SLOW = [HealthCheck.too_slow, HealthCheck.large_base_example]


@settings(max_examples=2000 if IS_THOROUGH else 25, deadline=None, suppress_health_check=SLOW)
@given(made_trees())
def test_what_changes_the_output_is_read_and_what_is_read_is_enough(made: Made) -> None:
    folder, components = made.build.folders[0], made.build.components
    before = closure_of(made.files, folder, components=components)
    after = closure_of(made.after, folder, components=components)
    alone = {path: made.files[path] for path in before.files}
    with TemporaryDirectory() as place:
        outputs = render(Path(place), (made.files, made.after, alone), made.build)
    event("builds before" if outputs[0] != FAILS else "fails before")
    event("builds after" if outputs[1] != FAILS else "fails after")
    event("changes" if outputs[0] != outputs[1] else "stays")
    event("unknown" if after.unknown else "known")
    assert outputs[2] == outputs[0]
    assert before.unknown is None
    if outputs[1] != outputs[0]:
        changed = {path for path in made.change if made.files.get(path) != made.change[path]}
        assert after.unknown is not None or changed & {*before.files, *after.files}


@settings(max_examples=2000 if IS_THOROUGH else 25, deadline=None, suppress_health_check=SLOW)
@given(made_trees())
def test_a_closure_that_a_difference_leaves_is_that_of_the_tree_after(made: Made) -> None:
    folder, components = made.build.folders[0], made.build.components
    tree, new = make_tree(made.files), make_tree(made.after)
    changes = {
        path: new.files.get(path)
        for path in made.change
        if tree.files.get(path) != new.files.get(path)
    }
    assert tree.changed(changes).files == new.files
    assert list(tree.changed(changes).below("")) == list(new.below(""))
    before = closure_of(made.files, folder, components=components)
    is_left = find_difference(tree, changes).leaves(before)
    event("left" if is_left else "worked out anew")
    if is_left:
        assert closure_of(made.after, folder, components=components) == before
