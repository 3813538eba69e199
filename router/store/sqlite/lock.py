"""One process per database file."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from router.core.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """An advisory lock that the kernel frees when its process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises OperatorError when another process holds the lock."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise OperatorError(
                f"another flux-router uses this database (it holds {path}): "
                "stop it, or give this one a database of its own"
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)
