"""A work tree that follows the commits, and what a real kustomize makes of its folders."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from router.core.kustomize.walk import KUSTOMIZATION_FILES, MANIFEST_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.exactness.clone import Clone
    from router.core.kustomize.closure import Build
    from router.core.kustomize.tree import Tree

RENDER_SECONDS = 60
"""A folder that takes longer counts as one that does not build."""

FAILS = "fails"
"""What stands for the output of a folder that does not build."""


class WorkTree:
    """Files of one commit on disk."""

    def __init__(self, root: Path, clone: Clone) -> None:
        self._root, self._clone = root, clone

    def write(self, tree: Tree, paths: Iterable[str]) -> None:
        """Make *paths* be as they are in *tree*."""
        present = []
        for path in paths:
            (self._root / path).unlink(missing_ok=True)
            if path in tree.files and tree.files[path].kind != "submodule":
                present.append(path)
        contents = self._clone.contents([tree.files[path].blob for path in present])
        for path, (_, content) in zip(present, contents, strict=True):
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if tree.files[path].kind == "link":
                target.symlink_to((content or b"").decode())
            else:
                target.write_bytes(content or b"")

    def render(self, build: Build) -> str:
        """The digest of what *build* makes, or FAILS."""
        folder = self._root / build.folders[0]
        found = [folder / name for name in KUSTOMIZATION_FILES if (folder / name).is_file()]
        kept = found[0].read_bytes() if found else None
        file = found[0] if found else folder / KUSTOMIZATION_FILES[0]
        try:
            if kept is None:
                file.write_text(json.dumps({"resources": list(_generated(folder))}))
            if build.components:
                _add_components(file, build.components)
            return _digest(folder)
        except (OSError, yaml.YAMLError, AttributeError, TypeError):
            return FAILS
        finally:
            if kept is not None:
                file.write_bytes(kept)
            elif file.exists():
                file.unlink()

    def clear(self) -> None:
        """Remove every file."""
        shutil.rmtree(self._root)
        self._root.mkdir()


def _add_components(file: Path, components: tuple[str, ...]) -> None:
    document = yaml.safe_load(file.read_bytes())
    document["components"] = [*(document.get("components") or []), *components]
    file.write_text(json.dumps(document))


def _generated(folder: Path) -> Iterator[str]:
    """The resources that kustomize-controller puts into a kustomization it generates."""
    for path in sorted(folder.rglob("*")):
        above = [each for each in path.parents if each != folder and folder in each.parents]
        if any((each / name).is_file() for each in above for name in KUSTOMIZATION_FILES):
            continue
        is_kustomization = path.is_dir() and any(
            (path / name).is_file() for name in KUSTOMIZATION_FILES
        )
        if is_kustomization or (path.is_file() and path.name.endswith(MANIFEST_SUFFIXES)):
            yield str(path.relative_to(folder))


def _kubectl() -> str:
    """The one beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else "kubectl"


def _digest(folder: Path) -> str:
    command = [_kubectl(), "kustomize", str(folder), "--load-restrictor", "LoadRestrictionsNone"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=RENDER_SECONDS)
    except subprocess.TimeoutExpired:
        return FAILS
    return FAILS if done.returncode else hashlib.sha256(done.stdout).hexdigest()
