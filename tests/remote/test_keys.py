"""Reading an issuer's keys from a real HTTPS server."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from router.core.errors import KeysUnavailable
from router.core.oidc import verify_token
from router.core.routing import OidcAuth
from router.remote.keys import MAX_DOCUMENT_BYTES, HttpKeySource
from tests.core.test_oidc import ISSUER, KEYS, NOW, key_set, make
from tests.fakes.keys import FakeKeySource
from tests.remote.wire import CA_FILE, OTHER_CA_FILE, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.ports.keys import KeySource
    from tests.remote.wire import Connection, RawServer

CONFIGURATION = "/.well-known/openid-configuration"
DEADLINE_SECONDS = 20.0
GZIP = b"\x1f\x8b"


@asynccontextmanager
async def issuer(**documents: Any) -> AsyncIterator[str]:
    """An issuer whose documents are those of a good one, but for the given ones; its URL."""
    paths: list[str] = []

    async def behave(server: RawServer, connection: Connection) -> None:
        head = await connection.reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        paths.append(path)
        assert b"\r\naccept-encoding: identity\r\n" in head.lower()
        good = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
        made = {CONFIGURATION: {**good, **documents.get("configuration", {})}, "/keys": key_set()}
        status, body = (
            documents.get("status", {}).get(path, 200),
            json.dumps(made.get(path)).encode(),
        )
        body = documents.get("raw", {}).get(path, body)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"Location: {server.url}/elsewhere"] if status == 302 else []
        lines += ["Content-Encoding: gzip"] if body.startswith(GZIP) else []
        connection.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await connection.writer.drain()

    async with raw_server(behave, tls=True) as server:
        yield server.url
    assert "/elsewhere" not in paths


def source(ca_file: str = CA_FILE, *, deadline_seconds: float = DEADLINE_SECONDS) -> HttpKeySource:
    context = ssl.create_default_context(cafile=ca_file)
    return HttpKeySource(verify=context, deadline_seconds=deadline_seconds)


async def check_contract(known: KeySource, away: KeySource, issuer: str) -> None:
    """What every KeySource does: *known* has the issuer's keys, *away* cannot get at them."""
    auth = OidcAuth(issuer=ISSUER, audience="us")
    keys = await known.read(issuer)
    assert sorted(keys) == ["e", "r"]
    verify_token(make(), auth, keys=keys, now_seconds=NOW)
    with pytest.raises(KeysUnavailable, match=r"\w") as caught:
        await away.read(issuer)
    assert issuer not in str(caught.value)


async def test_the_source_over_https_keeps_the_contract() -> None:
    async with issuer() as url:
        await check_contract(source(), source(OTHER_CA_FILE), url)


async def test_the_fake_keeps_the_contract() -> None:
    await check_contract(FakeKeySource(KEYS), FakeKeySource(), ISSUER)


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        ({"configuration": {"issuer": "https://evil.example"}}, "another issuer's"),
        ({"configuration": {"jwks_uri": "http://127.0.0.1/keys"}}, "not https"),
        ({"configuration": {"jwks_uri": "file:///etc/passwd"}}, "not https"),
        ({"configuration": {"jwks_uri": 5}}, "configuration cannot be read"),
        ({"raw": {CONFIGURATION: b"[]"}}, "configuration cannot be read"),
        ({"raw": {CONFIGURATION: b"<html>"}}, "configuration cannot be read"),
        ({"raw": {"/keys": b"{}"}}, "keys cannot be read"),
        ({"raw": {"/keys": b'{"keys": []}'}}, "no key for RS256"),
        ({"raw": {"/keys": b" " * (MAX_DOCUMENT_BYTES + 1)}}, "too large"),
        # What is packed although we did not ask for it is not unpacked.
        ({"raw": {"/keys": gzip.compress(json.dumps(key_set()).encode())}}, "keys cannot be read"),
        ({"status": {CONFIGURATION: 302}}, "answered 302"),
        ({"status": {"/keys": 503}}, "answered 503"),
    ],
)
async def test_what_is_no_answer_of_an_issuer_says_why(documents: dict[str, Any], why: str) -> None:
    async with issuer(**documents) as url:
        with pytest.raises(KeysUnavailable, match=why):
            await source().read(url)


async def test_an_issuer_has_to_be_https_and_trusted() -> None:
    async with issuer() as url:
        with pytest.raises(KeysUnavailable, match="cannot be reached"):
            await source(OTHER_CA_FILE).read(url)
        with pytest.raises(KeysUnavailable, match="not https"):
            await source().read(url.replace("https://", "http://"))
    with pytest.raises(KeysUnavailable, match="cannot be reached"):
        await source().read(url)


async def test_an_issuer_that_never_answers_is_waited_for_until_the_deadline() -> None:
    async def hang(server: RawServer, _connection: Connection) -> None:
        await server.released.wait()

    async with raw_server(hang, tls=True) as server, asyncio.timeout(10):
        with pytest.raises(KeysUnavailable, match=r"no answer within 0\.1 s"):
            await source(deadline_seconds=0.1).read(server.url)
