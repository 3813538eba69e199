"""What a push changed, as far as its payload proves it, and what becomes of the ref's cursor.

The file lists of a push count only where the provider's rules make them complete and the push
starts at the commit last planned. In every other case the changed paths are unknown, and the reason
names the setting or mode that would make them known. Git mode compares trees instead, and comes
back to these rules only where it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import RefState
    from router.core.push import Commit, RefUpdate

GIT_WOULD_KNOW = "git mode would compare the two trees"


@dataclass(frozen=True, slots=True)
class ExactPaths:
    """The changed paths are known: these and no others."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownPaths:
    """The changed paths are not known; *reason* names what would make them exact."""

    reason: str


def listed_changes(
    update: RefUpdate, *, force_pushes: Literal["possible", "impossible"]
) -> ExactPaths | UnknownPaths:
    """What the update's own file lists prove, whatever the ref's cursor is."""
    if update.is_created:
        return UnknownPaths(
            f"the ref was created, and what was there before is not told; {GIT_WOULD_KNOW}"
        )
    if update.forced:
        return UnknownPaths(
            f"the push was forced, and file lists do not show what it dropped; {GIT_WOULD_KNOW}"
        )
    if update.incomplete is not None:
        return UnknownPaths(update.incomplete)
    if update.forced is None and force_pushes == "possible":
        return UnknownPaths(
            "the provider does not say whether the push was forced; forcePushes: impossible"
            f" (a protected branch) would let its file lists count, and {GIT_WOULD_KNOW}"
        )
    return ExactPaths(update.paths)


def changes_since(
    state: RefState, update: RefUpdate, listed: ExactPaths | UnknownPaths
) -> ExactPaths | UnknownPaths:
    """What changed since the commit last told of: the list, if the push starts there."""
    if isinstance(listed, UnknownPaths):
        return listed
    if state.told == update.before:
        return listed
    if not state.was_planned:
        return UnknownPaths("no push of this ref was planned before; the next push can be exact")
    if state.told is None:
        return UnknownPaths(
            f"pushes of this ref arrived out of order or twice before this one; {GIT_WOULD_KNOW}"
        )
    return UnknownPaths(
        "the push does not start at the commit last planned: another one was lost or is still to"
        f" come; {GIT_WOULD_KNOW}"
    )


def fallback_changes(
    cursor: Commit | None,
    updates: Sequence[RefUpdate],
    *,
    why: str,
    force_pushes: Literal["possible", "impossible"],
) -> ExactPaths | UnknownPaths:
    """What *updates* changed where git could not tell, and *why* it could not.

    Their own lists count if each proves what changed, the first one starts at the *cursor* (what
    layers were told of last), and each other one where the one before it ended.
    """
    here, paths = cursor, list[str]()
    for update in updates:
        listed = listed_changes(update, force_pushes=force_pushes)
        if here != update.before or isinstance(listed, UnknownPaths):
            return UnknownPaths(why)
        here = update.after
        paths += listed.paths
    return ExactPaths(tuple(dict.fromkeys(paths))) if updates else UnknownPaths(why)


def next_cursor(state: RefState, update: RefUpdate) -> Commit | None:
    """The commit that the next push must start from to be exact; None when no commit is safe.

    A push that starts at the cursor moves it, also when forced. After any other push the tip is
    trusted only if it was never seen on this ref: a known one may be an old push that came late.
    One that is foretold leaves that to the delivery that tells the same.
    """
    if update.is_foretold:
        return None
    if state.told is not None and state.told == update.before:
        return update.after
    return None if state.is_tip_known else update.after
