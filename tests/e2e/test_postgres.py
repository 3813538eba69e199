"""The service on PostgreSQL: killed, started again, and beside a second one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import github_push
from tests.e2e.test_kill import push_until_killed, settle
from tests.postgres.server import PASSWORD

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl
    from tests.e2e.conftest import World
    from tests.postgres.server import Server

pytestmark = pytest.mark.e2e


@pytest.fixture
def database_url(new_schema: DatabaseUrl) -> str:
    return new_schema.text


@pytest.mark.parametrize("step", ["after_save", "after_claim", "before_record"])
async def test_a_push_survives_a_kill_at(step: str, world: World) -> None:
    await settle(world)
    await world.start(crash_at=step)
    delivery = await push_until_killed(world)
    await world.start()
    again = (await world.push(github_push())).json()  # the host's redelivery
    assert again["duplicate"] is True
    assert delivery in {None, again["delivery"]}
    await world.wait_until_idle()
    assert world.served(again["delivery"]) == {"app1"}
    assert await world.end() == 0


async def test_the_database_is_told_without_its_password(
    world: World, new_schema: DatabaseUrl
) -> None:
    await world.start()
    ready = (await world.admin.get("/readyz")).json()
    assert await world.end() == 0
    assert ready["database"] == str(new_schema)
    assert f'"database":"{new_schema}"' in world.log().replace('": "', '":"')
    assert PASSWORD not in world.log() + str(ready)
    assert PASSWORD.replace(" ", "%20") not in world.log() + str(ready)


async def test_a_wrong_password_ends_the_start_with_a_sentence(
    world: World, postgres: Server
) -> None:
    url = postgres.url(password="hunter2")
    process = await world.spawn(ROUTER_DATABASE_URL=url.text)
    assert await process.wait() == 1
    last = world.log().splitlines()[-1]
    assert last.startswith(f"flux-router: cannot use the database {url}: password authentication")
    assert "hunter2" not in world.log()
