"""Connections to clusters: one transport each, while its address and CA stay the same."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from router.remote.failures import CannotCall, system_reason
from router.remote.transport import AiohttpTransport, environment_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from router.core.routing import Cluster

_CLIENT_LOGGERS = ("aiohttp.client", "aiohttp.internal")


@dataclass(slots=True, kw_only=True)
class Link:
    """One cluster's connections, and how many calls are on them."""

    cluster: Cluster
    ca_digest: str
    transport: AiohttpTransport = field(repr=False)
    places: asyncio.Semaphore = field(repr=False)
    calls: int = 0
    is_retired: bool = False

    def leads_to(self, cluster: Cluster) -> bool:
        return (self.cluster.url, self.cluster.ca_file) == (cluster.url, cluster.ca_file)

    async def retire(self) -> None:
        """Close the connections now, or when the last call on them has ended."""
        self.is_retired = True
        if not self.calls:
            await self.transport.aclose()


class Links:
    """The connections to every cluster of the routing file in force."""

    def __init__(self, *, concurrency: int, trust_env: bool) -> None:
        _silence_client_loggers()
        self._concurrency = concurrency
        self._trust_env = trust_env
        self._clusters: Mapping[str, Cluster] = {}
        self._links: dict[str, Link] = {}
        self._changing = asyncio.Lock()

    async def use(self, clusters: Mapping[str, Cluster]) -> None:
        """Take over *clusters*; connections to unchanged ones stay open."""
        async with self._changing:
            self._clusters = clusters
            for name in self._links.keys() - clusters.keys():
                await self._links.pop(name).retire()
            for cluster in clusters.values():
                try:
                    await self._renew(cluster)
                except CannotCall:
                    continue  # its calls try again, and say what is wrong

    @asynccontextmanager
    async def borrow(self, name: str) -> AsyncIterator[Link]:
        """A place on a cluster's connections, which stay open at least until this block is left.

        Waits while as many calls run as may. Raises CannotCall when the cluster is unknown, or its
        CA file cannot be used.
        """
        link = self._links.get(name) or await self._open_missing(name)
        link.calls += 1
        try:
            async with link.places:
                yield link
        finally:
            link.calls -= 1
            if link.is_retired and not link.calls:
                await link.transport.aclose()

    async def _open_missing(self, name: str) -> Link:
        async with self._changing:
            if name not in self._clusters:
                raise CannotCall(f"cluster {name} is not in the routing file in force")
            await self._renew(self._clusters[name])
            return self._links[name]

    async def _renew(self, cluster: Cluster) -> None:
        """Open connections to *cluster* unless the present ones lead to the same address and CA.

        A CA file that can no longer be used leaves them as they are. Raises CannotCall.
        """
        present = self._links.get(cluster.name)
        if present and not present.leads_to(cluster):
            await self._links.pop(cluster.name).retire()
            present = None
        authorities = await asyncio.to_thread(_read_authorities, cluster)
        digest = sha256(authorities.encode()).hexdigest()
        if present and present.ca_digest == digest:
            return
        context = await asyncio.to_thread(_tls_context, cluster, authorities)
        self._links[cluster.name] = Link(
            cluster=cluster,
            ca_digest=digest,
            transport=AiohttpTransport(context, proxy=self._proxy_to(cluster)),
            places=asyncio.Semaphore(self._concurrency),
        )
        if present:
            await present.retire()

    def _proxy_to(self, cluster: Cluster) -> str | None:
        return environment_proxy(cluster.url) if self._trust_env else None


def _read_authorities(cluster: Cluster) -> str:
    """The CA file's PEM text; empty where the cluster has none."""
    if cluster.ca_file is None:
        return ""
    try:
        text = Path(cluster.ca_file).read_text(encoding="ascii", errors="ignore")
    except (OSError, ValueError) as error:
        reason = system_reason(error) or "not a file name"
        raise CannotCall(f"the CA file of {cluster.name} cannot be read: {reason}") from None
    if not text.strip():
        raise CannotCall(f"the CA file of {cluster.name} is empty")
    return text


def _tls_context(cluster: Cluster, authorities: str) -> ssl.SSLContext:
    """What *cluster*'s certificate is checked with: its CA file instead of the system's CAs."""
    if not authorities:
        return _system_context() if cluster.url.startswith("https:") else _plain_context()
    try:
        return ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise CannotCall(f"the CA file of {cluster.name} holds no certificate") from None


@cache
def _system_context() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _plain_context() -> ssl.SSLContext:
    """Trusts nobody: for plain HTTP, where loading the system's CAs would be wasted."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _silence_client_loggers() -> None:
    """Keep the HTTP client's own log lines, which hold the secret path of each URL, from existing.

    A filter stays whatever level or handler a logging configuration sets later.
    """
    for name in _CLIENT_LOGGERS:
        logging.getLogger(name).addFilter(_refuse)


def _refuse(record: logging.LogRecord) -> bool:
    return False
