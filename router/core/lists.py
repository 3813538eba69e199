"""The file lists of a payload: kept as JSON text at first, and decoded piece by piece.

Decoding a list of 400,000 paths at once would hold up every other thread for as long as it takes
(msgspec keeps the interpreter's lock). So a payload is decoded without its lists, which only checks
that they are JSON, and each list then in slices of a few thousand paths. Lists that are too many or
too long to be held make the push incomplete: it is never read as one that changed less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.core.forms import Body

ABSENT = msgspec.Raw(b"null")
"""A list that is not there is read as one that is null."""

SLICE_BYTES = 256 * 1024
"""How much of a list is decoded at once: some thousand paths, 1 to 2 ms. Payloads up to this size
are decoded whole, which is quicker."""

MAX_LISTED_PATHS = 500_000
"""Distinct paths of one push that are held; a body of 25 MiB has fewer, as a rule."""

MAX_BRACES = 65_536
"""Opening braces of a payload: what bounds how many objects are made of it. GitHub's 2048 commits
have some six thousand."""

Decoded = TypeVar("Decoded")

_REPLACEMENT = "\ufffd"
"""What a JSON encoder writes for bytes of a file name that are not UTF-8."""

_PATHS = msgspec.json.Decoder(list[str] | None)


class ListedCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit of a payload: the three lists of files GitHub began with and others took over."""

    added: list[str] | None = None
    modified: list[str] | None = None
    removed: list[str] | None = None


class LargeCommit(msgspec.Struct, frozen=True, gc=False):
    """The same with its lists as text."""

    added: msgspec.Raw = ABSENT
    modified: msgspec.Raw = ABSENT
    removed: msgspec.Raw = ABSENT


_COMMITS = msgspec.json.Decoder(list[ListedCommit] | None)
_LARGE_COMMITS = msgspec.json.Decoder(list[LargeCommit] | None)


class FileLists:
    """What the file lists of one ref update say together; grows with every list that is added."""

    __slots__ = (
        "added_count", "commit_count", "has_all", "largest_commit", "paths", "trouble",
    )  # fmt: skip

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}
        """Every path listed, once, in their order."""
        self.commit_count = 0
        self.added_count = 0
        """Paths listed as added."""
        self.largest_commit = 0
        """Files of the commit that lists most."""
        self.has_all = True
        """Whether every commit had its lists."""
        self.trouble: str | None = None
        """Why the paths are not all there, or not as they are in the repository (a sentence)."""

    def add(self, listed: msgspec.Raw, *place: str | int) -> int | None:
        """Add the list of paths at *place*; how many it holds, None if it is not there.

        Raises MalformedPayload for what is no list of text.
        """
        text = memoryview(listed)
        if len(text) <= SLICE_BYTES or text[0] != ord("["):
            found = decode(_PATHS, listed, *place)
            self._add_paths(found or [])
            return None if found is None else len(found)
        count = 0
        for piece in _slices(text):
            if piece is None:
                self.trouble = f"a listed file name is over {SLICE_BYTES} bytes; {GIT_WOULD_KNOW}"
                break
            found = decode(_PATHS, piece, *place) or []
            self._add_paths(found)
            count += len(found)
        return count

    def _add_paths(self, found: list[str]) -> None:
        if not all(found) or _REPLACEMENT in "".join(found):
            self.trouble = (
                f"a listed file name is not UTF-8, and JSON cannot carry it; {GIT_WOULD_KNOW}"
            )
        if not self.paths:
            self.paths = dict.fromkeys(found)
        elif len(self.paths) <= MAX_LISTED_PATHS:
            self.paths.update(dict.fromkeys(found))
        else:
            self.trouble = f"more than {MAX_LISTED_PATHS} paths were listed; {GIT_WOULD_KNOW}"

    def add_commits(self, commits: Sequence[ListedCommit]) -> None:
        """Add the lists of all *commits* at once."""
        found: list[str] = []
        for commit in commits:
            before = len(found)
            for listed in (commit.added, commit.modified, commit.removed):
                found += listed or ()
                self.has_all = self.has_all and listed is not None
            self.added_count += len(commit.added or ())
            self.largest_commit = max(self.largest_commit, len(found) - before)
        self.commit_count += len(commits)
        self._add_paths(found)

    def add_large_commit(self, commit: LargeCommit) -> None:
        """Add the lists of one commit. Raises MalformedPayload."""
        number = self.commit_count
        added = self.add(commit.added, "commits[", number, "].added")
        modified = self.add(commit.modified, "commits[", number, "].modified")
        removed = self.add(commit.removed, "commits[", number, "].removed")
        counts = (added, modified, removed)
        self.commit_count += 1
        self.added_count += added or 0
        self.has_all = self.has_all and None not in counts
        self.largest_commit = max(self.largest_commit, sum(count or 0 for count in counts))


