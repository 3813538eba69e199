"""A server that is gone, comes back, refuses, or takes too long."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from router.core.database import DatabaseUrl
from router.core.errors import OperatorError, StoreUnavailable
from router.remote.system import SystemClock
from router.store.postgres.store import PostgresStore
from tests.postgres.server import PASSWORD, shared_server
from tests.store.builders import (
    adopt_nothing,
    make_activation,
    make_delivery,
    make_intent,
    make_want,
    save,
    status,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.fakes.clock import FakeClock
    from tests.postgres.server import Server

PATIENCE_SECONDS = 60
"""How long a test waits for a server; only a failing test waits that long."""

BY_NAME = "FROM pg_stat_activity WHERE application_name = $1"
SECRETS = re.compile(rf"{PASSWORD}|{PASSWORD.replace(' ', '%20')}|hunter")


@asynccontextmanager
async def connected(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(url.text)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened(url: DatabaseUrl) -> AsyncIterator[PostgresStore]:
    """A store whose pauses between attempts to connect pass by themselves."""
    store = await PostgresStore.open(url, clock=SystemClock())
    try:
        await store.activate(make_activation(), adopt=adopt_nothing)
        yield store
    finally:
        await store.close()


def named(url: DatabaseUrl, **parameters: str) -> DatabaseUrl:
    """Sessions of this test alone, so that it can find and end them."""
    name = url.parameters["search_path"]
    pairs = [f"{key}={value}" for key, value in {"application_name": name, **parameters}.items()]
    return DatabaseUrl("&".join([url.text, *pairs]))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """What another process does can only be asked for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.01)


async def recovered(store: PostgresStore) -> None:
    """The store works again without being touched."""

    async def works() -> bool:
        try:
            await store.check()
        except StoreUnavailable:
            return False
        return True

    await until(works)


async def end_sessions(admin: asyncpg.Connection[Any], url: DatabaseUrl, where: str = "") -> None:
    """Those that take their place meanwhile are left alone."""
    name = url.parameters["application_name"]
    pids = [row["pid"] for row in await admin.fetch(f"SELECT pid {BY_NAME} {where}", name)]
    for pid in pids:
        await admin.execute("SELECT pg_terminate_backend($1)", pid)
    await until(lambda: _are_gone(admin, pids))


async def _are_gone(admin: asyncpg.Connection[Any], pids: list[int]) -> bool:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)"
    return not await admin.fetchval(sql, pids)


def check_no_secret(error: BaseException | None) -> None:
    """Nowhere in an error, nor in those behind it."""
    while error is not None:
        assert not SECRETS.search(f"{error!s} {error!r}")
        error = error.__cause__


