"""The routing file on disk, read again whenever it or a secret it names has changed."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from router.config.load import Checked, check_with, read_text
from router.config.report import Report
from router.config.secret_files import Fingerprint, SecretReader, fingerprint
from router.core.errors import ConfigInvalid
from router.ports.routing_file import LoadedFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.resolve import SecretPolicy


class FileRoutingSource:
    """A RoutingSource over a file; relative secret paths start at the file's folder.

    The folder is taken as the path is written, not where a symlink leads to: in a Kubernetes
    volume the file is a symlink into a folder that the next update removes.
    """

    def __init__(self, path: Path, *, environ: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._environ = os.environ if environ is None else environ
        self._seen: dict[Path, Fingerprint] | None = None

    async def has_changed(self) -> bool:
        """Whether the file, or a secret it named when it was last read, is another one now.

        Also after a load that failed: False until there is something new to try.
        """
        return await asyncio.to_thread(self._has_changed)

    async def load(self) -> LoadedFile:
        """Read the file and its secrets. Raises ConfigInvalid with every problem."""
        return await asyncio.to_thread(self._load)

    async def load_text(self, text: str, *, is_strict: bool = False) -> LoadedFile:
        """Read *text* as if it were the file, with the secrets of now. Raises ConfigInvalid.

        A secret that cannot be read is a warning unless *is_strict*: its hook refuses everything,
        its receiver cannot be called, and all others go on. From now on a change of its secrets is
        noticed, too.
        """
        reader = self._reader()
        policy: SecretPolicy = "required" if is_strict else "forgiven"
        try:
            return await asyncio.to_thread(self._load_text, text, reader, policy)
        finally:
            if self._seen is not None:
                self._seen = {**reader.fingerprints, **self._seen}

    def _reader(self) -> SecretReader:
        return SecretReader(self._path.parent, self._environ)

    def _has_changed(self) -> bool:
        if self._seen is None:
            return True
        return any(fingerprint(path) != seen for path, seen in self._seen.items())

    def _load(self) -> LoadedFile:
        reader = self._reader()
        # Taken before the file is read: a change in between is then seen the next time.
        own = fingerprint(self._path)
        try:
            report = Report(str(self._path))
            text = read_text(self._path, report)
            if text is None:
                raise ConfigInvalid(report.problems)
            return self._load_text(text, reader)
        finally:
            self._seen = {**reader.fingerprints, self._path: own}

    def _load_text(
        self, text: str, reader: SecretReader, secrets: SecretPolicy = "required"
    ) -> LoadedFile:
        checked: Checked = check_with(
            text, file_name=str(self._path), reader=reader, secrets=secrets
        )
        if checked.routing is None:
            raise ConfigInvalid(checked.problems)
        return LoadedFile(routing=checked.routing, text=text, warnings=checked.warnings)
