"""The real process in git mode, beside a Git host behind TLS that asks for a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.demo.fleet import FILES, LAYERS
from tests.builders import MAIN, github_push
from tests.e2e.git_history import History, Move
from tests.remote.git.host import TLS, GitHost, serve_git
from tests.remote.git.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from tests.e2e.conftest import World

USERS = {"git": "canary-git-token"}


@dataclass
class GitProcess:
    """A service to start, its Git host, and what was called."""

    world: World
    history: History
    host: GitHost
    pushes: int = 0

    def change(self, *paths: str) -> Move:
        """Push a change of *paths*; its webhook is still to come."""
        tip = self.history.refs[MAIN]
        self.pushes += 1
        edits = dict.fromkeys(paths, f"{self.pushes}")
        return self.history.push(MAIN, self.history.commit(self.history.trees[tip] | edits, tip))

    async def tell(self, move: Move, paths: Sequence[str], **fields: Any) -> httpx.Response:
        """Deliver a push's webhook."""
        body = github_push(before=move.before, after=move.after, paths=paths, **fields)
        return await self.world.push(body, delivery=f"guid-{move.after}")

    async def adopt(self, **settings: Any) -> None:
        """Start the service and wait until it has planned the host's first tip."""
        await self.world.start(**settings)
        await self.world.stand_in.wait_for_calls(len(LAYERS))
        await self.world.wait_until_idle()

    async def start_host(self) -> None:
        """Let the host listen (again) where the routing file says that it is."""
        self.host = await self.world.stack.enter_async_context(
            serve_git(self.host.folder, users=USERS, port=self.host.port)
        )

    async def story(self, delivery: str) -> dict[str, Any]:
        found: dict[str, Any] = (
            await self.world.admin.get(f"/api/v1/deliveries/{delivery}")
        ).json()
        return found

    async def wait_until_routed(self, delivery: str) -> dict[str, Any]:
        async def is_routed() -> bool:
            return bool((await self.story(delivery))["status"] == "routed")

        await self.world.wait_until(is_routed)
        return await self.story(delivery)

    async def troubles(self) -> dict[str, str]:
        """The entries that cannot be read, as readiness tells them."""
        answer = await self.world.admin.get("/readyz")
        assert answer.status_code == 200
        found: dict[str, str] = answer.json()["unreadableRepositories"]
        return found

    async def wait_until_readable(self) -> None:
        async def is_readable() -> bool:
            return not await self.troubles()

        await self.world.wait_until(is_readable)

    async def wait_until_planned(self) -> None:
        """Wait until the host's tip is planned by a comparison."""
        tip = self.history.refs[MAIN]

        async def is_planned() -> bool:
            rows = (await self.world.admin.get("/api/v1/deliveries")).json()["deliveries"]
            plans = [plan for row in rows for plan in row["plans"]]
            return any(plan["commit"] == tip and plan["knowledge"] == "exact" for plan in plans)

        await self.world.wait_until(is_planned)


def write_git_mode(world: World, url: str) -> None:
    """Switch git mode on in the routing file."""
    secrets = world.folder / "secrets"
    (secrets / "git-token").write_text(USERS["git"])
    (secrets / "git-ca.crt").write_bytes((TLS / "ca.crt").read_bytes())
    git = (
        f"    git: {{url: '{url}', token: {{file: secrets/git-token}}, "
        "ca: {file: secrets/git-ca.crt}, sweepInterval: 10s}\n"
    )
    file = world.folder / "router.yaml"
    file.write_text(file.read_text().replace("    ref: main\n", f"    ref: main\n{git}"))
    world.environment["ROUTER_DATA_DIR"] = str(world.folder / "data")


async def make_git_process(world: World, *, port: int = 0) -> GitProcess:
    """A service that is not started yet; without a *port* the host listens."""
    folder = world.folder / "host"
    history = History(make_repository(folder / "fleet.git"))
    history.push(MAIN, history.commit(dict.fromkeys(FILES, "0")))
    made = GitProcess(world, history, GitHost(folder, USERS, port=port))
    if not port:
        await made.start_host()
    write_git_mode(world, made.host.url("fleet.git"))
    return made
