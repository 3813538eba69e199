"""What a delivery says happened: refs that moved, and what each provider tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Commit: TypeAlias = str
"""A full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""


def is_zero(commit: Commit) -> bool:
    """Whether *commit* is the all-zero id that stands for "no commit" (40 or 64 zeros)."""
    return not commit.strip("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """One ref that a push moved, as its provider tells it."""

    ref: str
    """Full name, e.g. refs/heads/main."""
    before: Commit
    after: Commit
    forced: bool | None
    """None where the provider does not say."""
    paths: tuple[str, ...] = ()
    """Union of the provider's file lists, without repeats; undecodable bytes as surrogates."""
    incomplete: str | None = None
    """Why the lists do not prove what changed (a sentence), or None where they do."""

    @property
    def is_created(self) -> bool:
        return is_zero(self.before)

    @property
    def is_deleted(self) -> bool:
        return is_zero(self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a delivery says happened; holds one or more ref updates."""

    repository_urls: tuple[str, ...]
    """Every URL by which the payload names its repository."""
    updates: tuple[RefUpdate, ...]
    delivery_id: str | None
    """The provider's own id of this delivery; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An authentic delivery that holds no push: a ping, another event."""

    reason: str
    delivery_id: str | None = None