async def test_no_delivery_is_refused_because_a_session_was_ended_at_rest(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    url = named(new_schema)
    async with opened(url) as store, connected(new_schema) as admin:
        await save(store, clock)
        await end_sessions(admin, url)
        await save(store, clock)
        assert (await status(store)).wanted == 2


async def test_a_session_that_is_ended_in_mid_transaction_saves_nothing(
    new_schema: DatabaseUrl, clock: FakeClock
) -> None:
    url = named(new_schema)
    async with opened(url) as store, connected(new_schema) as admin:
        await save(store, clock)
        async with connected(new_schema) as other, other.transaction():
            await other.execute("SELECT * FROM receivers FOR UPDATE")
            delivery = make_delivery(clock, provider_delivery_id="p1")
            intent = make_intent(make_want(), after="c2")
            saving = asyncio.create_task(store.save_delivery(delivery, [intent], generation=1))
            waiting = "AND wait_event_type = 'Lock'"
            await until(lambda: _is_seen(admin, url, waiting))
            await end_sessions(admin, url, waiting)
            with pytest.raises(StoreUnavailable) as caught:
                await saving
        check_no_secret(caught.value)
        await recovered(store)
        assert await store.delivery(delivery.id) is None
        assert (await status(store)).wanted == 1
        again = await store.save_delivery(delivery, [intent], generation=1)
        assert (again.is_duplicate, again.plans[0].sequence) == (False, 2)


async def _is_seen(admin: asyncpg.Connection[Any], url: DatabaseUrl, where: str) -> bool:
    name = url.parameters["application_name"]
    return bool(await admin.fetchval(f"SELECT count(*) {BY_NAME} {where}", name))


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
async def test_what_takes_too_long_is_given_up(
    new_schema: DatabaseUrl, clock: FakeClock, limit: str
) -> None:
    async with opened(named(new_schema, **{limit: "100ms"})) as store:
        await save(store, clock)
        async with connected(new_schema) as other, other.transaction():
            await other.execute("SELECT * FROM receivers FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="timeout"):
                await save(store, clock)
        await save(store, clock)
        assert (await status(store)).wanted == 2


async def test_a_server_that_stops_and_starts_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, clock: FakeClock
) -> None:
    """A server of its own: the others' must not stop."""
    folder = tmp_path_factory.getbasetemp()
    with shared_server(f"own-{folder.name}-{os.getpid()}", folder) as server:
        async with opened(server.url()) as store:
            first = await save(store, clock)
            await asyncio.to_thread(server.stop)
            for ask in (store.check, store.receivers, lambda: save(store, clock)):
                with pytest.raises(StoreUnavailable) as caught:
                    await ask()
                check_no_secret(caught.value)
            await asyncio.to_thread(server.start)
            await recovered(store)
            assert await store.delivery(first.delivery.id) is not None
            await save(store, clock)
            assert (await status(store)).wanted == 2


async def test_a_password_that_is_changed_makes_a_store_wait_until_it_is_changed_back(
    new_schema: DatabaseUrl, postgres: Server, clock: FakeClock
) -> None:
    schema = new_schema.parameters["search_path"]
    role = f"role_{schema}"
    async with connected(new_schema) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'hunter2'")
        await admin.execute(f"GRANT ALL ON SCHEMA {schema} TO {role}")
        url = named(postgres.url(user=role, password="hunter2", search_path=schema))
        async with opened(url) as store:
            await save(store, clock)
            await admin.execute(f"ALTER ROLE {role} PASSWORD 'hunter3'")
            await end_sessions(admin, url)
            await until(lambda: _is_refused(store))
            await admin.execute(f"ALTER ROLE {role} PASSWORD 'hunter2'")
            await recovered(store)
            await save(store, clock)
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")


async def _is_refused(store: PostgresStore) -> bool:
    try:
        await store.check()
    except StoreUnavailable as error:
        check_no_secret(error)
        return "password authentication failed" in str(error)
    raise AssertionError("a session outlived its end")


@pytest.mark.parametrize("hook", ["odd\0hook", "odd\ud800hook"])
async def test_what_cannot_be_stored_fails_alone(
    new_schema: DatabaseUrl, clock: FakeClock, hook: str
) -> None:
    async with opened(new_schema) as store:
        fit = [make_delivery(clock) for _ in range(3)]
        unfit = replace(make_delivery(clock), hook=hook)
        intents = [make_intent(make_want())]
        outcomes = await asyncio.gather(
            *(
                store.save_delivery(each, intents, generation=1)
                for each in (fit[0], fit[1], unfit, fit[2])
            ),
            return_exceptions=True,
        )
        assert [isinstance(each, StoreUnavailable) for each in outcomes] == [
            False, False, True, False,
        ]  # fmt: skip
        assert isinstance(outcomes[2], BaseException)
        assert "odd" not in "".join(format_exception(outcomes[2]))
        assert (await status(store)).wanted == 3


async def test_a_store_that_is_closed_says_so(new_schema: DatabaseUrl, clock: FakeClock) -> None:
    async with opened(new_schema) as store:
        await store.close()
        for ask in (store.check, store.receivers, lambda: save(store, clock)):
            with pytest.raises(StoreUnavailable, match="the store is closed"):
                await ask()


START = [
    ("wrong password", "password authentication failed"),
    ("unknown database", 'database "nowhere" does not exist'),
    ("nothing listens", "nothing listens there"),
    ("unknown host", "the name of its host is not known"),
    ("no permission", "permission denied for schema"),
    ("no schema", "no schema has been selected to create in"),
    ("newer", "has schema 999, but this version knows only"),
    ("forgetful", "synchronous_commit is off"),
    ("no TLS", "SSL"),
    ("wrong sslmode", "sslmode"),
    ("no such file", "No such file"),
]


@pytest.mark.parametrize(("case", "told"), START)
async def test_a_database_that_cannot_be_used_is_told_at_the_start(
    case: str, told: str, new_schema: DatabaseUrl, postgres: Server
) -> None:
    schema = new_schema.parameters["search_path"]
    async with connected(new_schema) as admin:
        url = await _prepare(case, schema, postgres, admin)
        with pytest.raises(OperatorError) as caught:
            await PostgresStore.open(url, clock=SystemClock())
        if case == "no permission":
            await admin.execute(f"DROP ROLE role_{schema}")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    check_no_secret(caught.value)


async def _prepare(
    case: str, schema: str, postgres: Server, admin: asyncpg.Connection[Any]
) -> DatabaseUrl:
    if case == "no permission":
        await admin.execute(f"CREATE ROLE role_{schema} LOGIN PASSWORD 'hunter2'")
    if case == "newer":
        await admin.execute("CREATE TABLE schema_migrations AS SELECT 999 AS number")
    url = postgres.url(search_path=schema)
    urls = {
        "wrong password": postgres.url(password="hunter2"),
        "unknown database": postgres.url("nowhere"),
        "nothing listens": postgres.url(port=1),
        "unknown host": DatabaseUrl(url.text.replace("127.0.0.1", "nowhere.invalid")),
        "no permission": postgres.url(user=f"role_{schema}", password="hunter2"),
        "no schema": postgres.url(search_path="nowhere"),
        "forgetful": postgres.url(search_path=schema, synchronous_commit="off"),
        "no TLS": postgres.url(sslmode="require"),
        "wrong sslmode": postgres.url(sslmode="maybe"),
        "no such file": postgres.url(sslmode="verify-full", sslrootcert="/nowhere/ca.crt"),
    }
    return urls.get(case, url)