def read_commits(listed: msgspec.Raw, *, payload: Body) -> FileLists:
    """What the commits of *payload* list. Raises MalformedPayload."""
    files = FileLists()
    if not is_countable(payload):
        files.trouble = f"there are too many commits to read; {GIT_WOULD_KNOW}"
    elif len(payload) <= SLICE_BYTES:
        files.add_commits(decode(_COMMITS, listed, "commits") or ())
    else:
        for commit in decode(_LARGE_COMMITS, listed, "commits") or ():
            files.add_large_commit(commit)
    return files


def read_paths(listed: msgspec.Raw, *place: str | int) -> FileLists:
    """What the single list of paths at *place* says. Raises MalformedPayload."""
    files = FileLists()
    files.has_all = files.add(listed, *place) is not None
    return files


def is_countable(payload: Body) -> bool:
    """Whether the objects in a payload can be made without taking many times its size.

    An empty object is three bytes of a body and a hundred of memory. A small payload always can.
    """
    if len(payload) <= SLICE_BYTES:
        return True
    count = 0
    for start in range(0, len(payload), SLICE_BYTES):
        count += payload.count(b"{", start, start + SLICE_BYTES)
        if count > MAX_BRACES:
            return False
    return True


def decode(
    decoder: msgspec.json.Decoder[Decoded],
    payload: Body | memoryview | msgspec.Raw,
    *place: str | int,
) -> Decoded:
    """Decode a payload, or the part of it that stands at *place*, e.g. ("commits[", 3, "].added").

    Raises MalformedPayload that says where it is wrong, not what it holds.
    """
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError:
        raise MalformedPayload("the payload holds text that is not UTF-8") from None
    except RecursionError:
        raise MalformedPayload("the payload is nested too deeply") from None
    except msgspec.DecodeError as error:
        told = _told_at(str(error), "".join(map(str, place)))
        raise MalformedPayload(f"the payload cannot be read: {told}") from error


def _told_at(told: str, place: str) -> str:
    """What msgspec told of a part, as if it had read the whole."""
    if not place:
        return told
    what, at, within = told.partition(" - at `$")
    return f"{what} - at `$.{place}{within if at else '`'}"


def _slices(text: memoryview) -> Iterator[bytes | None]:
    """A JSON list of text as several shorter ones; None where an item is longer than a slice.

    *text* is known to be a list. It is cut at commas outside of text only; what else it may hold
    is left to the decoder, which accepts nothing but text.
    """
    start, stop = 1, len(text) - 1
    while stop - start > SLICE_BYTES:
        piece = bytes(text[start : start + SLICE_BYTES])
        comma = _find_cut(piece)
        if comma < 0:
            yield None
            return
        yield b"[%b]" % piece[:comma]
        start += comma + 1
    yield b"[%b]" % bytes(text[start:stop])


def _find_cut(piece: bytes) -> int:
    """The comma before the last item that begins in *piece*; -1 if only one does."""
    plain = piece
    if b"\\" in piece:
        # Pairs of backslashes first: one that is left stands before what it escapes. Lengths stay.
        plain = piece.replace(rb"\\", b"__").replace(rb"\"", b"__")
    opening = plain.rfind(b'"')
    if plain.count(b'"') % 2 == 0:
        opening = plain.rfind(b'"', 0, max(opening, 0))
    return plain.rfind(b",", 0, max(opening, 0))
