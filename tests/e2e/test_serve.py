"""The real process: starts, serves, reloads, stops, and keeps its secrets."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from router.core.flux import receiver_path
from router.core.model import Secret
from router.core.routing import Receiver
from tests.builders import commit, github_push
from tests.e2e.conftest import ALL_LAYERS, World
from tests.e2e.replicas import join

pytestmark = pytest.mark.e2e


async def test_a_push_calls_the_receivers_of_its_layers_and_no_others(world: World) -> None:
    await world.start()
    await world.push(github_push(before=commit(9), after=commit(1)), delivery="1")
    await world.wait_until_idle()
    before = len(world.stand_in.calls)
    answer = await world.push(github_push(paths=["apps/base/x.yaml", "docs/x.md"]), delivery="2")
    assert answer.status_code == 202
    await world.wait_until_idle()
    calls = world.calls_since(before)
    assert sorted(call.name for call in calls) == ["app1", "app2", "app3"]
    assert calls[0].body == {
        "repository": "fleet",
        "ref": "refs/heads/main",
        "commit": commit(2),
        "layers": [calls[0].name],
        "deliveries": [answer.json()["delivery"]],
    }


async def test_a_stop_waits_for_a_running_call_and_exits_0(world: World) -> None:
    await world.start(ROUTER_CALL_DEADLINE="30")
    await world.wait_until_idle()
    world.stand_in.hang("app1")
    await world.push(github_push())
    async with asyncio.timeout(60):
        await world.stand_in.wait_for_hanging("app1")
    ending = asyncio.create_task(world.end())
    await world.wait_until(lambda: _is_refused(world))
    world.stand_in.release("app1")
    assert await ending == 0
    await world.start()
    assert {receiver["state"] for receiver in await world.receivers()} == {"idle"}


async def _is_refused(world: World) -> bool:
    try:
        await world.public.get("/healthz")
    except Exception:
        return True
    return False


async def test_a_stop_releases_a_call_that_hangs_and_the_next_start_makes_it(
    world: World,
) -> None:
    await world.start(ROUTER_CALL_DEADLINE="300", ROUTER_STOP_DEADLINE="0.2")
    await world.wait_until_idle()
    world.stand_in.hang("app1")
    delivery = (await world.push(github_push())).json()["delivery"]
    async with asyncio.timeout(60):
        await world.stand_in.wait_for_hanging("app1")
    assert await world.end() == 0
    world.stand_in.release("app1")
    await world.start()
    await world.wait_until_idle()
    assert world.served(delivery) == ALL_LAYERS


async def test_flux_that_fails_is_called_until_it_answers(world: World) -> None:
    await world.start()
    await world.wait_until_idle()
    world.stand_in.fail("databases", times=2, status=503)
    delivery = (await world.push(github_push())).json()["delivery"]
    await world.wait_until_idle()
    story = (await world.admin.get(f"/api/v1/deliveries/{delivery}")).json()
    statuses = [
        attempt["status"]
        for attempt in story["attempts"]
        if attempt["receiver"].endswith("/databases")
    ]
    assert statuses == [503, 503, 200]


async def test_a_changed_routing_file_comes_into_force(world: World) -> None:
    await world.start()
    await world.wait_until_idle()
    file = world.folder / "router.yaml"
    text = file.read_text()
    file.write_text(text.replace('"apps/app1/"', '"apps/one/"'))

    async def is_new() -> bool:
        return bool((await world.admin.get("/readyz")).json()["generation"] == 2)

    await world.wait_until(is_new)
    await world.wait_until_idle()
    adopted = [call.name for call in world.calls_since(len(ALL_LAYERS))]
    assert adopted == ["app1"]
    file.write_text(text + "\nunknown: 1\n")

    async def is_refused() -> bool:
        return not (await world.admin.get("/readyz")).json()["routingIsCurrent"]

    await world.wait_until(is_refused)
    problems = (await world.admin.get("/readyz")).json()["problems"]
    assert "unknown" in problems[0]
    assert (await world.push(github_push())).status_code == 202  # the last good file serves on
    await world.end()
    await world.start()  # and still does after a restart
    assert (await world.admin.get("/readyz")).json()["routingIsCurrent"] is False


async def test_a_second_process_on_the_same_database_is_refused(world: World) -> None:
    await world.start()
    second = await world.spawn(ROUTER_PUBLIC_BIND="127.0.0.1:0", ROUTER_ADMIN_BIND="127.0.0.1:0")
    async with asyncio.timeout(60):
        assert await second.wait() == 1
    assert "Traceback" not in world.log()
    assert "router.db" in world.log()
    world.processes.remove(second)
    await second.communicate()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ROUTER_CONFIG": "/nowhere/router.yaml"}, "/nowhere/router.yaml"),
        ({"ROUTER_DATABASE_URL": "mysql://x"}, "ROUTER_DATABASE_URL"),
        ({"ROUTER_ADMIN_BIND": "0.0.0.0:0"}, "ROUTER_ADMIN_TOKEN_FILE"),
        ({"ROUTER_CONFG": "x"}, "ROUTER_CONFIG"),
    ],
)
async def test_what_the_operator_must_mend_is_one_message_and_exit_1(
    world: World, settings: dict[str, str], told: str
) -> None:
    await world.spawn(**settings)
    assert await world.wait_for_exit() == 1
    assert told in world.log()
    assert "Traceback" not in world.log()


async def test_secrets_and_receiver_paths_are_in_no_log_answer_metric_or_database(
    world: World,
) -> None:
    await world.start(ROUTER_LOG_LEVEL="debug")
    world.stand_in.fail("app2", times=1, status=400)
    await world.push(github_push())
    await world.public.post("/hooks/github", content=b"{}", headers={"x-hub-signature-256": "x"})
    await world.wait_until_idle()
    seen = [world.log()]
    for path in ("/metrics", "/readyz", "/api/v1/layers", "/api/v1/deliveries"):
        seen.append((await world.admin.get(path)).text)
    for row in json.loads(seen[-1])["deliveries"]:
        seen.append((await world.admin.get(f"/api/v1/deliveries/{row['id']}")).text)
    assert await world.end() == 0
    with sqlite3.connect(world.folder / "router.db") as database:
        seen.append("\n".join(database.iterdump()))
    for secret in secrets_of(world):
        assert not any(secret in text for text in seen)


def secrets_of(world: World) -> list[str]:
    tokens = {
        path.name: path.read_text() for path in (world.folder / "secrets" / "receivers").iterdir()
    }
    paths = [
        receiver_path(
            Receiver(
                cluster="demo",
                namespace="flux-system",
                name=name,
                type="generic-hmac",
                token=Secret(token.encode()),
            )
        ).removeprefix("/hook/")
        for name, token in tokens.items()
    ]
    return [world.secret.decode(), *tokens.values(), *paths]


async def test_the_log_tells_where_the_service_listens_and_when_it_stops(world: World) -> None:
    await world.start()
    assert await world.end() == 0
    lines = [json.loads(line) for line in world.log().splitlines()]
    (started,) = [line for line in lines if line["event"] == "service.started"]
    assert started["public"] == world.environment["ROUTER_PUBLIC_BIND"]
    assert started["admin"] == world.environment["ROUTER_ADMIN_BIND"]
    assert started["database"].endswith("router.db")
    assert lines[-1]["event"] == "service.stopped"


async def test_a_missing_secret_after_a_restart_stops_its_own_receiver_only(world: World) -> None:
    await world.start()
    await world.wait_until_idle()
    await world.end()
    (world.folder / "secrets" / "receivers" / "app2").unlink()
    await world.start()
    assert (await world.admin.get("/readyz")).json()["routingIsCurrent"] is False
    delivery = (await world.push(github_push())).json()["delivery"]

    async def others_are_served() -> bool:
        return world.served(delivery) == ALL_LAYERS - {"app2"}

    await world.wait_until(others_are_served)
    story = (await world.admin.get(f"/api/v1/deliveries/{delivery}")).json()
    outcomes = {attempt["receiver"]: attempt["outcome"] for attempt in story["attempts"]}
    assert outcomes["demo/flux-system/app2"] == "misconfigured"


async def test_a_second_process_on_one_sqlite_file_is_refused_with_a_sentence(
    world: World,
) -> None:
    await world.start()
    second = await join(world, "second")
    await second.spawn()
    assert await second.wait_for_exit() == 1
    assert "another flux-router uses this database" in world.log()
    assert "Traceback" not in world.log()
    assert (await world.admin.get("/readyz")).status_code == 200
