"""Commits, trees and contents of a clone, through one `git cat-file`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from router.core.kustomize.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from router.core.kustomize.tree import FileKind

_KINDS: dict[str, FileKind] = {"120000": "link", "160000": "submodule"}


class Clone:
    """A repository on disk; only read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batch = subprocess.Popen(
            self._command("cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def commits(self, count: int, tip: str) -> list[str]:
        """The last *count* first-parent commits that end at *tip*, oldest first."""
        found = self._run("rev-list", "--first-parent", f"--max-count={count}", tip)
        return found.decode().split()[::-1]

    def tree(self, commit: str) -> Tree:
        """Every file of a commit."""
        files = {}
        for line in self._run("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, blob = facts.decode().split()
            kind = _KINDS.get(mode, "file")
            files[path.decode("utf-8", "surrogateescape")] = FileEntry(kind, blob)
        return Tree(files)

    def contents(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """The content of each blob; None for one that the clone does not have."""
        stdin, stdout = self._batch.stdin, self._batch.stdout
        assert stdin is not None
        assert stdout is not None
        for blob in blobs:
            stdin.write(f"{blob}\n".encode())
            stdin.flush()
            answer = stdout.readline().split()
            if answer[-1] == b"missing":
                yield blob, None
            else:
                yield blob, stdout.read(int(answer[2]) + 1)[:-1]

    def close(self) -> None:
        """End the process that reads."""
        self._batch.communicate()

    def _run(self, *arguments: str) -> bytes:
        command = self._command(*arguments)
        return subprocess.run(command, check=True, capture_output=True).stdout

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self._path), *arguments]
