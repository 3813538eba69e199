"""Reads the secrets and other files that a routing file names, and notices when they change."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.receivers import Reference

MAX_SECRET_BYTES = 64 * 1024
"""For one secret or certificate file; a Kubernetes Secret as a whole may hold 1 MiB."""

Fingerprint: TypeAlias = tuple[int, ...]
"""What changes when a file does, or the error number of looking at it."""


class SecretUnusable(Exception):
    """The message says what is wrong with the file or variable, never what is in it."""

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


@dataclass(frozen=True, slots=True)
class _Unusable:
    message: str
    is_missing: bool = False


class SecretReader:
    """Reads each secret once, so that one load sees one version of it."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._results: dict[tuple[str, str], bytes | _Unusable] = {}
        self.fingerprints: dict[Path, Fingerprint] = {}
        """Of every file asked for, taken before it was read; also of those that are missing."""

    def path(self, name: str) -> Path:
        """Where a file named in the routing file is, from the root."""
        return self._directory.absolute() / name

    def read(self, reference: Reference) -> bytes:
        """The bytes as they are; never empty. Raises SecretUnusable."""
        asked = (reference.kind, reference.name)
        if asked not in self._results:
            is_file = reference.kind == "file"
            self._results[asked] = (
                self._read_file(reference.name) if is_file else self._variable(reference.name)
            )
        result = self._results[asked]
        if isinstance(result, _Unusable):
            raise SecretUnusable(result.message, is_missing=result.is_missing)
        return result

    def digest(self, name: str) -> str | None:
        """SHA-256 of a file that was read, in hex; None when it cannot be used."""
        content = self._results.get(("file", name))
        return sha256(content).hexdigest() if isinstance(content, bytes) else None

    def _variable(self, name: str) -> bytes | _Unusable:
        value = self._environ.get(name)
        if value is None:
            return _Unusable(f"the environment variable {name} is not set", is_missing=True)
        return os.fsencode(value) or _Unusable(f"the environment variable {name} is empty")

    def _read_file(self, name: str) -> bytes | _Unusable:
        path = self._directory / name
        self.fingerprints[path] = fingerprint(path)
        try:
            content = read_limited(path, MAX_SECRET_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return _Unusable(f"the file {path} does not exist", is_missing=True)
        except OSError as error:
            return _Unusable(f"the file {path} cannot be read: {error.strerror}")
        if len(content) > MAX_SECRET_BYTES:
            return _Unusable(f"the file {path} is larger than {MAX_SECRET_BYTES // 1024} KiB")
        return content or _Unusable(f"the file {path} is empty")


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """At most one byte more than the limit. Raises OSError, also for what is no regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(limit_bytes + 1)


def fingerprint(path: Path) -> Fingerprint:
    """What *path* is now, through all symlinks: a Kubernetes volume swaps them on an update."""
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    except ValueError:
        return ()
    # The change time also tells of permissions, which make a file readable or not.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
