"""The demo's Git repository: seven layers, a bare repository whose hook sends pushes, a clone."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LAYERS: dict[str, tuple[list[str], list[str]]] = {
    "bootstrap": (["bootstrap/"], []),
    "controllers": (["controllers/", "!controllers/**/*.md"], ["bootstrap"]),
    "databases": (["databases/"], ["controllers"]),
    "post-config": (["post-config/"], ["databases"]),
    "app1": (["apps/app1/", "apps/base/"], ["post-config"]),
    "app2": (["apps/app2/", "apps/base/"], ["post-config"]),
    "app3": (["apps/app3/", "apps/base/"], ["post-config"]),
}
"""Layer name → its patterns and what it depends on."""

FILES = (
    "README.md",
    "bootstrap/namespaces.yaml",
    "controllers/ingress.yaml",
    "databases/orders.yaml",
    "post-config/dashboards.yaml",
    "apps/base/deployment.yaml",
    "apps/app1/kustomization.yaml",
    "apps/app2/kustomization.yaml",
    "apps/app3/kustomization.yaml",
)

GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
}


LOST = "DEMO_WEBHOOK_IS_LOST"
"""The environment variable that keeps the host's hook from sending a webhook."""


class GitFailed(Exception):
    """A git command of the demo failed."""


class Fleet:
    """What a platform team has: a Git host's repository, and a clone to work in."""

    def __init__(self, folder: Path, path_variable: str) -> None:
        self.host = folder / "fleet.git"
        self._clone = folder / "fleet"
        self._environment = {**GIT_ENVIRONMENT, "PATH": path_variable, "HOME": str(folder)}
        self._edits = 0

    async def create(self, *, hook_url: str, secret_file: Path) -> None:
        """Make both repositories; the host's sends each push to *hook_url*, signed."""
        await self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.host))
        await self._git("init", "--quiet", "--initial-branch=main", str(self._clone))
        await self._in_clone("remote", "add", "origin", str(self.host))
        self.write(*FILES)
        command = [sys.executable, "-m", "router", "send", "--provider", "github"]
        command += ["--hook-url", hook_url, "--secret-file", str(secret_file)]
        command += ["--repository-url", self.host.as_uri()]
        hook = self.host / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\n[ -n "${LOST}" ] || exec {shlex.join(command)}\n')
        hook.chmod(0o755)

    def write(self, *files: str) -> None:
        """Change files of the clone."""
        for file in files:
            self._edits += 1
            path = self._clone / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# edit {self._edits}\n")

    def rename(self, old: str, new: str) -> None:
        """Move a file of the clone."""
        (self._clone / old).rename(self._clone / new)

    async def commit(self, message: str) -> None:
        """Commit everything in the clone."""
        await self._in_clone("add", "--all")
        await self._in_clone("commit", "--quiet", "--message", message)

    async def revert_last_commit(self) -> None:
        """Commit the opposite of the newest commit."""
        await self._in_clone("revert", "--no-edit", "HEAD")

    async def push(self, message: str, *, force: bool = False, is_told: bool = True) -> str:
        """Commit what changed and push it; returns what the host's hook printed.

        Without *is_told* the host sends no webhook.
        """
        if message:
            await self.commit(message)
        options = ["--force"] if force else []
        lost = {} if is_told else {LOST: "1"}
        return await self._in_clone("push", *options, "origin", "main", **lost)

    async def drop_last_commit(self) -> None:
        """Take the newest commit off the clone's branch, with its changes."""
        await self._in_clone("reset", "--quiet", "--hard", "HEAD~1")

    async def _in_clone(self, *words: str, **variables: str) -> str:
        return await self._git("-C", str(self._clone), *words, **variables)

    async def _git(self, *words: str, **variables: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "git",
            *words,
            env={**self._environment, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        if process.returncode:
            raise GitFailed(f"git {' '.join(words)}: {text}")
        return text
