"""Port to the routing file and the secrets it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.core.model import Problem
    from router.core.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A routing file that loads."""

    routing: Routing
    text: str
    warnings: tuple[Problem, ...] = ()


class RoutingSource(Protocol):
    """The routing file and the secrets it names."""

    async def has_changed(self) -> bool:
        """Whether the file or a secret it names is not what was last loaded."""
        ...

    async def load(self) -> LoadedFile:
        """Read the file and its secrets. Raises ConfigInvalid with every problem."""
        ...

    async def load_text(self, text: str, *, is_strict: bool = False) -> LoadedFile:
        """Read *text* as if it were the file. Raises ConfigInvalid.

        Secrets that are missing are an error only if *is_strict*.
        """
        ...
