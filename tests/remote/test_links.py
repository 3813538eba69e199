from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from router.core.routing import Cluster
from tests.remote.wire import (
    CA_FILE,
    OK,
    OTHER_CA_FILE,
    Connection,
    RawServer,
    answering,
    call_once,
    client_to,
    hang,
    make_claim,
    make_receiver,
    raw_server,
    routing_to,
    routing_with,
)

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_certificate_of_the_clusters_ca_is_accepted() -> None:
    async with raw_server(answering(OK), tls=True) as server:
        assert (await call_once(server.url, ca_file=CA_FILE)).outcome == "notified"


@pytest.mark.parametrize(
    ("ca_file", "host", "word"),
    [
        (OTHER_CA_FILE, "127.0.0.1", "CA"),
        (None, "127.0.0.1", "CA"),  # the system's CAs do not know it
        (CA_FILE, "localhost", "another host name"),
    ],
)
async def test_any_other_certificate_is_refused_before_anything_is_said(
    ca_file: str | None, host: str, word: str
) -> None:
    async with raw_server(answering(OK), tls=True) as server:
        attempt = await call_once(server.url.replace("127.0.0.1", host), ca_file=ca_file)
        assert server.requests == []
    assert attempt.outcome == "unreachable"
    assert word in attempt.detail


async def test_https_to_a_plain_port_says_so() -> None:
    async def speak_plain(server: RawServer, connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    async with raw_server(speak_plain) as server:
        attempt = await call_once(server.url.replace("http", "https"))
    assert attempt.outcome == "unreachable"
    assert "https" in attempt.detail


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "cannot be read: no such file"),
        ("", "is empty"),  # and must not fall back on the system's CAs
        ("not a certificate", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
    ],
)
async def test_a_ca_file_that_cannot_be_used_is_misconfigured(
    content: str | None, word: str, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.crt"
    if content is not None:
        ca_file.write_text(content)
    async with raw_server(answering(OK), tls=True) as server:
        attempt = await call_once(server.url, ca_file=str(ca_file))
        assert server.connections == []
    assert attempt.outcome == "misconfigured"
    assert word in attempt.detail


async def test_a_ca_file_that_appears_later_is_taken_by_the_next_call(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.crt"
    async with (
        raw_server(answering(OK), tls=True) as server,
        client_to(server.url, ca_file=str(ca_file)) as client,
    ):
        assert (await client.call(make_receiver(), make_claim())).outcome == "misconfigured"
        shutil.copy(CA_FILE, ca_file)
        assert (await client.call(make_receiver(), make_claim())).outcome == "notified"


async def test_a_renewed_ca_is_taken_on_reload_and_a_vanished_one_keeps_the_last(
    tmp_path: Path,
) -> None:
    ca_file = tmp_path / "ca.crt"
    shutil.copy(OTHER_CA_FILE, ca_file)
    async with (
        raw_server(answering(OK), tls=True) as server,
        client_to(server.url, ca_file=str(ca_file)) as client,
    ):
        outcomes = [(await client.call(make_receiver(), make_claim())).outcome]
        shutil.copy(CA_FILE, ca_file)
        await client.use(routing_to(server.url, ca_file=str(ca_file)))
        outcomes.append((await client.call(make_receiver(), make_claim())).outcome)
        ca_file.unlink()
        await client.use(routing_to(server.url, ca_file=str(ca_file)))
        outcomes.append((await client.call(make_receiver(), make_claim())).outcome)
    assert outcomes == ["unreachable", "notified", "notified"]


async def test_a_reload_with_the_same_cluster_keeps_the_connection() -> None:
    async with raw_server(answering(OK)) as server, client_to(server.url) as client:
        await client.call(make_receiver(), make_claim())
        await client.use(routing_to(server.url))
        await client.call(make_receiver(), make_claim())
        assert len(server.connections) == 1


async def test_a_changed_url_leads_to_the_new_address_and_closes_the_old_connection() -> None:
    async with (
        raw_server(answering(OK)) as old,
        raw_server(answering(OK)) as new,
        client_to(old.url) as client,
    ):
        await client.call(make_receiver(), make_claim())
        await client.use(routing_to(new.url))
        await old.client_closed.wait()
        await client.call(make_receiver(), make_claim())
        assert (len(old.requests), len(new.requests)) == (1, 1)


@pytest.mark.parametrize("trust_env", [False, True])
async def test_a_call_in_flight_ends_well_when_its_cluster_leaves_the_routing_file(
    trust_env: bool,
) -> None:
    async with raw_server(hang) as server, client_to(server.url, trust_env=trust_env) as client:
        call = asyncio.create_task(client.call(make_receiver(), make_claim()))
        await server.arrived.wait()
        await client.use(routing_with())
        assert not server.client_closed.is_set()
        server.released.set()
        assert (await call).outcome == "notified"
        await server.client_closed.wait()
        assert (await client.call(make_receiver(), make_claim())).outcome == "misconfigured"


@pytest.mark.parametrize("trust_env", [False, True])
async def test_closing_waits_for_no_call_and_breaks_none(
    trust_env: bool,
) -> None:
    async with raw_server(hang) as server, client_to(server.url, trust_env=trust_env) as client:
        call = asyncio.create_task(client.call(make_receiver(), make_claim()))
        await server.arrived.wait()
        await client.close()
        server.released.set()
        assert (await call).outcome == "notified"
        await server.client_closed.wait()


async def test_every_cluster_has_connections_of_its_own() -> None:
    async with (
        raw_server(answering(OK)) as prod,
        raw_server(answering(OK)) as stage,
        client_to(prod.url) as client,
    ):
        clusters = [Cluster(name="prod", url=prod.url), Cluster(name="stage", url=stage.url)]
        await client.use(routing_with(*clusters))
        for cluster in ("prod", "stage", "stage"):
            await client.call(make_receiver(cluster=cluster), make_claim())
        assert (len(prod.requests), len(stage.requests)) == (1, 2)
        await client.use(routing_with(clusters[0]))
        await stage.client_closed.wait()
        assert not prod.client_closed.is_set()
