"""A RoutingSource whose file is what a test says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.errors import ConfigInvalid
from router.core.model import Problem
from router.ports.routing_file import LoadedFile

if TYPE_CHECKING:
    from router.core.routing import Routing

BROKEN = Problem(file="router.yaml", line=1, column=1, message="broken")
MISSING = Problem(file="router.yaml", line=2, column=1, message="the secret is missing")


class FakeSource:
    """Implements RoutingSource. Files are known by their text; an unknown text does not load."""

    def __init__(self, **files: Routing) -> None:
        self.files = files
        self.text = next(iter(files), "broken")
        self.unusable: set[str] = set()
        """Texts with secrets that are missing here."""
        self._loaded: str | None = None

    async def has_changed(self) -> bool:
        return self.text != self._loaded

    async def load(self) -> LoadedFile:
        self._loaded = self.text
        return await self.load_text(self.text)

    async def load_text(self, text: str, *, is_strict: bool = False) -> LoadedFile:
        if is_strict and text in self.unusable:
            raise ConfigInvalid([MISSING])
        if text not in self.files:
            raise ConfigInvalid([BROKEN])
        return LoadedFile(routing=self.files[text], text=text)
