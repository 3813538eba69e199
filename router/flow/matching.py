"""Matches very many changed paths without holding up other requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.core.changes import UnknownPaths
from router.core.kustomize.changed import NO_BUILDS
from router.core.match import Matcher, match_layers

if TYPE_CHECKING:
    from router.core.changes import ExactPaths
    from router.core.kustomize.changed import Builds
    from router.core.match import Matched
    from router.core.routing import Repository

MATCH_SLICE_PATHS = 200
"""Paths matched before other requests get a turn: 1 to 3 ms of the event loop."""


async def match_in_slices(
    entry: Repository, changes: ExactPaths | UnknownPaths, *, builds: Builds = NO_BUILDS
) -> Matched:
    """As match_layers, with turns for others in between."""
    if isinstance(changes, UnknownPaths) or len(changes.paths) <= MATCH_SLICE_PATHS:
        return match_layers(entry.index, changes, unmapped=entry.unmapped, builds=builds)
    matcher = Matcher(entry.index, unmapped=entry.unmapped, builds=builds)
    for start in range(0, len(changes.paths), MATCH_SLICE_PATHS):
        matcher.feed(changes.paths[start : start + MATCH_SLICE_PATHS])
        await asyncio.sleep(0)
    return matcher.result()
