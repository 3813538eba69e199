"""A real SSH server on loopback that gives its users git-upload-pack, and nothing else."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_CHUNK_BYTES = 65536


def need_ssh() -> None:
    """Have the ssh command on this machine: Debian's git does without it, if asked to."""
    if shutil.which("ssh") is None:
        for words in ("update", "install --yes --no-install-recommends openssh-client"):
            subprocess.run(["apt-get", "--quiet", *words.split()], check=True)


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
    need_ssh()
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
    git = await asyncio.create_subprocess_exec(
        *("git", "upload-pack", path), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=variables
    )
    assert git.stdin is not None
    feeding = asyncio.ensure_future(_feed(process.stdin, git.stdin))
    await asyncio.gather(_show(git.stdout, process.stdout), _show(git.stderr, process.stderr))
    feeding.cancel()
    await asyncio.wait([feeding])
    process.exit(await git.wait())
    await process.wait_closed()


async def _feed(client: asyncssh.SSHReader[bytes], program: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await client.read(_CHUNK_BYTES):
            program.write(chunk)
            await program.drain()
        program.close()


async def _show(program: asyncio.StreamReader | None, client: asyncssh.SSHWriter[bytes]) -> None:
    assert program is not None
    while chunk := await program.read(_CHUNK_BYTES):
        client.write(chunk)
        await client.drain()
