"""The examples as a user would have them: a Git repository with the fleet and one strategy."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.deploy.rendered import ROOT, Manifest, render
from tests.remote.git.local import make_repo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.remote.git.local import Repo

EXAMPLES = ROOT / "deploy" / "examples"
FLEET = EXAMPLES / "fleet"
STRATEGIES = tuple(sorted(path.parent for path in EXAMPLES.glob("*/clusters")))

GIT = EXAMPLES / "gitrepository-per-layer"
OCI = EXAMPLES / "ocirepository-per-layer"

LAYERS = ("bootstrap", "controllers", "databases", "post-config", "app1", "app2", "app3")


def routing_file(strategy: Path) -> Path:
    return strategy / "flux-router" / "router.yaml"


def make_tree(strategy: Path, folder: Path) -> Path:
    """The fleet and the strategy in one folder."""
    for part in (FLEET, strategy):
        shutil.copytree(part, folder, dirs_exist_ok=True)
    return folder


def make_fleet(strategy: Path, folder: Path) -> Repo:
    """The same as a repository with one commit."""
    repo = make_repo(folder)
    make_tree(strategy, folder)
    repo.commit({})
    return repo


def of_layers(strategy: Path, kind: str) -> dict[str, Manifest]:
    """The objects of that kind, by name, among what a strategy has for its layers."""
    found = render(strategy / "clusters" / "prod")
    others = {"flux-router", "flux-router-config"}
    return {
        each["metadata"]["name"]: each
        for each in found
        if each["kind"] == kind and each["metadata"]["name"] not in others
    }


def source_of(kustomization: Manifest) -> Any:
    """Kind and name of what it reads."""
    reference = kustomization["spec"]["sourceRef"]
    return reference["kind"], reference["name"]
