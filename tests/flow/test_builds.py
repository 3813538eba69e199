"""Layers that know their files: what a kustomize build reads decides, before and after a push."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.kustomize.closure import Build
from router.core.routing import Repository
from tests.builders import make_layer, make_repository
from tests.fakes.git import blob_of
from tests.flow.git_mode import ACCESS, FALLBACK_SECONDS, GitMode, start_git_mode

FILES = {
    "apps/a/kustomization.yaml": "resources: [../../base, web.yaml]",
    "apps/a/web.yaml": "1",
    "apps/a/README.md": "1",
    "apps/b/kustomization.yaml": "resources: [../../base]",
    "base/kustomization.yaml": "resources: [all.yaml]",
    "base/all.yaml": "1",
    "plain/c.yaml": "1",
    "docs/x.md": "1",
}


def entry(**fields: Any) -> Repository:
    layers = [
        make_layer("a", (), build=Build(folders=("./apps/a",))),
        make_layer("b", ("extra/b/",), build=Build(folders=("apps/b",))),
        make_layer("c", ("plain/",)),
    ]
    return make_repository(layers, **{"git": ACCESS, **fields})


@pytest.fixture
async def mode() -> GitMode:
    """Everything is adopted, and the cursor stands at FILES."""
    mode = await start_git_mode(entry())
    mode.files = dict(FILES)
    await mode.push(*FILES)
    mode.files = dict(FILES)
    mode.host.move("refs/heads/main", mode.files)
    await mode.look()
    await mode.called()
    return mode


async def push(mode: GitMode, **files: str | None) -> set[str]:
    """Push *files* (None for one that is removed), look, and tell which layers were wanted."""
    for path, content in files.items():
        mode.files.pop(path, None)
        if content is not None:
            mode.files[path] = content
    mode.host.move("refs/heads/main", mode.files)
    await mode.look()
    return await mode.called()


@pytest.mark.parametrize(
    ("files", "layers"),
    [
        ({"base/all.yaml": "2"}, {"a", "b"}),
        ({"base/kustomization.yaml": "resources: []"}, {"a", "b"}),
        ({"apps/a/web.yaml": "2"}, {"a"}),
        ({"apps/a/README.md": "2", "docs/x.md": "2", "base/unread.yaml": "2"}, set()),
        ({"extra/b/x": "1"}, {"b"}),
        ({"plain/c.yaml": None}, {"c"}),
        # Read only after the push, or only before it.
        ({"apps/b/kustomization.yaml": "resources: [new.yaml]", "apps/b/new.yaml": "1"}, {"b"}),
        ({"base/all.yaml": None, "base/kustomization.yaml": "resources: []"}, {"a", "b"}),
        # A folder that goes reads nothing where it is gone.
        ({"apps/b/kustomization.yaml": None}, {"b"}),
    ],
)
async def test_a_push_wants_the_layers_whose_build_reads_what_it_changes(
    mode: GitMode, files: dict[str, str | None], layers: set[str]
) -> None:
    assert await push(mode, **files) == layers


async def test_the_reason_tells_the_chain_from_the_file_to_the_build(mode: GitMode) -> None:
    await push(mode, **{"base/all.yaml": "2"})
    _, plan = await mode.newest()
    reasons = {match.layer: (match.reason, match.path) for match in plan.matches}
    assert reasons["a"] == (
        "its build reads a changed file: "
        "base/all.yaml ← base/kustomization.yaml ← apps/a/kustomization.yaml",
        "base/all.yaml",
    )
    assert "of no layer" not in plan.reason


async def test_what_cannot_be_told_wants_the_layer_with_every_push_and_says_why(
    mode: GitMode,
) -> None:
    broken = await push(mode, **{"apps/a/kustomization.yaml": "resources: [missing.yaml]"})
    assert broken == {"a"}
    assert await push(mode, **{"docs/x.md": "2"}) == {"a"}
    _, plan = await mode.newest()
    (match,) = [match for match in plan.matches if match.layer == "a"]
    assert match.reason == (
        "it is not known what its build reads: "
        "apps/a/kustomization.yaml: there is no apps/a/missing.yaml"
    )
    await push(mode, **{"apps/a/kustomization.yaml": FILES["apps/a/kustomization.yaml"]})
    assert await push(mode, **{"docs/x.md": "3"}) == set()


async def test_a_folder_that_comes_or_goes_is_exact_and_one_that_is_never_there_is_not(
    mode: GitMode,
) -> None:
    text = FILES["apps/b/kustomization.yaml"]
    assert await push(mode, **{"apps/b/kustomization.yaml": None}) == {"b"}
    assert await push(mode, **{"docs/x.md": "2"}) == {"b"}
    _, plan = await mode.newest()
    (match,) = [match for match in plan.matches if match.layer == "b"]
    assert match.reason == "it is not known what its build reads: there is no folder apps/b"
    assert await push(mode, **{"apps/b/kustomization.yaml": text, "docs/x.md": "3"}) == {"b"}
    assert await push(mode, **{"docs/x.md": "4"}) == set()


async def test_a_content_that_the_host_does_not_give_is_asked_for_again(mode: GitMode) -> None:
    text = "resources: [web.yaml]"
    mode.git.withheld.add(blob_of(text))
    assert await push(mode, **{"apps/a/kustomization.yaml": text}) == {"a"}
    assert await push(mode, **{"docs/x.md": "2"}) == {"a"}
    _, plan = await mode.newest()
    (match,) = [match for match in plan.matches if match.layer == "a"]
    assert "apps/a/kustomization.yaml: its content cannot be had" in match.reason
    mode.git.withheld.clear()
    await push(mode, **{"docs/x.md": "3"})
    assert await push(mode, **{"docs/x.md": "4"}) == set()


async def test_a_tree_is_read_whole_once_and_then_by_what_differs(mode: GitMode) -> None:
    mode.git.read.clear()
    assert await push(mode, **{"base/all.yaml": "2"}) == {"a", "b"}
    assert await push(mode, **{"apps/b/kustomization.yaml": "resources: [new.yaml]"}) == {"b"}
    assert await push(mode, **{"apps/b/new.yaml": "1"}) == {"b"}
    assert await push(mode, **{"apps/b/new.yaml": "2", "base/all.yaml": "3"}) == {"a", "b"}
    assert await push(mode, **{"base/all.yaml": "4"}) == {"a"}
    assert mode.git.read == []


async def test_contents_are_asked_for_once(mode: GitMode) -> None:
    mode.host.asked.clear()
    await push(mode, **{"docs/x.md": "2"})
    assert "read_blobs" not in mode.host.asked
    await push(mode, **{"base/kustomization.yaml": "resources: [all.yaml] # new"})
    assert mode.host.asked.count("read_blobs") == 1


async def test_without_its_host_every_layer_with_a_build_may_have_changed(mode: GitMode) -> None:
    before, after = mode.change("plain/c.yaml")
    mode.host.trouble = "the host is away"
    await mode.tell(before, after, "plain/c.yaml")
    while await mode.look():
        mode.clock.advance(FALLBACK_SECONDS)
    assert await mode.called() == {"a", "b", "c"}
    _, plan = await mode.newest()
    assert (plan.knowledge, [match.layer for match in plan.matches]) == ("payload", ["a", "b", "c"])


async def test_an_unmapped_file_is_one_that_no_build_reads_either() -> None:
    mode = await start_git_mode(entry(unmapped="all"))
    mode.files = dict(FILES)
    await push(mode, **FILES)
    await mode.called()
    assert await push(mode, **{"base/all.yaml": "2"}) == {"a", "b"}
    assert await push(mode, **{"docs/x.md": "2"}) == {"a", "b", "c"}
