"""What a walk through kustomization files has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

BUILD = ""
"""In the place of the file that named another: the build itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Something that a build reads from elsewhere; nothing watches it."""

    url: str
    by: str
    """The file that names it."""


@dataclass(slots=True, kw_only=True)
class Found:
    """One closure on its way."""

    files: dict[str, str] = field(default_factory=dict)
    """Path → the file that names it, or BUILD."""
    remotes: dict[Remote, None] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    """Blobs without whose content nobody can go on."""
    absent: list[str] = field(default_factory=list)
    """Folders to build that are not there."""
    deciding: set[str] = field(default_factory=set)
    """Files whose content told of others."""
    asked: set[str] = field(default_factory=set)
    """Where names lead: whether that is there, what it is, and for a folder all that is below."""
    unknown: str | None = None

    def add(self, path: str, by: str) -> None:
        """A file is read; the first that names it is kept."""
        self.files.setdefault(path, by)

    def doubt(self, by: str, why: str) -> None:
        """Files may be missing. The first reason is kept."""
        if self.unknown is None:
            self.unknown = f"{by}: {why}" if by else why
