"""The only caller of Flux: one HTTP call of a Receiver, and whatever became of it as an outcome."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx

from router import __version__
from router.core import flux
from router.core.model import Attempt
from router.remote.failures import CannotCall, explain, system_reason
from router.remote.links import Links

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from router.core.model import Claim, Outcome
    from router.core.routing import Receiver, Routing
    from router.ports.clock import Clock

MAX_ANSWER_BYTES = 64 * 1024
"""How much of an answer is read before its connection is dropped; Flux sends empty bodies."""

MAX_CALL_URLS = 10_000
"""Receivers whose URL is kept, about 1 KiB each: working it out takes as long as signing a call."""

_HEADERS = [
    (b"User-Agent", f"flux-router/{__version__}".encode()),
    (b"Accept-Encoding", b"identity"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    outcome: Outcome
    status: int | None = None
    detail: str = ""
    retry_after_seconds: float | None = None


class HttpReceiverClient:
    """Implements router.ports.receivers.ReceiverClient over HTTP/1.1.

    *deadline_seconds* bounds a call from its first to its last byte; *concurrency* is how many
    calls may run at once on one cluster. *trust_env* lets the usual proxy variables apply.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        deadline_seconds: float,
        concurrency: int,
        trust_env: bool = False,
    ) -> None:
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._links = Links(concurrency=concurrency, trust_env=trust_env)
        self._is_closed = False

    async def call(self, receiver: Receiver, claim: Claim) -> Attempt:
        """Call *receiver* once, within the deadline; raises nothing but CancelledError."""
        started_at, started = self._clock.now(), self._clock.monotonic()
        answer = await self._call_within_deadline(receiver, claim)
        return Attempt(
            receiver=receiver.key,
            wanted=claim.wanted,
            started_at=started_at,
            duration_seconds=self._clock.monotonic() - started,
            outcome=answer.outcome,
            status=answer.status,
            detail=answer.detail,
            retry_after_seconds=answer.retry_after_seconds,
        )

    async def use(self, routing: Routing) -> None:
        """Take over the clusters of *routing*; connections to unchanged ones stay open."""
        _call_url.cache_clear()
        await self._links.use(routing.clusters)

    async def close(self) -> None:
        """Let go of all connections, each when the calls on it have ended."""
        self._is_closed = True
        await self._links.use({})

    async def _call_within_deadline(self, receiver: Receiver, claim: Claim) -> _Answer:
        if self._is_closed:
            return _Answer(outcome="cancelled", detail="the service stops")
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._exchange(receiver, claim)
        except TimeoutError:
            detail = f"no answer within {self._deadline_seconds:g} s"
            return _Answer(outcome="timed_out", detail=detail)

    async def _exchange(self, receiver: Receiver, claim: Claim) -> _Answer:
        try:
            async with self._links.borrow(receiver.cluster) as link:
                body = flux.call_body(claim)
                headers = flux.call_headers(receiver, body, bearer=await _read_bearer(receiver))
                url = _call_url(link.cluster.url, receiver)
                response = await _send(link.transport, url, headers=headers, body=body)
                return await self._read_answer(response)
        except (CannotCall, flux.UnusableToken) as error:
            return _Answer(outcome="misconfigured", detail=str(error))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return _Answer(outcome="misconfigured", detail="the cluster's url cannot be called")
        except Exception as error:  # the port's promise: whatever happens is an outcome
            return _Answer(outcome="unreachable", detail=explain(error))

    async def _read_answer(self, response: httpx.Response) -> _Answer:
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            await _drain(stream)
        finally:
            await stream.aclose()
        if response.status_code == 200:
            return _Answer(outcome="notified", status=200)
        sent_at = flux.parse_http_date(response.headers.get("date", ""))
        return _Answer(
            outcome="rejected",
            status=response.status_code,
            detail=flux.status_hint(response.status_code),
            retry_after_seconds=flux.parse_retry_after(
                response.headers.get("retry-after"), now=sent_at or self._clock.now()
            ),
        )


@lru_cache(maxsize=MAX_CALL_URLS)
def _call_url(cluster_url: str, receiver: Receiver) -> httpx.URL:
    """Where *receiver* is called: a secret. Raises UnusableToken, httpx.InvalidURL."""
    return httpx.URL(cluster_url.rstrip("/") + flux.receiver_path(receiver))


async def _send(
    transport: httpx.AsyncBaseTransport, url: httpx.URL, *, headers: Mapping[str, str], body: bytes
) -> httpx.Response:
    """Send one request. An httpx client around the transport would double what a call costs, for
    cookies, redirects and authentication that no call has."""
    raw_headers = [(name.encode(), _header_bytes(value)) for name, value in headers.items()]
    request = httpx.Request(
        "POST", url, headers=_HEADERS + raw_headers, stream=httpx.ByteStream(body)
    )
    return await transport.handle_async_request(request)


def _header_bytes(value: str) -> bytes:
    """The bytes of a header of core.flux. Raises CannotCall for those that aiohttp would alter."""
    raw = value.encode("latin-1")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CannotCall("a token that is sent in a header has to be text in UTF-8") from None
    return raw


async def _drain(stream: httpx.AsyncByteStream) -> None:
    """Read the body so that the connection can be used again, but not more than the limit."""
    read_bytes = 0
    # httpx declares an iterator; it is a generator, which wants to be closed when left early.
    generator = cast("AsyncGenerator[bytes, None]", aiter(stream))
    async with aclosing(generator) as chunks:
        async for chunk in chunks:
            read_bytes += len(chunk)
            if read_bytes > MAX_ANSWER_BYTES:
                return


async def _read_bearer(receiver: Receiver) -> bytes | None:
    """The bearer file's content, read anew: Kubernetes renews projected tokens in place."""
    if receiver.type != "generic-oidc":
        return None
    if receiver.bearer_file is None:
        raise CannotCall(f"{receiver.key} has no bearer file")
    try:
        return await asyncio.to_thread(Path(receiver.bearer_file).read_bytes)
    except (OSError, ValueError) as error:
        reason = system_reason(error) or "not a file name"
        raise CannotCall(f"the bearer file of {receiver.key} cannot be read: {reason}") from None
