"""The TLS parameters of a database URL: what each of them trusts, shows and refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.core.errors import OperatorError
from router.remote.system import SystemClock
from router.store.postgres.store import PostgresStore
from tests.postgres.tls import Authority, tls_front

if TYPE_CHECKING:
    from pathlib import Path

    from router.core.database import DatabaseUrl
    from tests.postgres.server import Server


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    folder = tmp_path / "stranger"
    folder.mkdir()
    return Authority(folder)


async def works(url: DatabaseUrl) -> None:
    store = await PostgresStore.open(url, clock=SystemClock())
    await store.check()
    await store.close()


async def refused(url: DatabaseUrl) -> str:
    with pytest.raises(OperatorError) as caught:
        await PostgresStore.open(url, clock=SystemClock())
    return str(caught.value)


async def test_a_server_is_trusted_as_far_as_the_url_says(
    postgres: Server, new_schema: DatabaseUrl, authority: Authority, stranger: Authority
) -> None:
    schema = new_schema.parameters["search_path"]
    here, elsewhere = authority.identify("here"), authority.identify("there", address="192.0.2.1")

    async with tls_front(postgres.port, here) as front, tls_front(postgres.port, elsewhere) as odd:

        def url(mode: str, port: int, trusted: Authority | None = authority) -> DatabaseUrl:
            roots = {"sslrootcert": str(trusted.certificate)} if trusted else {}
            return postgres.url(port=port, search_path=schema, sslmode=mode, **roots)

        await works(url("verify-full", front.port))
        await works(url("verify-ca", odd.port))
        await works(url("require", odd.port, None))
        assert "not trusted" in await refused(url("verify-full", odd.port))
        assert "not trusted" in await refused(url("verify-full", front.port, stranger))
        assert "not trusted" in await refused(url("verify-ca", front.port, stranger))
        assert set(front.clients + odd.clients) == {None}


async def test_a_certificate_is_shown_to_a_server_that_asks_for_one(
    postgres: Server, new_schema: DatabaseUrl, authority: Authority
) -> None:
    identity, ours = authority.identify("here"), authority.identify("router")
    roots = str(authority.certificate)
    parameters = {
        "search_path": new_schema.parameters["search_path"],
        "sslmode": "verify-full",
        "sslrootcert": roots,
    }
    async with tls_front(postgres.port, identity, client_ca=authority.certificate) as front:
        shown = {"sslcert": str(ours.certificate), "sslkey": str(ours.key)}
        await works(postgres.url(port=front.port, **parameters, **shown))
        assert set(front.clients) == {"router"}
        await refused(postgres.url(port=front.port, **parameters))
