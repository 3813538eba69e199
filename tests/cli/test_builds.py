"""Layers with a build on a checkout: explain and affected read what their builds read."""

from __future__ import annotations

import pytest

from tests.cli.fleet import Fleet, as_json, run
from tests.remote.git.local import ZERO, make_repo

FILE = """\
apiVersion: flux-router/v1
hooks: [{name: github, provider: github, secrets: [{env: SECRET}]}]
clusters: [{name: prod, url: "http://flux", receiver: {token: {env: TOKEN}}}]
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    git: {}
    layers:
      - {name: app1, build: ./apps/app1}
      - {name: app2, build: ./apps/app2, paths: [apps/app2/]}
      - {name: docs, paths: [docs/]}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A base that both apps read; then it changes; then app1 reads it no more, and app2 breaks."""
    folder = tmp_path_factory.mktemp("built")
    repo = make_repo(folder / "fleet")
    repo.commit(
        {
            "base/kustomization.yaml": "resources: [all.yaml]",
            "base/all.yaml": "a: 1",
            "apps/app1/kustomization.yaml": "resources: [../../base, web.yaml]",
            "apps/app1/web.yaml": "a: 1",
            "apps/app1/README.md": "1",
            "apps/app2/kustomization.yaml": "resources: [../../base]",
            "docs/a.md": "1",
        }
    )
    repo.commit({"base/all.yaml": "a: 2"})
    repo.commit({"apps/app1/kustomization.yaml": "resources: [web.yaml]", "base/all.yaml": "a: 3"})
    repo.commit({"apps/app1/README.md": "2"})
    repo.commit({"apps/app2/kustomization.yaml": "resources: [gone.yaml]"})
    config = folder / "router.yaml"
    config.write_text(FILE)
    return Fleet(repo=repo, config=config)


@pytest.mark.parametrize(
    ("before", "after", "layers"),
    [
        ("main~4", "main~3", "app1\napp2\n"),
        ("main~3", "main~2", "app1\napp2\n"),  # app1 read the base until then
        ("main~2", "main~1", ""),  # what lies in the folder, and no kustomization names
        ("main~1", "main", "app2\n"),
        (ZERO, "main", "app1\napp2\ndocs\n"),
        ("main", "main", ""),
    ],
)
def test_affected_reads_what_builds_read_before_and_after(
    built: Fleet, before: str, after: str, layers: str
) -> None:
    result = built.affected("--base", before, "--head", after)
    assert (result.exit_code, result.stdout) == (0, layers)


def test_explain_names_the_chain_from_the_changed_file_to_the_build(built: Fleet) -> None:
    [entry] = as_json(built.explain("main~4", "main~3", "-o", "json"))
    app1, app2, docs = entry["layers"]
    assert app1["reason"].endswith(
        "base/all.yaml ← base/kustomization.yaml ← apps/app1/kustomization.yaml"
    )
    assert (app1["path"], app1["pattern"]) == ("base/all.yaml", None)
    assert (app2["affected"], docs["affected"]) == (True, False)
    assert entry["unmappedCount"] == 0


def test_a_file_that_is_not_there_makes_the_layer_unknown_with_the_reason(built: Fleet) -> None:
    [entry] = as_json(built.explain("main~2", "main", "-o", "json"))
    assert entry["layers"][1]["pattern"] == "apps/app2/"  # the patterns tell already
    [entry] = as_json(built.explain(ZERO, "main", "-o", "json"))
    assert entry["layers"][0]["reason"].startswith("its build reads a changed file")


def test_given_paths_do_not_tell_what_a_build_reads(built: Fleet) -> None:
    words = ("--config", str(built.config), "--path", "docs/a.md", "-o", "json")
    [entry] = as_json(run("explain", *words))
    app1, app2, docs = entry["layers"]
    assert (app1["affected"], app2["affected"], docs["pattern"]) == (True, True, "docs/")
    assert app1["reason"] == (
        "it is not known what its build reads: that takes --repo with the commits BEFORE and AFTER"
    )
    told = run("explain", "--config", str(built.config), "--path", "apps/base/all.yaml").stdout
    assert told.splitlines()[-1] == "1 changed path, 1 of no layer's `paths`: apps/base/all.yaml"
