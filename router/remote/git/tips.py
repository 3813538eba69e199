"""What git prints of refs, as tips. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from router.core.naming import compile_ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.push import Commit

_PEELED = "^{}"
_LIMITS = {"refs/heads/": "--heads", "refs/tags/": "--tags"}


def listing_options(refs: Sequence[str]) -> tuple[str, ...]:
    """What spares ls-remote the refs that none of *refs* (names or wildcards) can stand for."""
    found = {prefix for ref in refs for prefix in _LIMITS if ref.startswith(prefix)}
    is_limited = all(ref.startswith(tuple(_LIMITS)) for ref in refs)
    return tuple(_LIMITS[prefix] for prefix in sorted(found)) if is_limited else ()


def parse_listing(output: bytes, refs: Sequence[str]) -> Mapping[str, Commit]:
    """The tips among ls-remote's lines that *refs* stand for.

    An annotated tag has two lines; the one that ends in `^{}` has the commit.
    """
    lines = output.decode("utf-8", "surrogateescape").split("\n")
    rows = [line.split("\t", 1) for line in lines if "\t" in line]
    tips = {ref: commit for commit, ref in rows if not ref.endswith(_PEELED)}
    tips |= {ref.removesuffix(_PEELED): commit for commit, ref in rows if ref.endswith(_PEELED)}
    patterns = [compile_ref(ref) for ref in refs]
    return {
        ref: commit
        for ref, commit in tips.items()
        if any(pattern.match(ref) for pattern in patterns)
    }


def kept_tip(ref: str) -> str:
    """The clone's own ref for the tip of *ref*.

    A digest: on the host `a` may go and `a/b` come, and here the former stays for a while.
    """
    return f"refs/tips/{hashlib.sha256(ref.encode('utf-8', 'surrogateescape')).hexdigest()}"


def kept_plan(repository: str) -> str:
    """The clone's own ref for the commit that an entry was last planned at."""
    return f"refs/planned/{repository}"


def parse_commits(output: bytes, refs: Sequence[str]) -> dict[str, Commit]:
    """By ref, what `cat-file --batch-check` says of each; one that is no commit is left out."""
    lines = output.decode("ascii", "replace").splitlines()
    rows = [(ref, line.split()) for ref, line in zip(refs, lines, strict=True)]
    return {ref: words[0] for ref, words in rows if words[1:2] == ["commit"]}
