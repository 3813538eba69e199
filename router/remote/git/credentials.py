"""Credentials for one git command, in files that exist only in memory and only while it runs.

The command line and the environment name these files by path and hold no secret.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, fcntl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.core.errors import GitUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.core.routing import GitAccess

_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE

_NO_FILE = os.devnull

_SSH_OPTIONS = (
    "BatchMode=yes",  # asks for nothing
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    f"GlobalKnownHostsFile={_NO_FILE}",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey,none",
    "ClearAllForwardings=yes",
    "ControlMaster=no",
    "ControlPath=none",
    "PermitLocalCommand=no",
    "LogLevel=ERROR",
    "ServerAliveCountMax=2",
)
"""https://man.openbsd.org/ssh_config"""


@dataclass(frozen=True, slots=True)
class Lent:
    """How a git command finds the credentials it was lent."""

    settings: tuple[str, ...] = ()
    """`name=value` pairs of git's configuration."""
    variables: dict[str, str] = field(default_factory=dict)


@contextmanager
def lend_credentials(access: GitAccess, *, stall_seconds: int) -> Iterator[Lent]:
    """Have the credentials of *access* at hand for one command that reads its host.

    *stall_seconds* is for how long ssh bears with a silent network. Raises GitUnavailable where a
    credential cannot be handed over.
    """
    with ExitStack() as files:
        if access.url.startswith("https://"):
            yield Lent(settings=tuple(_https_settings(access, files)))
        elif access.url.startswith(("file://", "/")):
            yield Lent()
        else:
            command = _ssh_command(access, files, stall_seconds)
            yield Lent(variables={"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"})


def _https_settings(access: GitAccess, files: ExitStack) -> Iterator[str]:
    if access.ca is not None:
        yield f"http.sslCAInfo={_lend(access.ca.value, files)}"
        yield f"http.sslCAPath={_NO_FILE}"  # else the system's folder counts, too
    if access.token is not None:
        username = access.username.encode("utf-8", "surrogateescape")
        for value, what in ((access.token.value, "token"), (username, "username")):
            if any(character in value for character in b"\n\r\0"):
                raise GitUnavailable(f"the {what} holds a line break, which git cannot pass on")
        path = _lend(b"username=%b\npassword=%b\n" % (username, access.token.value), files)
        # An attribute of another host (a proxy, a redirect) never gets it: the name has the host.
        host = urlsplit(access.url).netloc.rpartition("@")[2]
        helper = f'!f() {{ test "$1" = get && cat {path}; }}; f'
        yield f"credential.https://{host}.helper={helper}"


def _ssh_command(access: GitAccess, files: ExitStack, stall_seconds: int) -> str:
    known_hosts = access.known_hosts.value if access.known_hosts else b""
    options = [
        *_SSH_OPTIONS,
        f"UserKnownHostsFile={_lend(known_hosts, files)}",
        f"ConnectTimeout={stall_seconds}",
        f"ServerAliveInterval={max(1, stall_seconds // 2)}",
    ]
    if access.ssh_key is not None:
        # OpenSSH does not read a key whose last line has no end.
        key = access.ssh_key.value.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        options.append(f"IdentityFile={_lend(key, files)}")
    else:
        options.append("IdentityFile=none")
    return f"ssh -F {_NO_FILE} " + " ".join(f"-o {option}" for option in options)


def _lend(content: bytes, files: ExitStack) -> str:
    """The path of a file in memory, for our own processes only, that holds *content*."""
    try:
        descriptor = os.memfd_create("git", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise GitUnavailable(f"credentials cannot be handed to git: {reason}") from None
    files.callback(os.close, descriptor)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    fcntl(descriptor, F_ADD_SEALS, _SEALS)
    return f"/proc/{os.getpid()}/fd/{descriptor}"
