"""Word that a ref of a Git host may have moved, from whoever has it to whoever looks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Hints:
    """Names of entries of the routing file; those that nobody listens to wait for a listener."""

    def __init__(self) -> None:
        self._unheard: set[str] = set()
        self._listener: Callable[[str], None] = self._unheard.add

    def add(self, repository: str) -> None:
        """The entry's Git host should be asked where its ref is."""
        self._listener(repository)

    @contextmanager
    def heard_by(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Have *listener* called for each hint, first for those that nobody has heard."""
        self._listener = listener
        unheard, self._unheard = self._unheard, set()
        try:
            for repository in sorted(unheard):
                listener(repository)
            yield
        finally:
            self._listener = self._unheard.add
