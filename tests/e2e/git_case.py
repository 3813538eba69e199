"""A service that has planned where a repository's refs stand, for one case to happen to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.core.routing import GitAccess
from tests.builders import MAIN, make_layer, make_repository
from tests.e2e.git_history import History
from tests.e2e.git_world import LONG_SECONDS, git_world
from tests.remote.git.repository import make_repository as make_host_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack
    from pathlib import Path

    from router.core.routing import Repository
    from tests.e2e.git_history import Move
    from tests.e2e.git_world import GitWorld

LAYERS = {"a": ["a/"], "b": ["b/"], "c": ["c/"]}
START = {f"{layer}/x": "0" for layer in (*LAYERS, "s")} | {"README.md": "0"}


class Case:
    """A service that has planned where the host's refs stand, and the host."""

    def __init__(self, world: GitWorld) -> None:
        self.world = world
        self.history = world.history

    def change(self, *paths: str, ref: str = MAIN) -> Move:
        """Push a commit that changes *paths*; its webhook is still to come."""
        tip = self.history.refs[ref]
        files = self.history.trees[tip]
        edits = {path: f"{files.get(path, '')}+" for path in paths}
        return self.history.push(ref, self.history.commit(files | edits, tip))

    async def sweep(self) -> set[str]:
        """The layers wanted by what the next sweep finds."""
        self.world.clock.advance(LONG_SECONDS)
        await self.world.sweep()
        return await self.world.wanted()

    async def push(self, move: Move, **fields: Any) -> set[str]:
        """The layers wanted by a look that the push's webhook leads to."""
        await self.world.push(move, **fields)
        return await self.world.wanted()


class Cases:
    """Starts services, each with a repository of its own."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def history(self, *refs: str, object_format: str = "sha1") -> History:
        path = self._folder / "fleet.git"
        history = History(make_host_repository(path, object_format=object_format))
        if object_format == "sha256":
            history.zero = "0" * 64
        first = history.commit(START)
        for ref in refs or (MAIN,):
            history.push(ref, first)
        return history

    def entry(self, layers: Mapping[str, list[str]] | None = None, **fields: Any) -> Repository:
        name = fields.get("name", "fleet")
        made = [
            make_layer(layer, paths, repository=name) for layer, paths in (layers or LAYERS).items()
        ]
        access = GitAccess(url=f"file://{self._folder / 'fleet.git'}")
        return make_repository(made, **{"git": access, **fields})

    async def start(self, history: History | None = None, *entries: Repository) -> Case:
        world = await self._stack.enter_async_context(
            git_world(self._folder, history or self.history(), *(entries or (self.entry(),)))
        )
        await world.sweep()
        await world.wanted()
        return Case(world)
