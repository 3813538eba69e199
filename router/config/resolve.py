"""Resolves every secret a routing file needs, and reports those that cannot be used."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.config.receivers import OIDC, ReceiverUse, Reference, file_reference, reference
from router.config.secret_files import SecretReader, SecretUnusable
from router.config.tree import Node, child, items, text
from router.core.model import Secret
from router.core.providers.table import SERVED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.report import Report

SecretPolicy: TypeAlias = Literal["required", "optional", "forgiven"]
"""What is only a warning: nothing; a missing secret, as in a CI job that has none; or any secret
that cannot be read, where the last good file must go on without it."""

# What stands in the path of a URL without an escape (RFC 3986, pchar).
_PATH_TOKEN = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@-]+\Z")


_LINE_BREAK = re.compile(rb"[\r\n\0]")
_PRIVATE_KEY = re.compile(rb"^-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----\r?\n(\S*)", re.MULTILINE)

# "openssh-key-v1", and "none" as the cipher: the key has no passphrase.
# https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
_OPENSSH_OPEN = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"


class Secrets:
    """Looks secrets up for a routing file that is being built."""

    def __init__(self, reader: SecretReader, report: Report, *, policy: SecretPolicy) -> None:
        self._reader = reader
        self._report = report
        self._policy = policy

    def hook_secret(self, wanted: Reference | None) -> Secret | None:
        """Without one final newline, which an editor or a shell puts there."""
        content = self._content(wanted)
        if content is None or wanted is None:
            return None
        value = _without_newline(content)
        if not value:
            self._report.error(wanted.place, "the secret is empty but for a newline")
            return None
        return Secret(value)

    def signing_secret(self, wanted: Reference | None, *, provider: str | None) -> Secret | None:
        """A hook's secret that can verify what its provider signs."""
        secret = self.hook_secret(wanted)
        served = SERVED.get(provider or "")
        if secret is None or wanted is None or served is None:
            return secret
        trouble = served.secret_trouble(secret.value)
        if trouble is not None:
            self._report.error(wanted.place, trouble)
            return None
        return secret

    def path_token(self, wanted: Reference | None) -> Secret | None:
        secret = self.hook_secret(wanted)
        if secret is None or wanted is None:
            return None
        if _PATH_TOKEN.match(secret.value) is None:
            self._report.error(
                wanted.place, "the token holds characters that cannot stand in the path of a URL"
            )
            return None
        return secret

    def receiver_token(self, wanted: Reference | None) -> Secret | None:
        """Byte for byte, as Flux uses it."""
        content = self._content(wanted)
        if content is None or wanted is None:
            return None
        if content.endswith((b"\n", b"\r")):
            self._report.warn(
                wanted.place,
                "the token ends with a newline, and Flux counts it: the Receiver's secret must "
                "end with the same one",
            )
        return Secret(content)

    def git_token(self, wanted: Reference | None) -> Secret | None:
        """Without one final newline; what git hands on is a line."""
        secret = self.hook_secret(wanted)
        if secret is None or wanted is None:
            return None
        if _LINE_BREAK.search(secret.value) is not None:
            self._report.error(wanted.place, "the token holds a line break or a NUL character")
            return None
        return secret

    def ssh_key(self, wanted: Reference | None) -> Secret | None:
        """Byte for byte."""
        content = self._content(wanted)
        if content is None or wanted is None:
            return None
        trouble = _key_trouble(content)
        if trouble is not None:
            self._report.warn(wanted.place, trouble)
        return Secret(content)

    def known_hosts(self, wanted: Reference | None) -> Secret | None:
        """Byte for byte."""
        content = self._content(wanted)
        return None if content is None else Secret(content)

    def certificates(self, wanted: Reference | None) -> Secret | None:
        """Byte for byte, once they have been found usable."""
        content = self._content(wanted)
        if content is None or wanted is None:
            return None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode())
        except (ssl.SSLError, ValueError):
            self._report.error(wanted.place, "the file holds no usable PEM certificate")
            return None
        return Secret(content)

    def path(self, name: str) -> str:
        return str(self._reader.path(name))

    def digest(self, name: str) -> str | None:
        return self._reader.digest(name)

    def _content(self, wanted: Reference | None) -> bytes | None:
        if wanted is None:
            return None
        try:
            return self._reader.read(wanted)
        except SecretUnusable as unusable:
            is_optional = unusable.is_missing and self._policy == "optional"
            if is_optional or self._policy == "forgiven":
                self._report.warn(wanted.place, str(unusable))
            else:
                self._report.error(wanted.place, str(unusable))
        return None


def check_secrets(root: Node, uses: Iterator[ReceiverUse], secrets: Secrets) -> None:
    """Read every secret this version uses, also while the file has other errors."""
    for hook in items(root, "hooks"):
        provider = text(child(hook, "provider"))
        for item in items(hook, "secrets"):
            secrets.signing_secret(reference(item), provider=provider)
        secrets.hook_secret(reference(child(hook, "auth", "basic", "password")))
        secrets.hook_secret(reference(child(hook, "auth", "header", "value")))
        secrets.path_token(reference(child(hook, "auth", "path")))
    for cluster in items(root, "clusters"):
        secrets.certificates(file_reference(child(cluster, "tls", "ca")))
    for entry in items(root, "repositories"):
        read_git_secrets(child(entry, "git"), secrets)
    for use in uses:
        if use.type != OIDC:
            secrets.receiver_token(use.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSecrets:
    """What one entry's `git` refers to, as far as it can be used."""

    token: Secret | None
    ssh_key: Secret | None
    known_hosts: Secret | None
    ca: Secret | None


def read_git_secrets(git: Node | None, secrets: Secrets) -> GitSecrets:
    """Read what the mapping *git* refers to."""
    return GitSecrets(
        token=secrets.git_token(reference(child(git, "token"))),
        ssh_key=secrets.ssh_key(file_reference(child(git, "sshKey"))),
        known_hosts=secrets.known_hosts(file_reference(child(git, "knownHosts"))),
        ca=secrets.certificates(file_reference(child(git, "ca"))),
    )


def _key_trouble(content: bytes) -> str | None:
    """Why ssh will hardly be able to use a private key; None where nothing is odd."""
    found = _PRIVATE_KEY.search(content)
    if found is None:
        return "the file does not look like a private key"
    kind, start = found.groups()
    is_open = start.startswith(_OPENSSH_OPEN) if kind == b"OPENSSH " else b"ENCRYPTED" not in kind
    if not is_open or start == b"Proc-Type:":
        return "the key has a passphrase, and nobody is there to type it"
    if not content.endswith(b"\n"):
        return "the key does not end with a newline; ssh may not be able to read it"
    return None


def _without_newline(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r") if content[-1:] == b"\n" else content
