"""Moves of refs as drawn at random, and how each is made in a real repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from tests.builders import MAIN
from tests.e2e.git_history import Files, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.core.push import Commit
    from tests.e2e.git_history import History, Move

STAGE = "refs/heads/stage"
TAGS = "refs/tags/v"
FOLDERS = ("a", "b", "c", "d", "z")
NAMES = ("x", "y.md", 'sub/é "q"\tt.yaml', "\udcff")
START: Files = {f"{folder}/{name}": "0" for folder in FOLDERS for name in NAMES} | {"README": "0"}

PushKind: TypeAlias = Literal[
    "ahead", "empty", "merge", "ours", "theirs", "evil merge", "revert", "rename", "fork",
    "rebase", "reword", "reset", "orphan", "delete", "tag", "move tag", "delete tag",
]  # fmt: skip
PUSH_KINDS: tuple[PushKind, ...] = (
    "ahead", "ahead", "ahead", "empty", "merge", "ours", "theirs", "evil merge", "revert", "rename",
    "rename", "fork", "rebase", "reword", "reset", "reset", "orphan", "delete", "tag", "move tag",
    "delete tag",
)  # fmt: skip

Edit: TypeAlias = tuple[str, str, str]
"""Folder, name, and how it is changed."""


@dataclass(frozen=True)
class Push:
    """One move of a ref, and how its webhook fares."""

    kind: PushKind
    is_main: bool
    pick: int
    """Which earlier commit, file or tag."""
    edits: tuple[Edit, ...]
    arrivals: tuple[int, ...]
    """After how many further steps each copy of the webhook arrives; none: it is lost."""
    is_redelivery: bool
    """Copies carry the first one's delivery id, instead of an id each."""
    then: str
    """What follows: nothing, a look, or a look and the calls."""


class Pusher:
    """Makes the moves of pushes."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._edits = 0
        self._makers: dict[str, Callable[[Push, Commit, Commit], Commit]] = {
            "empty": lambda _, tip, __: self._commit(self._files(tip), tip),
            "merge": lambda _, tip, other: self._commit(self._both(tip, other), tip, other),
            "ours": lambda _, tip, other: self._commit(self._files(tip), tip, other),
            "theirs": lambda _, tip, other: self._commit(self._files(other), tip, other),
            "evil merge": lambda push, tip, other: self._commit(
                self._edit(self._both(tip, other), push), tip, other
            ),
            "revert": lambda _, tip, other: self._commit(self._files(other), tip),
            "rename": self._rename,
            "fork": lambda push, _, other: self._ahead(push, other, other),
            "rebase": lambda _, tip, other: self._commit(self._files(tip), other),
            "reword": lambda push, tip, _: history.reword(tip, f"{push.pick}"),
            "reset": lambda _, __, other: other,
            "orphan": lambda push, tip, _: self._commit(self._edit(self._files(tip), push)),
        }

    def push(self, push: Push) -> Move | None:
        """Make the move; None where there is nothing to move."""
        if "tag" in push.kind:
            return self._push_tag(push)
        ref = MAIN if push.is_main else STAGE
        tip = self._history.refs.get(ref)
        if push.kind == "delete":
            return self._history.remove(ref) if tip else None
        other = self._pick(push)
        made = self._makers.get(push.kind, self._ahead)(push, tip or other, other)
        return None if made == tip else self._history.push(ref, made)

    def _push_tag(self, push: Push) -> Move | None:
        tags = sorted(ref for ref in self._history.refs if ref.startswith(TAGS))
        if push.kind == "tag":
            ref = f"{TAGS}{len(self._history.trees)}.{push.pick}"
        elif tags:
            ref = tags[push.pick % len(tags)]
        else:
            return None
        if push.kind == "delete tag":
            return self._history.remove(ref)
        target = self._pick(push)
        if self._history.refs.get(ref) == target:
            return None
        tag = self._history.annotate if push.is_redelivery else self._history.push
        return tag(ref, target)

    def _pick(self, push: Push) -> Commit:
        known = self._history.known
        return known[push.pick % len(known)]

    def _files(self, commit: Commit) -> Files:
        return self._history.trees[commit]

    def _both(self, tip: Commit, other: Commit) -> Files:
        return self._files(other) | self._files(tip)

    def _commit(self, files: Files, *parents: Commit) -> Commit:
        return self._history.commit(files, *dict.fromkeys(parents))

    def _ahead(self, push: Push, tip: Commit, _: Commit) -> Commit:
        return self._commit(self._edit(self._files(tip), push), tip)

    def _rename(self, push: Push, tip: Commit, _: Commit) -> Commit:
        files = self._files(tip)
        owned = sorted(path for path in files if "/" in path) or sorted(files)
        old = owned[push.pick % len(owned)]
        folder = push.edits[0][0]
        new = f"{folder}/from-{old.replace('/', '-')}"
        return self._commit(without(files, {old}) | {new: files[old]}, tip)

    def _edit(self, files: Files, push: Push) -> Files:
        for folder, name, how in push.edits:
            self._edits += 1
            path = f"{folder}/{name}"
            if how == "remove":
                files = without(files, {path}) if len(files) > 1 else files
                continue
            content = files.get(path, "0").rpartition(":")[2]
            changed = {
                "chmod": f"exec:{content}",
                "link": f"link:{self._edits}",
                "module": f"module:{self._edits:040x}",
            }
            files = files | {path: changed.get(how, f"{self._edits}")}
        return files
