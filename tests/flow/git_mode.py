"""A service in git mode over fakes: a Git host, webhooks, looks and sweeps by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.core.routing import GitAccess
from router.flow.accept import Acceptor
from router.flow.observe import RefObserver
from router.flow.parts import Parts
from router.flow.reload import Reloader
from router.flow.sweep import Sweeper
from tests.builders import (
    MAIN,
    URL,
    ZERO,
    github_push,
    github_request,
    make_repository,
    make_routing,
)
from tests.fakes.clock import FakeClock
from tests.fakes.git import FakeGit, FakeHost
from tests.fakes.observer import RecordingObserver
from tests.fakes.receivers import FakeReceivers
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.model import Delivery, Plan, Saved
    from router.core.routing import Repository, Routing

LAYERS = {"a": ["a/"], "b": ["b/"], "c": ["c/"]}
START = {"a/x": "1", "b/x": "1", "c/x": "1", "README.md": "1"}
ACCESS = GitAccess(url=URL, visible_timeout_seconds=60, sweep_interval_seconds=300)
FALLBACK_SECONDS = 5.0


def git_entry(layers: Mapping[str, Any] = LAYERS, **fields: Any) -> Repository:
    return make_repository(layers, **{"git": ACCESS, **fields})


@dataclass
class GitMode:
    """Everything that plans, joined as the service joins it."""

    parts: Parts
    store: FakeStore
    git: FakeGit
    clock: FakeClock
    observer: RecordingObserver
    source: FakeSource
    reloader: Reloader
    refs: RefObserver
    sweeper: Sweeper
    files: dict[str, str] = field(default_factory=lambda: dict(START))
    _deliveries: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def host(self) -> FakeHost:
        return self.git.hosts[URL]

    def change(self, *paths: str, ref: str = MAIN) -> tuple[str, str]:
        """Push a change of *paths* to the host, without a webhook; the commits before and after."""
        before = self.host.refs.get(ref, ZERO)
        self.files |= {path: f"{self.files.get(path, '')}+" for path in paths}
        return before, self.host.move(ref, self.files)

    async def tell(
        self, before: str, after: str, *paths: str, ref: str = MAIN, **fields: Any
    ) -> Saved:
        """Deliver the webhook of a push."""
        self._deliveries += 1
        body = github_push(before=before, after=after, paths=paths, ref=ref, **fields)
        headers, content = github_request(body, delivery=f"guid-{self._deliveries}")
        hook = self.parts.in_force.current.hooks["github"]
        return await Acceptor(self.parts).accept(hook, headers, content)

    async def push(self, *paths: str, ref: str = MAIN) -> Saved:
        """Push a change of *paths*, deliver its webhook and look once."""
        before, after = self.change(*paths, ref=ref)
        saved = await self.tell(before, after, *paths, ref=ref)
        await self.look()
        return saved

    def trouble(self, reason: str) -> None:
        """The host could not be read just now."""
        entry = self.parts.in_force.current.repositories[0]
        self.refs.note_trouble(entry, reason, is_read=False)

    async def look(self, entry: str = "fleet") -> bool:
        return await self.refs.look(entry)

    async def sweep(self) -> None:
        """Sweep what is due, and look where that hints."""
        heard: list[str] = []
        with self.parts.hints.heard_by(lambda name, _is_kept: heard.append(name)):
            await self.sweeper.sweep_due()
        for entry in dict.fromkeys(heard):
            await self.look(entry)

    async def reload(self, routing: Routing) -> None:
        self.source.text = f"file-{len(self.source.files) + 1}"
        self.source.files[self.source.text] = routing
        await self.reloader.reload(self.parts.in_force)

    async def called(self) -> set[str]:
        """The layers whose receivers were wanted since this was asked last."""
        statuses = await self.store.receivers()
        news = {
            status.receiver.rsplit("/", 1)[1]
            for status in statuses
            if status.wanted > self._seen.get(status.receiver, 0)
        }
        self._seen = {status.receiver: status.wanted for status in statuses}
        return news

    async def newest(self) -> tuple[Delivery, Plan]:
        """The newest plan, with its delivery."""
        stories = await self.store.deliveries(limit=100)
        story = next(story for story in stories if story.plans)
        whole = await self.store.delivery(story.delivery.id)
        assert whole is not None
        return whole.delivery, whole.plans[-1].plan

    async def status(self, saved: Saved) -> tuple[str, str]:
        """What became of a delivery, and the reason told for its first update or plan."""
        story = await self.store.delivery(saved.delivery.id)
        assert story is not None
        record = story.delivery.updates[0]
        reason = record.reason or (story.plans[0].plan.reason if story.plans else "")
        return story.delivery.status, reason


async def start_git_mode(
    *entries: Repository, git: FakeGit | None = None, beside: GitMode | None = None
) -> GitMode:
    """A service whose host has one commit on main; nothing was looked at yet.

    A replica *beside* another one shares its store, clock and hosts, and has clones of its own.
    """
    clock = beside.clock if beside else FakeClock()
    observer, git = RecordingObserver(), git or FakeGit()
    store = beside.store if beside else FakeStore(clock)
    replica = clock.new_id()
    if beside:
        git.hosts = beside.git.hosts
    source = FakeSource(one=make_routing(*(entries or (git_entry(),))))
    reloader = Reloader(
        replica=replica,
        source=source,
        store=store,
        client=FakeReceivers(clock),
        clock=clock,
        observer=observer,
        interval_seconds=60,
    )
    in_force = await reloader.start()
    parts = Parts(
        replica=replica,
        store=store,
        in_force=in_force,
        clock=clock,
        observer=observer,
        wake=lambda: None,
    )
    refs = RefObserver(parts, git, fallback_seconds=FALLBACK_SECONDS, first_pause_seconds=0)
    mode = GitMode(
        parts=parts,
        store=store,
        git=git,
        clock=clock,
        observer=observer,
        source=source,
        reloader=reloader,
        refs=refs,
        sweeper=Sweeper(parts, git, refs),
    )
    if not beside:
        mode.host.move(MAIN, mode.files)
    return mode
