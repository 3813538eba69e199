"""When an entry is looked at again, and what a look that fails, or a stop, leaves behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from router.core.errors import StaleCursor, StaleGeneration, StoreUnavailable
from router.flow.turns import Turns
from tests.flow.conftest import until
from tests.flow.git_mode import GitMode, start_git_mode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Looks:
    """What each look comes to, in turn; after that, that all is planned."""

    def __init__(self, mode: GitMode, *outcomes: bool | Exception) -> None:
        self.mode = mode
        self.outcomes = list(outcomes)
        self.count = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def look(self, _repository: str) -> bool:
        self.count += 1
        await self.may_end.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def wait_for(self, count: int) -> None:
        async def are_made() -> bool:
            return self.count >= count

        await until(are_made)

    async def is_free(self) -> bool:
        """Whether another replica could look."""
        seconds = await self.mode.store.lease("look fleet", owner="b", seconds=9, generation=1)
        await self.mode.store.release("look fleet", owner="b")
        return not seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        turns = Turns(self.mode.parts, self.look, first_pause_seconds=0)
        task = asyncio.create_task(turns.run(stop))
        self.mode.parts.hints.add("fleet")
        yield
        stop.set()
        await task


async def test_an_entry_is_looked_at_until_all_is_planned_and_then_left_to_others() -> None:
    looks = Looks(await start_git_mode(), True, True)
    async with looks.running():
        await looks.wait_for(3)
        await until(looks.is_free)
    assert looks.count == 3


@pytest.mark.parametrize("error", [StaleCursor("moved"), StaleGeneration("replaced")])
async def test_what_was_out_of_date_is_looked_at_again(error: Exception) -> None:
    looks = Looks(await start_git_mode(), error)
    async with looks.running():
        await looks.wait_for(2)
        await until(looks.is_free)
    parts = looks.mode.parts
    assert parts.in_force.outdated.is_set() == isinstance(error, StaleGeneration)
    assert looks.mode.observer.failures == []


@pytest.mark.parametrize("error", [StoreUnavailable("down"), ZeroDivisionError("a defect")])
async def test_a_look_that_fails_is_told_and_made_again_with_the_next_hint(
    error: Exception,
) -> None:
    looks = Looks(await start_git_mode(), error)
    async with looks.running():
        await looks.wait_for(1)
        looks.mode.parts.hints.add("fleet")
        await looks.wait_for(2)
        await until(looks.is_free)
    assert looks.mode.observer.failures == [("observe", error)]


async def test_hints_that_come_while_a_look_ends_lead_to_one_more() -> None:
    looks = Looks(await start_git_mode())
    release = looks.mode.store.release

    async def hint_meanwhile(name: str, *, owner: str) -> None:
        if looks.count == 1:
            looks.mode.parts.hints.add("fleet")
        await release(name, owner=owner)

    looks.mode.store.release = hint_meanwhile  # type: ignore[method-assign]
    async with looks.running():
        await looks.wait_for(2)
        await until(looks.is_free)
    assert looks.count == 2


async def test_a_stop_gives_up_a_look_and_lets_another_replica_have_it_at_once() -> None:
    looks = Looks(await start_git_mode())
    looks.may_end.clear()
    async with looks.running():
        await looks.wait_for(1)
        assert not await looks.is_free()
    assert await looks.is_free()


async def test_a_store_that_is_down_is_waited_for_by_what_only_this_replica_knows() -> None:
    looks = Looks(await start_git_mode())
    looks.mode.store.is_down = True
    async with looks.running():
        await asyncio.sleep(0)
        looks.mode.store.is_down = False
        await looks.wait_for(1)
