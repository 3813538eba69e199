"""The git command as this service runs it: told everything, and left to decide nothing."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from router.core.errors import GitUnavailable
from router.core.routing import GitAccess
from router.remote.git.complaints import NOT_GIT, explain_local, explain_remote
from router.remote.git.credentials import lend_credentials
from router.remote.git.environment import git_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from router.remote.git.processes import Finished, Processes

_EVERYWHERE = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "core.askPass=",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "protocol.allow=never",
)
"""https://git-scm.com/docs/git-config"""

_WITH_A_HOST = (
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "protocol.version=2",  # asks for exact refs, and gives commits that no ref has
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",  # bytes a second; a host that is at work sends a few
    "transfer.bundleURI=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
)

_FETCH = (
    "fetch",
    "--quiet",
    "--depth=1",
    "--filter=blob:none",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)
"""https://git-scm.com/docs/git-fetch; all of it is in git 2.30."""

_FETCH_BLOBS = (
    *(option for option in _FETCH if option != "--depth=1"),
    "--stdin",
)
"""https://github.com/git/git/blob/master/promisor-remote.c (fetch_objects)"""

_SCP_LIKE = re.compile(r"(?:[^@/:\s]+@)?([^@/:\s-][^@/:\s]*):(?!//|:)\S")


class Commands:
    """Runs git on clones and against their hosts."""

    def __init__(self, processes: Processes, *, stall_seconds: int) -> None:
        """A host that sends nothing for *stall_seconds* is given up."""
        self._processes = processes
        self._stall_seconds = stall_seconds

    async def init(self, clone: Path, *, object_format: str) -> None:
        """Make an empty bare repository that `copy` can read."""
        options = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
        await self._run_local("init", *options, "--", os.fspath(clone))
        await self.read(clone, "config", "uploadpack.allowFilter", "true")

    async def read(self, clone: Path, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git prints of a clone, without asking its host. Raises CloneDamaged, and others."""
        return await self._run_local(f"--git-dir={clone}", *arguments, stdin=stdin)

    async def list_refs(self, access: GitAccess, *options: str) -> bytes:
        """What ls-remote prints."""
        command = ("ls-remote", "--quiet", *options, "--", remote_url(access))
        finished = await self._ask(access, command)
        if not finished.output and access.url.startswith("https://"):
            # To git, any page of a single line is a host of the old kind that has no refs.
            traced = await self._ask(access, command, variables={"GIT_TRACE_PACKET": "1"})
            if " packet: " not in traced.complaint:
                raise GitUnavailable(NOT_GIT)
        return finished.output

    async def fetch(
        self, access: GitAccess, clone: Path, wanted: Sequence[str], watch: Callable[[], None]
    ) -> None:
        """Fetch *wanted* (refspecs or commits) from the host into the clone."""
        command = (f"--git-dir={clone}", *_FETCH, "origin", *wanted)
        await self._ask(access, command, settings=_remote(remote_url(access)), watch=watch)

    async def fetch_blobs(
        self, access: GitAccess, clone: Path, blobs: Sequence[str], watch: Callable[[], None]
    ) -> None:
        """Fetch the contents *blobs* into the clone, as git itself fetches what one lacks."""
        command = (f"--git-dir={clone}", *_FETCH_BLOBS, "origin")
        settings = (*_remote(remote_url(access)), "fetch.negotiationAlgorithm=noop")
        wanted = "".join(f"{blob}\n" for blob in blobs).encode("ascii")
        await self._ask(access, command, settings=settings, stdin=wanted, watch=watch)

    async def copy(self, old: Path, new: Path) -> None:
        """Bring what the refs of one clone stand for into another one, and the refs."""
        access = GitAccess(url=os.fspath(old))
        refs = ["+refs/planned/*:refs/planned/*"]
        command = (f"--git-dir={new}", *_FETCH, "origin", *refs)
        await self._ask(access, command, settings=_remote(remote_url(access)))

    async def _run_local(self, *arguments: str, stdin: bytes = b"") -> bytes:
        environment = git_environment(os.environ)
        finished = await self._processes.run(
            _command(_EVERYWHERE, arguments), environment=environment, stdin=stdin
        )
        if finished.status:
            raise explain_local(finished.complaint)
        return finished.output

    async def _ask(
        self,
        access: GitAccess,
        arguments: Sequence[str],
        *,
        settings: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        watch: Callable[[], None] | None = None,
    ) -> Finished:
        lent = self._lend(access, arguments, settings=settings, variables=variables or {})
        finished = await self._processes.run_lent(
            lent, host=host_of(access.url), stdin=stdin, watch=watch
        )
        if finished.status:
            raise explain_remote(finished.complaint)
        return finished

    @contextmanager
    def _lend(
        self,
        access: GitAccess,
        arguments: Sequence[str],
        *,
        settings: Sequence[str],
        variables: Mapping[str, str],
    ) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """A command and its environment, with credentials: open files, while others wait."""
        stall = f"http.lowSpeedTime={self._stall_seconds}"
        with lend_credentials(access, stall_seconds=self._stall_seconds) as lent:
            told = [*_EVERYWHERE, *_WITH_A_HOST, stall, *settings, *lent.settings]
            environment = git_environment(os.environ) | lent.variables | dict(variables)
            yield _command(told, arguments), environment


def _remote(url: str) -> tuple[str, ...]:
    """The remote "origin", which may lack what it did not send.

    Known to the one command that fetches only: no other asks a host for what a clone lacks.
    """
    return (
        f"remote.origin.url={url}",
        "remote.origin.promisor=true",
        "remote.origin.partialclonefilter=blob:none",
    )


def _command(settings: Iterable[str], arguments: Sequence[str]) -> list[str]:
    return ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]


def remote_url(access: GitAccess) -> str:
    """The URL as git is given it."""
    # A bare path would be read by a shortcut that knows neither depth nor filter.
    return f"file://{quote(access.url)}" if access.url.startswith("/") else access.url


def host_of(url: str) -> str:
    """Which host a URL leads to; all of this machine's folders count as one.

    Raises GitUnavailable for a URL that git must not be given.
    """
    if not url.isprintable():
        raise GitUnavailable("the URL holds control characters")
    if url.startswith(("file://", "/")):
        return "file"
    if url.startswith(("https://", "ssh://")):
        host = urlsplit(url).hostname
    else:
        scp_like = _SCP_LIKE.match(url)
        host = scp_like[1] if scp_like else None
    if not host or host.startswith("-"):
        raise GitUnavailable("only https, ssh and file URLs are allowed")
    return host.lower()
