from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from router.core.routing import GitAccess
from tests.fakes.git import FakeGit, FakeHost
from tests.remote.git.contract import GitContract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.push import Commit

URL = "https://git.example/acme/fleet"


@dataclass
class FakeRepository:
    """A FakeHost with the methods of a real repository."""

    host: FakeHost

    def commit(self, files: Mapping[str, str], *, parents: Sequence[Commit] = ()) -> Commit:
        return self.host.commit(files)

    def move(self, ref: str, files: Mapping[str, str]) -> Commit:
        return self.host.move(ref, files)

    def point(self, ref: str, commit: Commit) -> None:
        self.host.refs[ref] = commit

    def tag(self, name: str, target: str) -> str:
        return self.host.tag(f"refs/tags/{name}", target)

    def remove(self, ref: str) -> None:
        del self.host.refs[ref]

    def collect_garbage(self) -> None:
        kept = {self.host.tip(ref) for ref in self.host.refs}
        for commit in set(self.host.trees) - kept:
            self.host.forget(commit)


class TestFakeGit(GitContract):
    @pytest.fixture
    def access(self) -> GitAccess:
        return GitAccess(url=URL)

    @pytest.fixture
    def git(self) -> FakeGit:
        return FakeGit()

    @pytest.fixture
    def host(self, git: FakeGit) -> FakeRepository:
        return FakeRepository(git.hosts[URL])
