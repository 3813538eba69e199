"""Git hosts and clones in memory, for tests of the flow; held to the same contract suite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable
from router.core.kustomize.documents import MAX_DOCUMENT_BYTES
from router.core.kustomize.tree import FileEntry, Tree
from router.core.naming import compile_ref

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.core.kustomize.tree import FileKind
    from router.core.push import Commit
    from router.core.routing import GitAccess, Routing


@dataclass
class FakeHost:
    """One repository of a Git host: commits with their whole trees, and refs."""

    refs: dict[str, Commit] = field(default_factory=dict)
    trees: dict[Commit, Mapping[str, str]] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    """The ids of annotated tags, which refs may hold, and the commits they stand for."""
    trouble: str | None = None
    """Why it cannot be read just now."""
    asked: list[str] = field(default_factory=list)
    """The methods that asked the host, in order."""

    def commit(self, files: Mapping[str, str]) -> Commit:
        """A new commit with these files; nothing points to it yet."""
        made = sha1(f"{len(self.trees)} {sorted(files.items())}".encode()).hexdigest()
        self.trees[made] = dict(files)
        return made

    def move(self, ref: str, files: Mapping[str, str]) -> Commit:
        """Commit these files and point *ref* there."""
        self.refs[ref] = self.commit(files)
        return self.refs[ref]

    def tag(self, ref: str, commit: Commit) -> str:
        """Point *ref* to an annotated tag of *commit*, whose id is returned."""
        made = sha1(f"tag {ref} {commit}".encode()).hexdigest()
        self.tags[made] = commit
        self.refs[ref] = made
        return made

    def tip(self, ref: str) -> Commit:
        """The commit that *ref* stands for."""
        return self.tags.get(self.refs[ref], self.refs[ref])

    def forget(self, commit: Commit) -> None:
        """Collect a commit as garbage."""
        del self.trees[commit]


def kind_of(text: str) -> FileKind:
    """What a file of a fake host is; its text starts as in tests.remote.git.repository."""
    if text.startswith("link:"):
        return "link"
    return "submodule" if text.startswith("module:") else "file"


def content_of(text: str) -> bytes:
    return text.removeprefix("link:").removeprefix("exec:").encode("utf-8", "surrogateescape")


def blob_of(text: str) -> str:
    """The id Git gives the content."""
    if text.startswith("module:"):
        return text.removeprefix("module:")
    content = content_of(text)
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


class FakeGit:
    """Implements Git."""

    def __init__(self) -> None:
        self.hosts: defaultdict[str, FakeHost] = defaultdict(FakeHost)
        """By the URL of the access."""
        self.clones: dict[str, dict[Commit, Mapping[str, str]]] = {}
        self.kept: dict[tuple[str, str], Commit] = {}
        """URL and entry → the commit last planned."""
        self.contents: dict[str, bytes] = {}
        """By blob."""
        self.brought: set[str] = set()
        """Blobs whose content the clone has."""
        self.withheld: set[str] = set()
        """Blobs that the host does not give."""
        self.read: list[Commit] = []
        """Commits whose trees were read whole, in order."""

    async def list_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        host = self._ask(access, "list_tips")
        patterns = [compile_ref(ref) for ref in refs]
        return {
            name: host.tip(name)
            for name in host.refs
            if any(pattern.match(name) for pattern in patterns)
        }

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        host = self._ask(access, "fetch_tips")
        found = {ref: host.tip(ref) for ref in refs if ref in host.refs}
        clone = self.clones.setdefault(access.url, {})
        for ref, tip in found.items():
            clone[tip] = clone[host.refs[ref]] = host.trees[tip]
        return found

    async def fetch_commit(self, access: GitAccess, commit: Commit) -> bool:
        clone = self.clones.setdefault(access.url, {})
        if commit not in clone:
            host = self._ask(access, "fetch_commit")
            if commit not in host.trees:
                return False
            clone[commit] = host.trees[commit]
        return True

    async def has_commit(self, access: GitAccess, commit: Commit) -> bool:
        return commit in self.clones.get(access.url, {})

    async def changed_paths(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> tuple[str, ...]:
        clone = self.clones.get(access.url, {})
        try:
            old, new = clone[before], clone[after]
        except KeyError:
            raise GitUnavailable("the clone lacks a commit") from None
        return tuple(sorted(path for path in {*old, *new} if old.get(path) != new.get(path)))

    async def read_tree(self, access: GitAccess, commit: Commit) -> Tree:
        self.read.append(commit)
        return self._tree(access, commit)

    async def changed_entries(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> Mapping[str, FileEntry | None]:
        paths = await self.changed_paths(access, before, after)
        files = self._tree(access, after).files
        return {path: files.get(path) for path in paths}

    async def read_blobs(
        self, access: GitAccess, blobs: Collection[str]
    ) -> Mapping[str, bytes | None]:
        missing = set(blobs) - self.brought - self.withheld
        if missing:
            self._ask(access, "read_blobs")
            self.brought |= missing
        found = {blob: self.contents.get(blob) for blob in set(blobs) - self.withheld}
        return dict.fromkeys(blobs) | {
            blob: content if content is None or len(content) <= MAX_DOCUMENT_BYTES else None
            for blob, content in found.items()
        }

    async def keep(self, access: GitAccess, repository: str, commit: Commit) -> None:
        if not await self.fetch_commit(access, commit):
            raise GitUnavailable("the host has the commit no more")
        self.kept[access.url, repository] = commit

    def clone_bytes(self, access: GitAccess) -> int:
        return len(self.clones.get(access.url, {}))

    async def use(self, routing: Routing) -> None:
        named = {entry.git.url for entry in routing.repositories if entry.git is not None}
        for url in [url for url in self.clones if url not in named]:
            del self.clones[url]

    async def close(self) -> None:
        return

    def _tree(self, access: GitAccess, commit: Commit) -> Tree:
        files = self.clones.get(access.url, {}).get(commit)
        if files is None:
            raise GitUnavailable("the clone lacks a commit")
        self.contents |= {blob_of(text): content_of(text) for text in files.values()}
        return Tree({path: FileEntry(kind_of(text), blob_of(text)) for path, text in files.items()})

    def _ask(self, access: GitAccess, method: str) -> FakeHost:
        host = self.hosts[access.url]
        host.asked.append(method)
        if host.trouble is not None:
            raise GitUnavailable(host.trouble)
        return host
