"""Resolves every secret a routing file needs, and reports those that cannot be used."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.config.receivers import OIDC, ReceiverUse, Reference, file_reference, reference
from router.config.secret_files import SecretReader, SecretUnusable
from router.config.tree import Node, child, items
from router.core.model import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.report import Report

SecretPolicy: TypeAlias = Literal["required", "optional", "forgiven"]
"""What is only a warning: nothing; a missing secret, as in a CI job that has none; or any secret
that cannot be read, where the last good file must go on without it."""

# What stands in the path of a URL without an escape (RFC 3986, pchar).
_PATH_TOKEN = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@-]+\Z")


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

    def check_certificates(self, wanted: Reference | None) -> None:
        content = self._content(wanted)
        if content is None or wanted is None:
            return
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode())
        except (ssl.SSLError, ValueError):
            self._report.error(wanted.place, "the file holds no usable PEM certificate")

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
        for item in items(hook, "secrets"):
            secrets.hook_secret(reference(item))
        secrets.hook_secret(reference(child(hook, "auth", "basic", "password")))
        secrets.hook_secret(reference(child(hook, "auth", "header", "value")))
        secrets.path_token(reference(child(hook, "auth", "path")))
    for cluster in items(root, "clusters"):
        secrets.check_certificates(file_reference(child(cluster, "tls", "ca")))
    for use in uses:
        if use.type != OIDC:
            secrets.receiver_token(use.token)


def _without_newline(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r") if content[-1:] == b"\n" else content
