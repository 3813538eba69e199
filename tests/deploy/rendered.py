"""Kustomizations as `kubectl kustomize` renders them, held against the schemas of their kinds."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import yaml

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).with_name("schemas")
KUBECTL = Path(sys.executable).with_name("kubectl")
"""It comes with a wheel of the development group, as the linter of Dockerfiles does."""

Manifest: TypeAlias = dict[str, Any]


class NotValid(Exception):
    """An API server would not take the object; the message says which, where and why."""


@cache
def render(folder: Path) -> tuple[Manifest, ...]:
    """The objects of the kustomization in *folder*, which does not change."""
    return render_anew(folder)


def render_anew(folder: Path) -> tuple[Manifest, ...]:
    """The objects of the kustomization in *folder*; fails with what kustomize says."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", f"{folder.name}: {done.stderr}"  # such as a deprecated key
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def kustomizations(folder: Path) -> list[Path]:
    """The folders below *folder* that build by themselves: all that hold no mere Component."""
    return sorted(
        file.parent
        for file in folder.rglob("kustomization.yaml")
        if yaml.safe_load(file.read_text())["kind"] == "Kustomization"
    )


def named(manifest: Manifest) -> str:
    """How messages name an object: its kind and name."""
    return f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"


def only(manifests: tuple[Manifest, ...], kind: str, name: str | None = None) -> Manifest:
    """The one object of that kind, and of that name where several are of the kind."""
    found = [
        each
        for each in manifests
        if each["kind"] == kind and name in {None, each["metadata"]["name"]}
    ]
    assert len(found) == 1, f"{len(found)} objects are a {kind} {name or ''}"
    return found[0]


def validate(manifest: Manifest) -> None:
    """Raises NotValid unless the object is as the schema of its kind says."""
    validator = _validator(str(manifest.get("apiVersion")), str(manifest.get("kind")))
    problems = [
        f"{named(manifest)}: {error.json_path}: {error.message}"
        for error in sorted(validator.iter_errors(manifest), key=lambda error: error.json_path)
    ]
    if problems:
        raise NotValid("\n".join(problems))


@cache
def _validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    file = SCHEMAS / f"{kind.lower()}-{api_version.replace('/', '-')}.json"
    if not file.exists():
        raise NotValid(
            f"there is no schema of a {kind} of {api_version}: see {SCHEMAS.name}/README.md"
        )
    return jsonschema.Draft202012Validator(json.loads(file.read_text()))
