"""What a rendered Deployment starts, run on this machine: it answers as its probes ask."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import httpx
import pytest

from router.demo.ports import reserve_ports
from tests.builders import github_push, github_request
from tests.deploy.image import read_image
from tests.deploy.pod import NOWHERE, PATIENCE_SECONDS, Pod, wait_for
from tests.deploy.rendered import ROOT, render
from tests.postgres.fixtures import new_schema, postgres

if TYPE_CHECKING:
    from pathlib import Path

    from router.core.database import DatabaseUrl

__all__ = ["new_schema", "postgres"]

pytestmark = pytest.mark.e2e

MakePod: TypeAlias = Callable[..., Pod]

Lose: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]
"""Takes away what a Pod needs to be ready, for as long as it is entered."""

SECRETS = {
    "flux-router-hooks": {"github": "hook-secret"},
    "flux-router-git": {"token": "git-token"},
    "flux-router-receivers": {"controllers": "one", "apps": "two"},
    "flux-router-admin": {"token": "admin-token"},
}
"""As docs/install.md has them made."""


@pytest.fixture
def make_pod(tmp_path: Path) -> Iterator[MakePod]:
    image = read_image()
    with reserve_ports(len(image.ports)) as reserved:
        ports = dict(zip(sorted(image.ports), reserved, strict=True))
        yield partial(Pod, folder=tmp_path, image=image, ports=ports)


async def test_the_base_answers_as_its_probes_ask(make_pod: MakePod) -> None:
    await answers(make_pod(manifests=render(ROOT / "deploy/base"), secrets=SECRETS))


async def test_replicas_answer_as_their_probes_ask(
    make_pod: MakePod, new_schema: DatabaseUrl
) -> None:
    secrets = SECRETS | {"flux-router-database": {"url": new_schema.text}}
    pod = make_pod(manifests=render(ROOT / "deploy/overlays/ha"), secrets=secrets)
    await answers(pod, lose=partial(without_tables, new_schema))
    assert not list(pod.folder.rglob("*.db")), "the state is in the other database"


@asynccontextmanager
async def without_tables(url: DatabaseUrl) -> AsyncIterator[None]:
    """The schema is under another name meanwhile."""
    name = url.text.partition("search_path=")[2]
    connection = await asyncpg.connect(url.text)
    await connection.execute(f"ALTER SCHEMA {name} RENAME TO {name}_lost")
    yield
    await connection.execute(f"ALTER SCHEMA {name}_lost RENAME TO {name}")
    await connection.close()


async def is_left_alone_while_not_ready(pod: Pod, process: Process, lose: Lose) -> None:
    """What is missing comes back, and then it goes on."""
    async with lose():
        await wait_for(pod.address("readinessProbe"), process, status=503)
        for probe in ("startupProbe", "livenessProbe"):
            await wait_for(pod.address(probe), process)
    await wait_for(pod.address("readinessProbe"), process)


async def answers(pod: Pod, *, lose: Lose | None = None) -> None:
    read_only = pod.files(read_only=True)
    process = await pod.start()
    try:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            await wait_for(pod.address(probe), process)
        assert await pod.check_health() == 0
        await takes_a_push(pod)
        if lose is not None:
            await is_left_alone_while_not_ready(pod, process, lose)
        (before_stop, *_) = pod.container["lifecycle"]["preStop"]["exec"]["command"]
        assert shutil.which(before_stop)
        process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert pod.files(read_only=True) == read_only
    written = pod.files(read_only=False) | read_only
    beside = {each for each in pod.folder.rglob("*") if each.is_file()} - written
    assert {each.name for each in beside} == {"log"}


async def takes_a_push(pod: Pod) -> None:
    """Over the port that the Service leads to, with the secret that is mounted."""
    push = github_push(url=f"https://{NOWHERE}/acme/fleet", paths=["apps/x.yaml"])
    headers, body = github_request(push, secret=b"hook-secret")
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{pod.port('public')}/hooks/github"
        answer = await client.post(url, headers=headers, content=body)
        assert (answer.status_code, answer.json()["updates"][0]["status"]) == (202, "accepted")
        api = f"http://127.0.0.1:{pod.port('admin')}/api/v1/layers"
        assert (await client.get(api)).status_code == 401
        token = {"authorization": "Bearer admin-token"}
        assert (await client.get(api, headers=token)).status_code == 200


async def test_a_first_start_without_secrets_ends_with_the_name_of_each_file(
    make_pod: MakePod,
) -> None:
    rest = {"flux-router-admin": SECRETS["flux-router-admin"]}
    pod = make_pod(manifests=render(ROOT / "deploy/base"), secrets=rest)
    process = await pod.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await process.wait() == 1
    log = (pod.folder / "log").read_text()
    for file in ("hooks/github", "git/token", "receivers/controllers", "receivers/apps"):
        assert f"/etc/flux-router/{file} does not exist" in log
