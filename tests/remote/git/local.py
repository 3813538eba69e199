"""Real repositories that tests make history in."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.remote.git.pushes import read_push

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.providers.interface import OutgoingPush

URL = "https://git.example/acme/fleet"
MAIN = "refs/heads/main"
ZERO = "0" * 40


@dataclass(frozen=True, slots=True)
class Repo:
    """A real repository that a test makes history in."""

    path: Path

    def git(self, *arguments: str, **variables: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        finished = subprocess.run(
            ["git", "-C", self.path, *identity, *arguments],
            check=True,
            capture_output=True,
            env=environment | settings | variables,
        )
        return finished.stdout.decode().strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)

    def commit(self, files: Mapping[str, str | None] | None = None, message: str = "change") -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, before: str, after: str, ref: str = MAIN) -> OutgoingPush:
        return read_push(self.path, before=before, after=after, ref=ref, repository_url=URL)


def make_repo(path: Path, *options: str) -> Repo:
    path.mkdir(parents=True, exist_ok=True)
    repo = Repo(path)
    repo.git("init", "--quiet", "--initial-branch=main", *options)
    return repo
