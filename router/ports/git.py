"""Port to Git hosts, and to the clones that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.core.kustomize.tree import FileEntry, Tree
    from router.core.push import Commit
    from router.core.routing import GitAccess, Routing


class Git(Protocol):
    """Reads repositories and keeps a clone of each, that holds commits and trees but no contents.

    Every method but `use` and `close` raises GitUnavailable when the repository cannot be read: the
    message says why, fit to be shown. A later call may succeed.
    """

    async def list_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        """The tips on the host of the refs that *refs* (full names or wildcards) stand for.

        By full name. The tip of an annotated tag is the commit it stands for.
        """
        ...

    async def fetch_tips(self, access: GitAccess, refs: Sequence[str]) -> Mapping[str, Commit]:
        """Bring the tips of *refs* (full names) into the clone; those that the host has."""
        ...

    async def fetch_commit(self, access: GitAccess, commit: Commit) -> bool:
        """Have *commit* in the clone, asking the host if need be; False if it has it no more."""
        ...

    async def has_commit(self, access: GitAccess, commit: Commit) -> bool:
        """Whether the clone has *commit* (or the tag object of that id); never asks the host."""
        ...

    async def changed_paths(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> tuple[str, ...]:
        """The paths that differ between the trees of two commits of the clone, sorted.

        Both sides of a rename; submodules and modes, too. Undecodable bytes are surrogates.
        """
        ...

    async def read_tree(self, access: GitAccess, commit: Commit) -> Tree:
        """The files of a commit of the clone: names, kinds and blobs."""
        ...

    async def changed_entries(
        self, access: GitAccess, before: Commit, after: Commit
    ) -> Mapping[str, FileEntry | None]:
        """As `changed_paths`, with what is there *after*; None for a path that went."""
        ...

    async def read_blobs(
        self, access: GitAccess, blobs: Collection[str]
    ) -> Mapping[str, bytes | None]:
        """Contents of files of the clone's commits; the host is asked at once for all it lacks.

        None for one that is over MAX_DOCUMENT_BYTES, or that the host does not give.
        """
        ...

    async def keep(self, access: GitAccess, repository: str, commit: Commit) -> None:
        """Keep *commit* in the clone, as the one that entry *repository* was last planned at."""
        ...

    def clone_bytes(self, access: GitAccess) -> int:
        """What the clone takes on disk, as last measured; 0 while there is none."""
        ...

    async def use(self, routing: Routing) -> None:
        """Take over a routing file that came into force: clones that it does not name are removed.

        Never raises.
        """
        ...

    async def close(self) -> None:
        """End every git process."""
        ...
