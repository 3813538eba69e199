"""Scripts of what may befall a repository, its webhooks, its host and the service, and their play.

A script is drawn whole before it is played; what a step needs and does not find (an earlier commit,
a branch that is gone) is picked from what there is.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import strategies as st

from tests.builders import make_layer, make_repository
from tests.e2e.git_laws import Laws
from tests.e2e.git_pushes import FOLDERS, NAMES, PUSH_KINDS, STAGE, TAGS, Push, Pusher
from tests.e2e.git_world import Killed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from router.core.routing import GitAccess, Repository
    from tests.e2e.git_history import Move
    from tests.e2e.git_world import GitWorld
    from tests.remote.git.host import GitHost, Mishap

FILES_IN_FORCE: tuple[dict[str, list[str]], ...] = (
    {"a": ["a/"], "b": ["b/"], "c": ["/c"], "d": ["d/", "!d/**/*.md"]},
    {"a": ["a/", "z/"], "b": ["b/"], "c": ["/c"], "d": ["d/", "!d/**/*.md"]},
    {"a": ["a/"], "b": ["b/", "c/**"], "d": ["d/", "!d/**/*.md"]},
)
"""The layers of main in each routing file that comes into force, first or later."""

MORTAL_METHODS = (
    "save_delivery", "save_observation", "claim_due", "record_attempt", "list_tips", "fetch_tips",
    "fetch_commit", "changed_paths", "keep", "activate",
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something else that happens."""

    kind: str
    pick: int


EVENT_KINDS = (
    "look", "call", "sweep", "down", "up", "up", "reload", "kill", "kill", "settle", "forget",
)  # fmt: skip
Script: TypeAlias = "list[Push | Event]"


def scripts(*, min_size: int = 8, max_size: int = 14) -> st.SearchStrategy[Script]:
    edit = st.tuples(
        st.sampled_from(FOLDERS),
        st.sampled_from(NAMES),
        st.sampled_from(["write", "write", "write", "remove", "chmod", "link", "module"]),
    )
    push = st.builds(
        Push,
        kind=st.sampled_from(PUSH_KINDS),
        is_main=st.sampled_from([True, True, True, False]),
        pick=st.integers(0, 30),
        edits=st.lists(edit, min_size=1, max_size=2).map(tuple),
        arrivals=st.lists(st.sampled_from([0, 0, 0, 1, 3]), max_size=2).map(tuple),
        is_redelivery=st.booleans(),
        then=st.sampled_from(["", "look", *["look and call"] * 3]),
    )
    event = st.builds(Event, kind=st.sampled_from(EVENT_KINDS), pick=st.integers(0, 30))
    return st.lists(st.one_of(push, push, event), min_size=min_size, max_size=max_size)


def entries(access: GitAccess, file: int) -> tuple[Repository, ...]:
    """Three entries that read one repository: main, another branch, and tags."""
    stage = make_layer("stage", ["a/", "b/"], repository="stage")
    tags = make_layer("tags", ["**"], repository="tags")
    return (
        make_repository(FILES_IN_FORCE[file], git=access),
        make_repository([stage], name="stage", ref=STAGE, git=access),
        make_repository([tags], name="tags", ref=f"{TAGS}*", git=access),
    )


class Play:
    """Plays one script, and checks the laws after every step."""

    def __init__(self, world: GitWorld, host: GitHost, access: GitAccess) -> None:
        self._world = world
        self._host = host
        self._access = access
        self._laws = Laws(world)
        self._pusher = Pusher(world.history)
        self._pick = 0
        self._late: defaultdict[int, list[tuple[Move, str]]] = defaultdict(list)
        self._events: dict[str, Callable[[], Awaitable[None]]] = {
            "look": world.look,
            "call": world.dispatch,
            "sweep": self._sweep,
            "down": self._go_down,
            "up": self._come_up,
            "reload": self._reload,
            "kill": self._arm,
            "settle": self._settle,
            "forget": self._forget,
        }

    async def run(self, script: Sequence[Push | Event]) -> None:
        if script[0].pick % 2:
            await self._settle()
        for turn, step in enumerate(script):
            self._pick = step.pick
            if isinstance(step, Push):
                self._push(turn, step)
            await self._deliver(turn)
            if isinstance(step, Event):
                await self._survive(self._events[step.kind])
            elif step.then:
                is_patient = self._laws.is_down and step.then == "look and call"
                await self._survive(self._world.outwait if is_patient else self._world.look)
                if step.then == "look and call":
                    await self._survive(self._world.dispatch)
        await self._survive(self._settle)
        for turn in sorted(self._late):
            await self._deliver(turn)
        await self._survive(self._settle)

    def _push(self, turn: int, push: Push) -> None:
        move = self._pusher.push(push)
        self._world.flux.retry()
        if move is None:
            return
        for number, delay in enumerate(push.arrivals):
            copy = 0 if push.is_redelivery else number
            self._late[turn + delay].append((move, f"{turn}-{copy}"))

    async def _deliver(self, turn: int) -> None:
        for move, delivery in self._late.pop(turn, []):
            await self._survive(partial(self._tell, move, delivery))

    async def _survive(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do one thing; if the process dies of it, start it again."""
        try:
            await act()
        except Killed:
            self._spoil_clones()
            await self._world.restart()
        await self._laws.check()

    async def _tell(self, move: Move, delivery: str) -> None:
        await self._world.tell(move, delivery=delivery)

    async def _sweep(self) -> None:
        self._world.clock.advance(self._access.sweep_interval_seconds * 1.2)
        await self._world.sweep()

    async def _go_down(self) -> None:
        mishaps: tuple[Mishap, ...] = (503, 404, "login page", "redirect")
        self._host.mishap = mishaps[self._pick % len(mishaps)]
        self._laws.is_down = True

    async def _come_up(self) -> None:
        self._host.mishap = None
        self._laws.is_down = False

    async def _reload(self) -> None:
        new = entries(self._access, self._pick % len(FILES_IN_FORCE))
        self._laws.expect_adoption(new)
        await self._world.reload(*new)

    async def _arm(self) -> None:
        """The process dies when it comes to some method the next time, or right now."""
        self._world.fuse.method = MORTAL_METHODS[self._pick % len(MORTAL_METHODS)]
        self._world.fuse.is_after = self._pick % 2 == 0
        if self._pick % 3 == 0:
            raise Killed

    def _spoil_clones(self) -> None:
        """Sometimes the folder of clones does not survive, or not whole."""
        if self._pick % 4 == 1:
            shutil.rmtree(self._world.clones, ignore_errors=True)
        elif self._pick % 4 == 2:
            for pack in self._world.clones.glob("*/objects/pack/*.pack"):
                pack.unlink()

    async def _settle(self) -> None:
        await self._come_up()
        self._world.fuse.method = ""
        await self._world.settle()
        await self._laws.check()
        await self._laws.check_quiet()

    async def _forget(self) -> None:
        self._world.history.forget_unreachable()
        self._laws.has_forgotten = True
