"""A real SSH server on loopback that gives its users git-upload-pack, and nothing else."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def make_key() -> asyncssh.SSHKey:
    """A new key pair, for a user or a host."""
    return asyncssh.generate_private_key("ssh-ed25519")


@dataclass(frozen=True)
class SshHost:
    """The server as a test sees it."""

    folder: Path
    port: int
    key: asyncssh.SSHKey

    @property
    def known_hosts(self) -> bytes:
        """The line by which a client knows the server."""
        return f"[127.0.0.1]:{self.port} {self.key.export_public_key().decode()}".encode()

    def url(self, name: str) -> str:
        return f"ssh://git@127.0.0.1:{self.port}{self.folder}/{name}"


@asynccontextmanager
async def serve_ssh(
    folder: Path, user: asyncssh.SSHKey, *, port: int = 0
) -> AsyncIterator[SshHost]:
    """Serve the bare repositories in *folder* to whoever has the key *user*."""
    key = make_key()
    authorized = asyncssh.import_authorized_keys(user.export_public_key().decode())
    async with await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[key],
        authorized_client_keys=authorized,
        process_factory=_upload_pack,
        encoding=None,
        allow_scp=False,
    ) as server:
        yield SshHost(folder, server.get_port(), key)


async def _upload_pack(process: asyncssh.SSHServerProcess[bytes]) -> None:
    program, path = shlex.split(process.command or "")
    assert program == "git-upload-pack"
    variables = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROTOCOL": process.env.get("GIT_PROTOCOL", ""),
    }
    git = subprocess.Popen(
        ["git", "upload-pack", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
    )
    await process.redirect(stdin=git.stdin, stdout=git.stdout, stderr=git.stderr)
    process.exit(await asyncio.to_thread(git.wait))
    await process.wait_closed()
