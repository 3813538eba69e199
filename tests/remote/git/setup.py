"""What the tests of clones share: clones in a folder, and a served repository."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.core.model import Secret
from router.core.routing import GitAccess
from router.remote.git.clone import folder_name
from router.remote.git.clones import GitClones
from router.remote.system import SystemClock
from tests.remote.git.host import serve_git
from tests.remote.git.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.remote.git.host import GitHost
    from tests.remote.git.repository import Repository

TOKEN = b"canary-51c2-token"


@dataclass
class Served:
    """A repository on a host that asks for a token, and clones that may read it."""

    host: GitHost
    repository: Repository
    access: GitAccess
    git: GitClones
    folder: Path
    """Where the clones are."""

    @property
    def clone(self) -> Path:
        """The one clone."""
        (found,) = self.folder.glob("*.git")
        return found

    def folder_of(self, access: GitAccess) -> Path:
        """Where the clone for *access* is."""
        return self.folder / folder_name(access.url)


@asynccontextmanager
async def clones_in(folder: Path, **options: Any) -> AsyncIterator[GitClones]:
    """Clones with bounds that no test should meet, unless *options* says so."""
    given: dict[str, Any] = {
        "clock": SystemClock(),
        "deadline_seconds": 30.0,
        "concurrency": 4,
        "limit_bytes": 1 << 30,
    }
    git = GitClones(folder, **given | options)
    try:
        yield git
    finally:
        await git.close()


@asynccontextmanager
async def served_in(tmp_path: Path, **options: Any) -> AsyncIterator[Served]:
    """An empty repository, `fleet.git`, served over https to the user `git`."""
    root = tmp_path / "host"
    repository = make_repository(root / "fleet.git")
    async with (
        serve_git(root, users={"git": TOKEN.decode()}) as host,
        clones_in(tmp_path / "clones", **options) as git,
    ):
        access = GitAccess(url=host.url("fleet.git"), token=Secret(TOKEN), ca=host.ca)
        yield Served(host, repository, access, git, tmp_path / "clones")
