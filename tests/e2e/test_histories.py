"""Whatever befalls a repository, its webhooks, its host and the service: git mode misses nothing.

Real parts from the database to `git http-backend` behind TLS. More examples than a test run has
time for: `GIT_HISTORIES=2000 pytest tests/e2e/test_histories.py`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from router.core.model import Secret
from router.core.routing import GitAccess
from tests.builders import MAIN
from tests.e2e.git_history import History
from tests.e2e.git_pushes import STAGE, START, TAGS
from tests.e2e.git_script import Play, Script, entries, scripts
from tests.e2e.git_world import git_world
from tests.remote.git.host import serve_git
from tests.remote.git.repository import make_repository
from tests.thoroughness import examples

pytestmark = pytest.mark.e2e

EXAMPLES = int(os.environ.get("GIT_HISTORIES", examples(15)))


async def play(folder: Path, script: Script) -> None:
    """Play a script on a repository that has a little history on each ref."""
    history = History(make_repository(folder / "host" / "fleet.git"))
    tip = history.commit(START)
    for ref, path in ((f"{TAGS}0", "a/x"), (STAGE, "b/x"), (MAIN, "c/x")):
        history.push(ref, tip)
        tip = history.commit(START | {path: "1"}, tip)
    async with serve_git(folder / "host", users={"git": "token"}) as host:
        url = host.url("fleet.git")
        access = GitAccess(url=url, token=Secret(b"token"), ca=host.ca)
        async with git_world(folder, history, *entries(access, 0)) as world:
            await Play(world, host, access).run(script)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(scripts())
def test_no_layer_is_missed_or_called_in_vain(script: Script) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), script))
