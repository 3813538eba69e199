"""Real bare repositories for tests, made quickly: one process for a commit, whatever it holds."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from router.core.push import Commit

_MODES = {"exec": "100755", "link": "120000", "module": "160000"}
_IDENTITY = "Ada <ada@example.org> 1767225600 +0000"
_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare repository on disk.

    The files of a commit are paths and contents; a content that starts with `exec:`, `link:` or
    `module:` stands for a program, a symbolic link to, or a submodule at what follows.
    """

    path: Path

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """What git prints, with nobody's configuration."""
        variables = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        finished = subprocess.run(
            ["git", f"--git-dir={self.path}", *arguments],
            check=True,
            input=stdin,
            capture_output=True,
            env=variables | _SETTINGS,
        )
        return os.fsdecode(finished.stdout).strip()

    def commit(self, files: Mapping[str, str], *, parents: Sequence[Commit] = ()) -> Commit:
        """A new commit with exactly these files; no ref points to it."""
        lines = [b"feature done", b"reset refs/made", b"commit refs/made", b"mark :1"]
        lines += [f"committer {_IDENTITY}".encode(), b"data 0"]
        roles = ["from", *["merge"] * len(parents)]
        lines += [f"{role} {parent}".encode() for role, parent in zip(roles, parents, strict=False)]
        lines.append(b"deleteall")
        for path, content in files.items():
            lines += _file_lines(path, content)
        lines += [b"get-mark :1", b"reset refs/made", b"from " + b"0" * self._id_length(), b"done"]
        return self.git("fast-import", "--quiet", "--force", stdin=b"\n".join(lines) + b"\n")

    def move(self, ref: str, files: Mapping[str, str]) -> Commit:
        """Commit these files on top of *ref*, or as a root where there is no such ref, and push."""
        made = self.commit(files, parents=self.tips(ref))
        self.point(ref, made)
        return made

    def point(self, ref: str, commit: Commit) -> None:
        """Push *commit* to *ref*, by force."""
        self.git("update-ref", ref, commit)

    def tag(self, name: str, target: str) -> str:
        """An annotated tag of *target*, and the id of its object."""
        self.git("tag", "--force", "--annotate", "--message=release", name, target)
        return self.git("rev-parse", f"refs/tags/{name}")

    def remove(self, ref: str) -> None:
        self.git("update-ref", "-d", ref)

    def tips(self, ref: str) -> list[Commit]:
        """The commit of *ref*, if there is one."""
        return self.git("for-each-ref", "--format=%(objectname)", ref).split()

    def collect_garbage(self) -> None:
        """Forget every commit that no ref leads to."""
        self.git("prune", "--expire=now")
        self.git("repack", "-a", "-d", "-q")
        self.git("prune", "--expire=now")

    def _id_length(self) -> int:
        return 64 if "sha256" in (self.path / "config").read_text() else 40


def make_repository(
    path: Path, *, object_format: str = "sha1", has_filter: bool = True
) -> Repository:
    """An empty repository; without *has_filter* it serves only whole commits."""
    options = (f"--object-format={object_format}", "--template=", "--initial-branch=main")
    made = Repository(path)
    made.git("init", "--quiet", "--bare", *options, str(path))
    settings = (
        "[uploadpack]\n"
        f"allowFilter = {'true' if has_filter else 'false'}\n"
        "[fastimport]\nunpackLimit = 1000\n[gc]\nauto = 0\n"
    )
    with (path / "config").open("a") as file:
        file.write(settings)
    return made


def _file_lines(path: str, content: str) -> list[bytes]:
    name = b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'
    kind, colon, rest = content.partition(":")
    mode = _MODES.get(kind, "100644") if colon else "100644"
    data = os.fsencode(rest if mode != "100644" else content)
    if mode == "160000":
        return [b"M 160000 %b %b" % (data, name)]
    return [b"M %b inline %b" % (mode.encode(), name), b"data %d" % len(data), data]
