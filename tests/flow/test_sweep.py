"""Sweeps find what no webhook told of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from router.core.model import Secret
from router.core.plan import tracked_ref
from router.core.routing import GitAccess
from tests.builders import MAIN, URL, make_repository, make_routing
from tests.fakes.git import FakeGit
from tests.flow.conftest import until
from tests.flow.git_mode import ACCESS, GitMode, git_entry, start_git_mode

INTERVAL_SECONDS = ACCESS.sweep_interval_seconds * 1.1 + 1


async def swept(*entries: object) -> GitMode:
    """A service whose first sweep is over."""
    mode = await start_git_mode(*entries)  # type: ignore[arg-type]
    await mode.sweep()
    await mode.called()
    mode.host.asked.clear()
    return mode


async def test_the_first_sweep_adopts_refs_that_were_never_planned() -> None:
    mode = await start_git_mode()
    await mode.sweep()
    assert await mode.called() == {"a", "b", "c"}
    assert (await mode.newest())[0].origin == "adoption"


async def test_a_lost_webhook_is_healed_by_a_sweep() -> None:
    mode = await swept()
    mode.change("a/x")
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert await mode.called() == {"a"}
    delivery, plan = await mode.newest()
    assert (delivery.origin, plan.knowledge) == ("sweep", "exact")
    assert mode.observer.swept[-1] == ("fleet", True)
    assert mode.observer.planned[-1].delivery.id == delivery.id


async def test_a_sweep_of_what_is_planned_asks_the_host_once_and_plans_nothing() -> None:
    mode = await swept()
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert mode.host.asked == ["list_tips"]
    assert await mode.called() == set()
    assert mode.observer.swept[-1] == ("fleet", False)


async def test_nobody_is_asked_before_the_interval_is_over() -> None:
    mode = await swept()
    mode.clock.advance(ACCESS.sweep_interval_seconds * 0.89)
    await mode.sweep()
    assert mode.host.asked == []


async def test_jitter_spreads_sweeps_around_the_interval() -> None:
    for jitter, seconds in ((0.0, 0.9), (0.999, 1.0999)):
        mode = await start_git_mode()
        mode.clock.next_jitter = jitter
        await mode.sweep()
        mode.host.asked.clear()
        mode.clock.advance(ACCESS.sweep_interval_seconds * seconds - 1)
        await mode.sweep()
        assert mode.host.asked == []
        mode.clock.advance(2)
        await mode.sweep()
        assert mode.host.asked == ["list_tips"]


async def test_entries_that_read_a_repository_alike_are_swept_by_one_question() -> None:
    stage = git_entry({"s": ["a/"]}, name="stage", ref="refs/heads/stage")
    mode = await swept(git_entry(), stage)
    mode.host.refs["refs/heads/stage"] = mode.host.refs[MAIN]
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert mode.host.asked.count("list_tips") == 1
    assert await mode.called() == {"s"}


async def test_a_host_that_cannot_be_read_is_asked_again_soon_and_told_of() -> None:
    mode = await swept()
    mode.host.trouble = "wrong credentials"
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert mode.refs.troubles == {"fleet": "wrong credentials"}
    assert mode.observer.read[-1] == ("fleet", "wrong credentials")
    mode.change("a/x")
    mode.host.trouble = None
    mode.clock.advance(10)
    await mode.sweep()
    assert mode.refs.troubles == {}
    assert await mode.called() == {"a"}


async def test_a_host_that_a_push_could_not_read_is_swept_soon() -> None:
    mode = await swept()
    mode.host.trouble = "down"
    await mode.tell(*mode.change("a/x"))
    await mode.look()
    mode.host.trouble = None
    await mode.sweep()
    mode.clock.advance(3)
    await mode.sweep()
    assert mode.refs.troubles == {}


async def test_an_entry_that_comes_with_a_new_file_is_swept_at_once() -> None:
    mode = await swept()
    url = "https://x.test/other"
    other = make_repository({"o": ["a/"]}, name="other", url=url, git=GitAccess(url=url))
    mode.git.hosts[url].move(MAIN, {"a/x": "1"})
    await mode.reload(make_routing(git_entry(), other))
    await mode.sweep()
    assert await mode.called() == {"o"}
    assert mode.host.asked == []  # the entry that was there keeps its turn


async def test_an_entry_that_leaves_is_forgotten_with_its_clone_and_its_trouble() -> None:
    mode = await swept()
    assert URL in mode.git.clones
    mode.trouble("down")
    other = make_repository({"z": ["z/"]}, name="other", url="https://x.test/other")
    await mode.reload(make_routing(other))
    await mode.sweep()
    assert mode.observer.dropped == ["fleet"]
    assert mode.refs.troubles == {}
    assert mode.git.clones == {}


async def test_what_waits_is_looked_at_when_a_new_file_comes_into_force() -> None:
    mode = await swept()
    saved = await mode.tell(*mode.change("a/x"))
    await mode.reload(make_routing(git_entry(git=None)))
    await mode.sweep()
    assert (await mode.status(saved))[0] == "routed"


async def test_a_wildcard_is_swept_for_new_tags_only() -> None:
    mode = await start_git_mode(git_entry(ref="refs/tags/v*"))
    mode.change("a/x", ref="refs/tags/v1")
    await mode.sweep()
    await mode.called()
    mode.change("b/x")  # the branch is none of its refs
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert await mode.called() == set()
    mode.change("c/x", ref="refs/tags/v2")
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert await mode.called() == {"b", "c"}


async def test_a_running_sweeper_sweeps_and_stops() -> None:
    mode = await start_git_mode()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(each.run(stop)) for each in (mode.refs, mode.sweeper)]
    entry = mode.parts.in_force.current.repositories[0]

    async def planned() -> bool:
        return (await mode.store.ref_state(tracked_ref(entry))).was_planned

    await until(planned)
    stop.set()
    await asyncio.gather(*tasks)
    assert mode.observer.failures == []


async def test_a_sweep_that_the_store_fails_is_told_and_made_again() -> None:
    mode = await swept()
    mode.change("a/x")
    mode.clock.advance(INTERVAL_SECONDS)
    mode.store.is_down = True
    await mode.sweeper.sweep_due()
    assert [task for task, _ in mode.observer.failures] == ["sweep"]
    mode.store.is_down = False
    mode.clock.advance(3)
    await mode.sweep()
    assert await mode.called() == {"a"}


async def test_a_new_secret_is_used_by_sweeps_at_once() -> None:
    mode = await swept()
    rotated = replace(ACCESS, token=Secret(b"new"))
    mode.parts.in_force.replace(make_routing(git_entry(git=rotated), generation=1))
    await mode.sweep()
    assert mode.host.asked == ["list_tips"]


async def test_a_store_that_fails_at_a_new_file_stops_no_sweep() -> None:
    mode = await swept()
    mode.parts.in_force.replace(make_routing(git_entry(), generation=1))
    mode.clock.advance(INTERVAL_SECONDS)
    mode.store.is_down = True
    await mode.sweeper.sweep_due()
    assert {task for task, _ in mode.observer.failures} == {"sweep"}
    mode.store.is_down = False
    mode.change("a/x")
    mode.clock.advance(INTERVAL_SECONDS)
    await mode.sweep()
    assert await mode.called() == {"a"}


class HangingGit(FakeGit):
    """Hosts called hung.test never answer."""

    async def list_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, str]:
        if access.host == "hung.test":
            await asyncio.Event().wait()
        return await super().list_tips(access, refs)


async def test_a_host_that_hangs_keeps_no_other_from_being_swept() -> None:
    hung = [
        git_entry({f"h{n}": ["a/"]}, name=f"hung-{n}", url=url, git=GitAccess(url=url))
        for n, url in enumerate(f"https://hung.test/{n}" for n in range(20))
    ]
    mode = await start_git_mode(*hung, git_entry(), git=HangingGit())
    stop = asyncio.Event()
    tasks = [asyncio.create_task(each.run(stop)) for each in (mode.refs, mode.sweeper)]
    await until(lambda: _is_planned(mode))
    stop.set()
    await asyncio.gather(*tasks)


async def _is_planned(mode: GitMode) -> bool:
    entry = mode.parts.in_force.current.entry("fleet")
    assert entry is not None
    return (await mode.store.ref_state(tracked_ref(entry))).was_planned


async def test_a_trouble_of_looks_stands_while_sweeps_are_well() -> None:
    mode = await swept()
    mode.change("a/x")
    mode.trouble("the disk is full")
    mode.clock.advance(INTERVAL_SECONDS)
    with mode.parts.hints.heard_by(lambda _name, _is_kept: None):
        await mode.sweeper.sweep_due()
    assert mode.observer.read[-1] == ("fleet", "the disk is full")
    assert mode.refs.troubles == {"fleet": "the disk is full"}


async def test_a_look_that_ends_after_its_entry_left_tells_nothing_of_it() -> None:
    mode = await swept()
    mode.host.trouble = "down"
    await mode.tell(*mode.change("a/x"))
    routing = mode.parts.in_force.current
    other = make_repository({"z": ["z/"]}, name="other", url="https://x.test/other")
    mode.parts.in_force.replace(make_routing(other, generation=routing.generation))
    entry = routing.entry("fleet")
    assert entry is not None
    assert entry.git is not None
    before = len(mode.observer.read)
    mode.refs._note(entry, entry.git, "down", 0.0)
    assert (mode.refs.troubles, len(mode.observer.read)) == ({}, before)
