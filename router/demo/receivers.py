"""A stand-in for Flux's notification-controller: its Receiver endpoint, with the same answers.

It keeps the contract of https://fluxcd.io/flux/components/notification/receivers/ as of
notification-controller 1.9: paths, checks, statuses, limits. It is written from that contract and
shares no code with the calling side, so that each tests the other. What differs: nothing is
reconciled, and for generic-oidc the bearer has to equal the receiver's token, where Flux checks a
signed JWT with its issuer. An empty query ("/hook/…?") cannot be told from none here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from socket import AF_INET, SOCK_STREAM, socket
from typing import TYPE_CHECKING, Any, TypeAlias

import uvicorn

from router.demo.validation import is_accepted

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
        MutableMapping,
        Sequence,
    )

    from router.core.routing import ReceiverType

    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 3 * 1024 * 1024
"""What notification-controller reads of a call; one byte more is answered 413."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInReceiver:
    """A Receiver and its Secret."""

    namespace: str
    name: str
    type: ReceiverType
    token: bytes = field(repr=False)
    """For generic-oidc: the bearer that is accepted; it is no part of the path."""
    events: tuple[str, ...] = ()
    """Accepted event names, in any case; empty accepts all. Only github, gitlab, bitbucket."""

    @property
    def path(self) -> str:
        """The status.webhookPath that Flux computes."""
        token = b"" if self.type == "generic-oidc" else self.token
        return f"/hook/{sha256(token + f'{self.name}{self.namespace}'.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that found its receiver, with the status it was answered."""

    namespace: str
    name: str
    at: float
    """When it arrived, on time.monotonic's clock."""
    status: int
    body: Any
    """The parsed JSON; None where it is not JSON."""


@dataclass(slots=True)
class _Mood:
    """How the receivers of one name behave just now."""

    is_suspended: bool = False
    failures_left: float = 0
    failure_status: int = 500
    hang_seconds: float | None = None
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()


class FluxStandIn:
    """An ASGI application that answers as notification-controller does; controlled by name."""

    def __init__(self, receivers: Sequence[StandInReceiver]) -> None:
        self.calls: list[Call] = []
        self.missed_count = 0
        """Requests whose path no receiver has."""
        self.hanging: list[str] = []
        """Names of receivers whose answer is held back just now, one for each request."""
        self._moods: defaultdict[str, _Mood] = defaultdict(_Mood)
        self._changed = asyncio.Condition()
        self._receivers: dict[str, StandInReceiver] = {}
        for receiver in receivers:  # of several with one path, Flux serves the first
            self._receivers.setdefault(receiver.path, receiver)

    def fail(self, name: str, *, times: int | None = None, status: int = 500) -> None:
        """Answer *status* to the next *times* valid calls (None: until told otherwise; 0: stop)."""
        mood = self._moods[name]
        mood.failures_left = float("inf") if times is None else times
        mood.failure_status = status

    def hang(self, name: str, *, seconds: float | None = None) -> None:
        """Hold answers back, each for *seconds*, or all until released."""
        mood = self._moods[name]
        mood.hang_seconds = seconds
        mood.may_answer.clear()

    def release(self, name: str) -> None:
        """Answer what hangs, and hold nothing back any more."""
        self._moods[name].may_answer.set()

    def release_all(self) -> None:
        for name in list(self._moods):
            self.release(name)

    def suspend(self, name: str, is_suspended: bool = True) -> None:
        """Answer 503, as for `suspend: true` and for a Receiver that is not Ready."""
        self._moods[name].is_suspended = is_suspended

    async def wait_for_calls(self, count: int) -> list[Call]:
        """Wait until at least *count* calls were answered since the start; returns all."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= count)
        return list(self.calls)

    async def wait_for_hanging(self, name: str) -> None:
        """Wait until a call of *name* has arrived and its answer is held back."""
        async with self._changed:
            await self._changed.wait_for(lambda: name in self.hanging)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("the Flux stand-in speaks HTTP only")
        arrived_at = time.monotonic()
        uri = _request_uri(scope)
        body = await _read_body(receive)
        if body is None:
            return
        if not uri.startswith("/hook/"):
            await _answer(send, 404, b"404 page not found\n")
        elif len(body) > MAX_BODY_BYTES:
            await _answer(send, 413)
        elif (receiver := self._receivers.get(uri)) is None:
            self.missed_count += 1
            await _answer(send, 404)
        else:
            if not await self._hold_back(receiver.name, receive):
                return
            status = self._status(receiver, _headers(scope), body)
            await self._record(receiver, arrived_at, status, body)
            await _answer(send, status)

    def _status(self, receiver: StandInReceiver, headers: Mapping[str, str], body: bytes) -> int:
        mood = self._moods[receiver.name]
        if mood.is_suspended:
            return 503
        if not is_accepted(receiver, headers, body):
            return 400
        if mood.failures_left > 0:
            mood.failures_left -= 1
            return mood.failure_status
        return 200

    async def _hold_back(self, name: str, receive: Receive) -> bool:
        """Wait while *name* is told to hang; returns whether the caller is still there."""
        mood = self._moods[name]
        if mood.may_answer.is_set():
            return True
        self.hanging.append(name)
        await self._tell()
        try:
            return await _outwait(mood, receive)
        finally:
            self.hanging.remove(name)

    async def _record(
        self, receiver: StandInReceiver, arrived_at: float, status: int, body: bytes
    ) -> None:
        call = Call(
            namespace=receiver.namespace,
            name=receiver.name,
            at=arrived_at,
            status=status,
            body=_parse(body),
        )
        self.calls.append(call)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _request_uri(scope: Scope) -> str:
    """The request target as it was sent: percent-encoded, with its query."""
    query: bytes = scope["query_string"]
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    return target.decode("latin-1")


def _headers(scope: Scope) -> dict[str, str]:
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, at most one byte over the limit kept; None when the caller went away."""
    body = b""
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body = (body + message.get("body", b""))[: MAX_BODY_BYTES + 1]
        has_more = message.get("more_body", False)
    return body


async def _outwait(mood: _Mood, receive: Receive) -> bool:
    released = asyncio.ensure_future(mood.may_answer.wait())
    gone = asyncio.ensure_future(receive())  # after the body, the next message is the disconnect
    waits: set[asyncio.Future[Any]] = {released, gone}
    try:
        await asyncio.wait(waits, timeout=mood.hang_seconds, return_when=asyncio.FIRST_COMPLETED)
        return not gone.done()
    finally:
        for wait in waits:
            wait.cancel()


async def _answer(send: Send, status: int, body: bytes = b"") -> None:
    length = str(len(body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", length)],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


class _QuietServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs this process."""
        yield


@asynccontextmanager
async def serve_stand_in(
    stand_in: FluxStandIn, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve *stand_in* on a loopback port (0: a free one) for a block; gives its base URL."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind((host, port))
        listener.listen()
        config = uvicorn.Config(
            stand_in,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        server = _QuietServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            stand_in.release_all()
            server.should_exit = True
            await serving
