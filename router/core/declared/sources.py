"""GitRepositories as files have them: where they are, what they follow, how often Flux asks.

https://fluxcd.io/flux/components/source/gitrepositories/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.declared.values import VARIABLE, mapping_in, own_name, text_in
from router.core.naming import normalize_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.flux_objects import Resource
    from router.core.kustomize.documents import Value

SOURCE_API = "source.toolkit.fluxcd.io/"
GIT = "GitRepository"

ANY_TAG = "refs/tags/"
"""Stands for the refs of a source that takes the newest version of several tags."""

DEFAULT_REF = "refs/heads/master"
"""What Flux takes where nothing else is told."""

POLLED_SECONDS = 600
"""Up to this interval changes arrive without a call; what `flux bootstrap` makes has a minute."""

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxSource:
    """A GitRepository, as a file has it."""

    name: Resource
    file: str
    url: str
    """Normalized, and in lower case; "" if the file does not tell."""
    ref: str = ""
    """The full name of what it follows, or ANY_TAG; "" if the file does not tell."""
    is_pinned: bool = False
    """It stays at one commit, whatever is pushed."""
    is_polled: bool = False
    """Flux fetches it by itself every POLLED_SECONDS, or more often."""
    ignore: str = ""
    """`spec.ignore`: rules as those of `.sourceignore`."""


def read_source(file: str, document: Mapping[str, Value], namespace: str | None) -> FluxSource:
    """A GitRepository of *file*, in the *namespace* that a kustomization sets, if any does."""
    spec = mapping_in(document, "spec")
    ref, url = mapping_in(spec, "ref"), text_in(spec, "url")
    commit = text_in(ref, "commit")
    return FluxSource(
        name=own_name(document, namespace),
        file=file,
        url=normalize_url(url).lower() if url and VARIABLE not in url else "",
        ref=_ref(ref) or (DEFAULT_REF if url and not ref else ""),
        is_pinned=bool(commit) and VARIABLE not in commit,
        is_polled=_is_short(text_in(spec, "interval")),
        ignore=text_in(spec, "ignore"),
    )


def _ref(ref: Mapping[str, Value]) -> str:
    """The one that counts, of those that are there: https://fluxcd.io/flux/components/source/
    gitrepositories/#reference"""
    names = (
        text_in(ref, "name"),
        ANY_TAG if text_in(ref, "semver") else "",
        f"refs/tags/{tag}" if (tag := text_in(ref, "tag")) else "",
        f"refs/heads/{branch}" if (branch := text_in(ref, "branch")) else "",
    )
    found = next(filter(None, names), "")
    return "" if VARIABLE in found else found


def _is_short(interval: str) -> bool:
    if not _DURATION.fullmatch(interval):
        return False
    parts = _PART.findall(interval)
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts) <= POLLED_SECONDS
