"""One clone as it is on disk: where it is, how large, and what a killed process left in it.

Everything here blocks for as long as the disk does, and raises OSError.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.core.push import Commit

_FOLDER = re.compile(r"[a-z0-9.-]*_[0-9a-f]{24}\.git(?:\.new|\.old)?")
_MAX_SLUG_CHARACTERS = 60


def folder_name(url: str) -> str:
    """The name of the clone's folder: what people can read of the URL, and a digest of all."""
    digest = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()
    readable = re.sub(r"^[a-z]+://(?:[^/]*@)?|\.git/*$", "", url.lower())
    slug = re.sub(r"[^a-z0-9.]+", "-", readable).strip("-.")[-_MAX_SLUG_CHARACTERS:]
    return f"{slug}_{digest[:24]}.git"


@dataclass(slots=True)
class Clone:
    """A bare repository, and what this process knows of it."""

    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever writes to it."""
    known: set[Commit] = field(default_factory=set)
    """Commits and tag objects that are certainly in it."""
    size_bytes: int = 0
    """As last measured."""
    is_tidy: bool = False
    """No process was killed since it was last tidied."""
    is_dropped: bool = False
    """No entry names it any more; whoever holds the lock removes it."""
    too_large_until: float = 0.0
    """It grew over its limit, and is not fetched before; on the clock's monotonic scale."""
    spared_until: float = 0.0
    """Making it compact failed, and is not tried again before; on the clock's monotonic scale."""

    @property
    def fresh(self) -> Path:
        """Where its successor is made."""
        return self.path.with_name(self.path.name + ".new")

    @property
    def former(self) -> Path:
        """Where its predecessor is until that is removed."""
        return self.path.with_name(self.path.name + ".old")

    @property
    def exists(self) -> bool:
        return self.path.is_dir()

    def measure(self) -> int:
        """What it takes on disk, with a successor in the making."""
        self.size_bytes = measure(self.path) + measure(self.fresh)
        return self.size_bytes

    def count_packs(self) -> int:
        return sum(1 for _ in self.path.glob("objects/pack/pack-*.pack"))

    def tidy(self) -> None:
        """Remove what killed processes left: half a successor, locks, temporary files."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.exists and self.former.is_dir():
            self.former.rename(self.path)  # killed between the two renames of `succeed`
        for folder in (self.fresh, self.former):
            remove(folder)
        for leftover in _leftovers(self.path):
            leftover.unlink(missing_ok=True)
        self.measure()
        self.is_tidy = True

    def succeed(self) -> None:
        """Put the successor in its place."""
        remove(self.former)
        if self.path.exists():
            self.path.rename(self.former)
        self.fresh.rename(self.path)
        self.known.clear()
        remove(self.former)
        self.measure()

    def discard(self) -> None:
        """Remove it with all that belongs to it."""
        for folder in (self.path, self.fresh, self.former):
            remove(folder)
        self.known.clear()
        self.measure()


def remove(path: Path) -> None:
    """Remove whatever is at *path*."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def stray_folders(folder: Path, *, named: set[str]) -> list[Path]:
    """The folders of clones in *folder* that belong to none of the *named* ones."""
    if not folder.is_dir():
        return []
    return [
        path
        for path in folder.iterdir()
        if _FOLDER.fullmatch(path.name)
        and path.name.removesuffix(".new").removesuffix(".old") not in named
    ]


def _leftovers(path: Path) -> Iterator[Path]:
    yield from path.glob("*.lock")
    yield from path.glob("refs/**/*.lock")
    yield from path.glob("objects/pack/tmp_*")
    yield from path.glob("objects/pack/.tmp-*")
    yield from path.glob("objects/??/tmp_obj_*")


def measure(path: Path) -> int:
    """The bytes of all files below *path*; those that vanish meanwhile do not count."""
    total = 0
    for file in path.rglob("*"):
        try:
            total += file.lstat().st_size
        except FileNotFoundError:
            continue
    return total
