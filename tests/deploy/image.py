"""The Dockerfile's last stage: what a container has from it before a Deployment adds to that."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.deploy.rendered import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKERFILE = ROOT / "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the instructions of the last stage say."""

    environment: dict[str, str]
    labels: dict[str, str]
    user: str
    folder: str
    ports: frozenset[int]
    entrypoint: list[str]
    arguments: list[str]
    health: list[str]
    """The command that tells whether the container is healthy."""


def read_image() -> Image:
    """The last stage of the Dockerfile."""
    stage: dict[str, list[str]] = {}
    for name, text in instructions():
        if name == "FROM":
            stage = {}
        stage.setdefault(name, []).append(text)
    return Image(
        environment=_pairs(stage["ENV"]),
        labels=_pairs(stage["LABEL"]),
        user=stage["USER"][-1],
        folder=stage["WORKDIR"][-1],
        ports=frozenset(int(port) for port in stage["EXPOSE"][-1].split()),
        entrypoint=json.loads(stage["ENTRYPOINT"][-1]),
        arguments=json.loads(stage["CMD"][-1]),
        health=json.loads(stage["HEALTHCHECK"][-1].partition("CMD ")[2]),
    )


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction's name and text, lines that go on joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line:
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def _pairs(texts: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for text in texts for word in shlex.split(text))
