"""What git complains of, told apart by its words and said in ours.

Pure: the end of standard error (in English, LC_ALL=C) goes in, the exception to raise comes out.
A Git host's own text may be anything; little of it is repeated, and never a URL.

GitUnavailable          the host, the network or a setting is in the way
├── MachineTrouble      the disk, a folder or the memory is
├── CloneDamaged        the clone cannot be used as it is
├── RefMissing          the host lacks a ref that was asked for by name
├── CommitRefused       the host lacks a commit that was asked for, or does not give it away
└── FormatDiffers       the host has object ids of the other kind
"""

from __future__ import annotations

import re

from router.core.errors import GitUnavailable

MAX_REASON_CHARACTERS = 200

NOT_GIT = "the host answers with something other than Git, such as a login page"


class MachineTrouble(GitUnavailable):
    """Something of this machine is in the way, and would be for a new clone, too."""


class CloneDamaged(GitUnavailable):
    """The clone cannot be used as it is; made anew, it may work."""


class RefMissing(GitUnavailable):
    """The host lacks a ref that was asked for by name."""


class CommitRefused(GitUnavailable):
    """The host lacks a commit that was asked for, or does not give it away."""


class FormatDiffers(GitUnavailable):
    """The host's object ids are of another kind than the clone's."""


_MACHINE = (
    (r"No space left on device|Disk quota exceeded|File too large|signal 25", "the disk is full"),
    (r"Read-only file system", "the folder of clones is read-only"),
    (
        r"(?:cannot mkdir|cannot create directory|[Uu]nable to (?:create|open|write)"
        r"|could not create|cannot (?:open|create|update|lock)|failed to (?:open|write)"
        r"|insufficient permission).*(?:Permission denied|permission for adding)",
        "the folder of clones cannot be written to",
    ),
    (r"Out of memory|out of memory|died of signal 9|Cannot allocate memory", "memory ran out"),
    (r"git died of signal (?:2|15)$", "git was ended from outside"),
    (r"Too many open files|Resource temporarily unavailable", "too many processes or open files"),
)
"""Trouble of this machine."""

_HOST = (
    # The network
    (r"[Cc]ould not resolve (?:host|proxy|hostname)", "the host name was not found"),
    (r"Connection refused|[Cc]ould(?: not|n't) connect to server", "the connection was refused"),
    (r"Network is unreachable|No route to host", "the host cannot be reached"),
    (r"Operation too slow", "the host stopped sending"),
    (r"Connection timed out|Operation timed out|timed out", "the host does not answer"),
    # https
    (
        r"certificate problem|certificate verification failed|certificate verify failed"
        r"|no alternative certificate|does not match target host|certificate subject name"
        r"|error reading ca cert|error setting certificate|server certificate CAfile",
        "the host's certificate is not trusted",
    ),
    (
        r"SSL_connect|SSL routines|[Hh]andshake|wrong version number",
        "no secure connection came about; is it rightly https?",
    ),
    (
        r"Authentication failed|Invalid username or|returned error: 401",
        "the username or token was refused",
    ),
    (
        r"could not read (?:Username|Password)",
        "the repository asks for a username and token, and none is configured or was accepted",
    ),
    (r"returned error: 403", "access was refused (403): the token may lack the right to read"),
    (r"returned error: 407", "the proxy asks for a username and password"),
    (
        r"returned error: 30\d|[Uu]nable to update url base from redirection|redirects? followed",
        "the host redirects elsewhere; was the repository renamed or moved? Put the new address in"
        " the routing file",
    ),
    (r"returned error: 429", "the host asks for fewer requests (429)"),
    (r"returned error: 5\d\d", "the host has an error of its own"),
    (r"not valid: is this a git repository", NOT_GIT),
    (r"dumb http transport", "the host serves plain files, not Git's own protocol"),
    # ssh
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|POSSIBLE DNS SPOOFING",
        "the host's key has changed, it is not the one in knownHosts",
    ),
    (
        r"Host key verification failed|host key is known",
        "the host's key cannot be trusted: knownHosts does not have it",
    ),
    (
        r"error in libcrypto|invalid format|incorrect passphrase|UNPROTECTED PRIVATE KEY",
        "the ssh key cannot be read: not a private key, or one with a passphrase",
    ),
    (r"Permission denied \(|Too many authentication failures", "the ssh key was refused"),
    (r"cannot run ssh", "the ssh command is not installed"),
    (r"No user exists for uid", "ssh needs a name in /etc/passwd for the user it runs as"),
    # The repository
    (
        r"returned error: 404|repository '.*' not found|[Rr]epository not found"
        r"|does not appear to be a git repository|could not be found|[Rr]epository .*not exist",
        "there is no such repository, or the credentials may not see it",
    ),
    (r"dubious ownership", "the repository's folder belongs to another user"),
    (r"transport '.*' not allowed", "only https, ssh and file URLs are allowed"),
    # What breaks off
    (
        r"hung up unexpectedly|early EOF|unexpected disconnect|RPC failed|Empty reply"
        r"|Connection (?:reset|closed)|[Bb]roken pipe|bad band"
        r"|the remote end|bad line length|protocol error|kex_exchange_identification"
        r"|expected flush|unable to access|Could not read from remote repository",
        "the connection broke before the answer was complete",
    ),
)
"""Trouble of the host or the way to it."""

_ASKED = (
    (
        r"couldn't find remote ref|no such remote ref",
        RefMissing,
        "the host has no such ref",
    ),
    (
        r"not our ref|unadvertised object|want [0-9a-f]+ not valid",
        CommitRefused,
        "the host has the commit no more",
    ),
    (
        r"mismatched algorithms|object[- ]format",
        FormatDiffers,
        "the host's object ids are of another kind than the clone's",
    ),
)
"""What the host said about that which was asked for."""

_REMARK = re.compile(r"^(?:remote: |warning: |hint: ).*$", re.MULTILINE)
"""Lines that are no complaint; `remote: ` starts whatever a host would like people to read."""

_REMOTE_ERROR = re.compile(r"^(?:fatal: remote error: |ERROR: )(.*)$", re.MULTILINE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_LAST = re.compile(r"^(?:fatal|error): (.*)$", re.MULTILINE)


def explain_remote(complaint: str) -> GitUnavailable:
    """Why a command that asked a host failed."""
    text = _REMARK.sub("", complaint)
    for pattern, kind, reason in _ASKED:
        if re.search(pattern, text):
            return kind(reason)
    for pattern, reason in _MACHINE:
        if re.search(pattern, text):
            return MachineTrouble(reason)
    for pattern, reason in _HOST:
        if re.search(pattern, text):
            return GitUnavailable(reason)
    if said := _REMOTE_ERROR.search(text):
        return GitUnavailable(f"the host said: {_shorten(said[1])}")
    return CloneDamaged(_damage(text))


def explain_local(complaint: str) -> GitUnavailable:
    """Why a command that only read or wrote the clone failed."""
    for pattern, reason in _MACHINE:
        if re.search(pattern, complaint):
            return MachineTrouble(reason)
    return CloneDamaged(_damage(complaint))


def _damage(text: str) -> str:
    lines = _LAST.findall(text)
    return f"git failed: {_shorten(lines[0])}" if lines else "git failed without a word"


def _shorten(text: str) -> str:
    """One printable line of bounded length, without URLs."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(_URL.sub("(URL)", line).split())
    if len(line) > MAX_REASON_CHARACTERS:
        line = line[: MAX_REASON_CHARACTERS - 1] + "…"
    return line
