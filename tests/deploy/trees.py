"""The examples as a user would have them: a Git repository with the fleet and one strategy."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from router.core.kustomize.walk import KUSTOMIZATION_FILES
from tests.deploy.rendered import ROOT, Manifest, render_anew
from tests.remote.git.local import make_repo

if TYPE_CHECKING:
    from tests.remote.git.local import Repo

EXAMPLES = ROOT / "deploy" / "examples"
FLEET = EXAMPLES / "fleet"
STRATEGIES = tuple(sorted(path.parent for path in EXAMPLES.glob("*/clusters")))

GIT = EXAMPLES / "gitrepository-per-layer"
OCI = EXAMPLES / "ocirepository-per-layer"

BOOTSTRAPPED = {
    "gotk-sync.yaml": """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: https://github.com/acme/fleet.git
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/prod
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
""",
    "kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- gotk-sync.yaml
""",
}
"""The files of clusters/prod/flux-system, but for gotk-components.yaml."""

LAYERS = ("bootstrap", "controllers", "databases", "post-config", "app1", "app2", "app3")


def routing_file(strategy: Path) -> Path:
    return strategy / "clusters" / "prod" / "flux-router" / "router.yaml"


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


def bootstrap(tree: Path) -> Path:
    """Adds what `flux bootstrap --path=clusters/prod` commits, without Flux itself; that folder."""
    folder = tree / "clusters" / "prod"
    (folder / "flux-system").mkdir(parents=True)
    for name, content in BOOTSTRAPPED.items():
        (folder / "flux-system" / name).write_text(content)
    return folder


def build(folder: Path) -> tuple[Manifest, ...]:
    """What Flux applies of *folder*, where it has no kustomization of its own: Flux makes one."""
    own = folder / "kustomization.yaml"
    assert not own.exists()
    own.write_text(yaml.safe_dump({"resources": generated_resources(folder)}))
    try:
        return render_anew(folder)
    finally:
        own.unlink()


def generated_resources(folder: Path, under: str = ".") -> list[str]:
    """Sub-folders with a kustomization as one, and every other YAML file.

    https://github.com/fluxcd/pkg/blob/main/kustomize/kustomize_generator.go (scanManifests)
    """
    found: list[str] = []
    for each in sorted(folder.iterdir()):
        path = f"{under}/{each.name}"
        if each.is_dir():
            is_one = any((each / name).is_file() for name in KUSTOMIZATION_FILES)
            found += [path] if is_one else generated_resources(each, path)
        elif each.suffix in {".yaml", ".yml"}:
            found.append(path)
    return found


@cache
def applied(strategy: Path) -> tuple[Manifest, ...]:
    """What Flux applies of a strategy's clusters/prod once it is bootstrapped."""
    with TemporaryDirectory() as folder:
        return build(bootstrap(make_tree(strategy, Path(folder))))


def of_layers(strategy: Path, kind: str) -> dict[str, Manifest]:
    """The objects of that kind, by name, among what a strategy has for its layers."""
    others = {"flux-router", "flux-system"}
    return {
        each["metadata"]["name"]: each
        for each in applied(strategy)
        if each["kind"] == kind and each["metadata"]["name"] not in others
    }


def source_of(kustomization: Manifest) -> Any:
    """Kind and name of what it reads."""
    reference = kustomization["spec"]["sourceRef"]
    return reference["kind"], reference["name"]
