"""A model of a Git host, of Flux behind it, and of the webhooks between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.builders import commit, github_push

LAYERS = ("a", "b", "c")
Content = tuple[int, ...]
"""A version number for each layer."""


@dataclass(frozen=True)
class HostCommit:
    number: int
    parent: HostCommit | None
    content: Content

    @property
    def id(self) -> str:
        return commit(self.number)

    def lineage(self) -> list[HostCommit]:
        """This commit and all before it, newest first."""
        found: list[HostCommit] = []
        here: HostCommit | None = self
        while here is not None:
            found.append(here)
            here = here.parent
        return found


@dataclass
class GitHost:
    """One branch of one repository; remembers every commit it ever had."""

    tip: HostCommit = field(default_factory=lambda: HostCommit(1, None, (0,) * len(LAYERS)))
    known: list[HostCommit] = field(default_factory=list)
    versions: int = 0

    def __post_init__(self) -> None:
        self.known.append(self.tip)

    def commit(self, base: HostCommit, changed: frozenset[int]) -> HostCommit:
        """A new commit on *base* that changes some layers."""
        self.versions += 1
        content = tuple(
            self.versions if index in changed else version
            for index, version in enumerate(base.content)
        )
        made = HostCommit(len(self.known) + 1, base, content)
        self.known.append(made)
        return made

    def push(self, to: HostCommit) -> dict[str, object]:
        """Move the branch; returns the webhook's body, with lists as GitHub makes them.

        The lists are the union over the commits that the new tip has and the old one had not.
        """
        before, self.tip = self.tip, to
        old = {made.number for made in before.lineage()}
        new = [made for made in to.lineage() if made.number not in old]
        paths = {
            f"{name}/file"
            for made in new
            for index, name in enumerate(LAYERS)
            if made.parent is None or made.content[index] != made.parent.content[index]
        }
        is_forward = before.number in {made.number for made in to.lineage()}
        body = github_push(
            before=before.id, after=to.id, paths=sorted(paths), forced=not is_forward
        )
        if not new:
            body["commits"] = []
        return body


class Flux:
    """What each layer of the cluster holds: the tip of the moment its receiver was called."""

    def __init__(self, host: GitHost) -> None:
        self._host = host
        self.content = list(host.tip.content)
        self.calls: list[str] = []

    def notify(self, layer: str) -> None:
        index = LAYERS.index(layer)
        self.content[index] = self._host.tip.content[index]
        self.calls.append(layer)
