from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fleet import Fleet
from tests.cli.live import Listener, Live, open_listener
from tests.postgres.fixtures import new_schema, postgres
from tests.remote.git.local import make_repo

__all__ = ["new_schema", "postgres"]

FILE = """\
apiVersion: flux-router/v1
hooks: [{name: github, provider: github, secrets: [{env: SECRET}]}]
clusters: [{name: prod, url: "http://flux", receiver: {token: {env: TOKEN}}}]
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    layers:
      - name: infra
        paths: [infra/, "!infra/**/*.md"]
      - name: app1
        paths: [apps/app1/, apps/base/]
      - name: app2
        paths: [apps/app2/, apps/base/]
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A repository with three commits, the last of which changes app1, and its routing file."""
    repo = make_repo(tmp_path / "fleet")
    repo.commit({"infra/a": "1", "apps/base/x": "1", "README.md": "1"})
    repo.commit({"apps/app1/x": "1", "apps/app2/x": "1"})
    repo.commit({"apps/app1/x": "2", "docs/a": "1"})
    config = tmp_path / "router.yaml"
    config.write_text(FILE)
    return Fleet(repo=repo, config=config)


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    with open_listener() as opened:
        yield opened


@pytest.fixture
def live(listener: Listener) -> Live:
    """A service over fakes whose admin API listens on this machine."""
    return listener.serve()
