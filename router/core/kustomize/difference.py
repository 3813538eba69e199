"""What differs between two trees, and which closures of the first hold in the second, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.kustomize.ignored import IGNORE_FILE
from router.core.kustomize.tree import with_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.kustomize.closure import Closure
    from router.core.kustomize.tree import FileEntry, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Paths that differ, by what may depend on them."""

    contents: frozenset[str]
    """Files of both trees."""
    places: frozenset[str]
    """Files of one tree only, and all folders that they are in."""
    is_far: bool
    """Whether links, submodules or ignore files differ: anything may depend on these."""

    def leaves(self, closure: Closure) -> bool:
        """Whether *closure*, of the first tree, is that of the second, too; False when in doubt."""
        return (
            not self.is_far
            and closure.unknown is None
            and closure.deciding.isdisjoint(self.contents)
            and closure.asked.isdisjoint(self.places)
        )


def find_difference(tree: Tree, changes: Mapping[str, FileEntry | None]) -> Difference:
    """What *changes* (paths with their new entries, None for those removed) make of *tree*."""
    contents, moved, is_far = set(), set(), False
    for path, after in changes.items():
        before = tree.files.get(path)
        kinds = {entry.kind for entry in (before, after) if entry is not None}
        is_far = is_far or kinds != {"file"} or path.rpartition("/")[2] == IGNORE_FILE
        if before is None or after is None:
            moved.add(path)
        else:
            contents.add(path)
    return Difference(
        contents=frozenset(contents), places=frozenset(with_folders(moved)), is_far=is_far
    )
