"""The bench of exactness against a repository whose figures are known."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bench.exactness.__main__ import measure
from bench.exactness.clone import Clone
from bench.exactness.measure import Figures

if TYPE_CHECKING:
    from pathlib import Path

_FLUX = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app}
spec: {path: ./app, sourceRef: {kind: GitRepository, name: flux-system}}
"""
_OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {key: %s}\n"

_COMMITS = (
    {
        "flux.yaml": _FLUX,
        "app/kustomization.yaml": "resources: [../shared]\n",
        "shared/kustomization.yaml": "resources: [one.yaml]\n",
        "shared/one.yaml": _OBJECT % "a",
    },
    {"shared/one.yaml": _OBJECT % "b"},  # outside the path: prefixes miss it
    {"app/README.md": "read me\n"},  # below the path, and nothing reads it
    {"shared/one.yaml": "# why\n" + _OBJECT % "b"},  # read, and the output stays
)


def test_figures_of_a_repository_that_was_made_for_them(tmp_path: Path) -> None:
    """One true change, which only prefixes miss; each way has its own needless ones."""
    _make(tmp_path)
    clone = Clone(tmp_path)
    figures = measure(clone, 3, "HEAD")
    clone.close()

    assert (figures.commits, figures.decisions, figures.changes) == (3, 3, 1)
    ways = (figures.flux, figures.prefixes, figures.closure)
    assert [way.triggered for way in ways] == [3, 1, 2]
    assert [len(way.missed) for way in ways] == [0, 1, 0]
    assert [len(way.needless) for way in ways] == [2, 1, 1]
    assert figures.prefixes.missed[0].endswith("flux.yaml#app: it reads shared/one.yaml")
    total = Figures()
    total.add(figures)
    total.add(figures)
    assert (total.commits, total.closure.triggered, len(total.prefixes.missed)) == (6, 4, 2)


def _make(root: Path) -> None:
    _git(root, "init", "--quiet")
    for files in _COMMITS:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        _git(root, "add", "--all")
        _git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "one")


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True)
