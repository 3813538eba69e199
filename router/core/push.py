"""What a delivery says happened: refs that moved or artifacts that were pushed, as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Commit: TypeAlias = str
"""A full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""


NOT_TOLD: Commit = ""
"""In the place of a commit or a digest that a delivery does not tell."""


def is_zero(commit: Commit) -> bool:
    """Whether *commit* is the all-zero id that stands for "no commit" (40 or 64 zeros)."""
    return commit != NOT_TOLD and not commit.strip("0")


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
    is_foretold: bool = False
    """Whether another delivery tells the same mostly, which leads on from here."""

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
    repository_path: str | None = None
    """The repository's name on its host, where the payload names no URL: the hook tells the host.
    None also for a payload that names no repository at all: then all of the hook are meant."""
    refs_not_told: str | None = None
    """Why the payload does not tell which refs moved (a sentence): any may have. None where it
    does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactUpdate:
    """One tag of an OCI artifact that was pushed, as its registry tells it."""

    artifact: str
    """Host and path, as `core.routing.normalize_artifact` writes them: ghcr.io/acme/app."""
    tag: str
    digest: str | None
    """Of the manifest, e.g. sha256:9f86d0…; None where the registry does not tell."""
    pushed_at: datetime | None = field(default=None, compare=False)
    """When, by the registry's clock, which tells the order of pushes; None where it does not tell.
    What was pushed is the same whenever it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPush:
    """What a registry's delivery says happened; holds one or more tags."""

    updates: tuple[ArtifactUpdate, ...]
    delivery_id: str | None
    """The registry's own id of this delivery; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An authentic delivery that holds no push: a ping, another event."""

    reason: str
    delivery_id: str | None = None
