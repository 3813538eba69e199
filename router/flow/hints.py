"""Word that a ref of a Git host may have moved, from whoever has it to whoever looks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Listener: TypeAlias = Callable[[str, bool], None]


class Hints:
    """Names of entries of the routing file; those that nobody listens to wait for a listener."""

    def __init__(self) -> None:
        self._unheard: dict[str, bool] = {}
        self._listener: Listener = self._remember

    def add(self, repository: str, *, is_kept: bool = False) -> None:
        """The entry's Git host should be asked where its ref is.

        *is_kept*: the store has what there is to look for, and any replica will find it there.
        """
        self._listener(repository, is_kept)

    def _remember(self, repository: str, is_kept: bool) -> None:
        self._unheard[repository] = is_kept and self._unheard.get(repository, True)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Have *listener* called for each hint, first for those that nobody has heard."""
        self._listener = listener
        unheard, self._unheard = self._unheard, {}
        try:
            for repository, is_kept in sorted(unheard.items()):
                listener(repository, is_kept)
            yield
        finally:
            self._listener = self._remember
