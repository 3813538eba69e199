"""What a real kustomize makes of trees, as kustomize-controller has it build them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from router.core.kustomize.walk import KUSTOMIZATION_FILES, MANIFEST_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.kustomize.closure import Build

FAILS = "it does not build"


def render(root: Path, trees: Sequence[Mapping[str, str]], build: Build) -> list[str]:
    """What *build* makes of each of *trees* (files by content), or FAILS; files go below *root*.

    All are built by one process, in a namespace each, unless one of them does not build.
    """
    spaces = [f"tree-{number}" for number in range(len(trees))]
    for space, files in zip(spaces, trees, strict=True):
        _write(root / space / "tree", files)
        folder = build.folders[0].removeprefix("./")
        _complete(root / space / "tree" / folder, build.components)
        wrapper = {"namespace": space, "resources": [f"tree/{folder}"]}
        (root / space / "kustomization.yaml").write_text(json.dumps(wrapper))
    (root / "kustomization.yaml").write_text(json.dumps({"resources": spaces}))
    output = _run(root)
    if output != FAILS:
        return [_part(output, space) for space in spaces]
    return [_part(_run(root / space), space) for space in spaces]


def _part(output: str, space: str) -> str:
    if output == FAILS:
        return FAILS
    mark = f"\n  namespace: {space}\n"
    return "---\n".join(
        text.replace(mark, "\n") for text in output.split("---\n") if mark in f"{text}\n"
    )


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _complete(folder: Path, components: Sequence[str]) -> None:
    """What kustomize-controller writes before it builds: a kustomization file, and components."""
    if not folder.is_dir():
        return
    found = [folder / name for name in KUSTOMIZATION_FILES if (folder / name).exists()]
    if len(found) > 1 or (found and not components):
        return
    file = found[0] if found else folder / "kustomization.yaml"
    document = yaml.safe_load(file.read_text()) if found else {"resources": _scan(folder, folder)}
    if components:
        document["components"] = [*document.get("components", []), *components]
    file.write_text(json.dumps(document))


def _scan(folder: Path, root: Path) -> list[str]:
    found = []
    for path in sorted(folder.iterdir()):
        name = str(path.relative_to(root))
        if path.is_dir() and any((path / each).exists() for each in KUSTOMIZATION_FILES):
            found.append(name)
        elif path.is_dir():
            found += _scan(path, root)
        elif path.name.endswith(MANIFEST_SUFFIXES):
            found.append(name)
    return found


def _run(folder: Path) -> str:
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(kubectl), "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return FAILS if done.returncode else done.stdout
