"""Which entries have the repository that a payload names by its path on its host, without a URL.

A host's URLs may have parts of its own around that name (Gerrit: a/acme/fleet), and before them the
path that the host itself is served under, which no payload tells (gerrit/a/acme/fleet). Every entry
of the repository has to be found, whichever of these URLs it has, and no other repository that is
named alike. Where an entry shows that its host has no such path, nothing may stand before a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from router.core.naming import MAX_URL_CHARACTERS, normalize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router.core.routing import Repository

_Server: TypeAlias = tuple[str, bool]
"""A host, and whether it is meant over HTTP: by SSH its repositories may be elsewhere."""


def find_named(
    entries: Iterable[Repository],
    path: str,
    *,
    url_forms: Callable[[str], Sequence[str]],
    ignores_case: bool,
) -> tuple[Repository, ...]:
    """The *entries* whose repository has the name *path* on its host, in their order.

    *url_forms* are what a URL has in place of that name. Where nothing tells which path a host is
    served under, any may stand before the name.
    """
    if len(path) > MAX_URL_CHARACTERS:
        return ()
    name = path.strip("/").removesuffix(".git")
    forms = [_folded(form, ignores_case) for form in (name, *url_forms(name))]
    own_parts = tuple(f"{form.partition('/')[0]}/" for form in forms[1:])
    exact: set[str] = set()
    likely: list[tuple[Repository, _Server, str]] = []
    bases: dict[_Server, set[str]] = {}
    for entry in entries:
        host, _, told = normalize_url(entry.url).partition("/")
        server, whole = (
            (host, entry.url.startswith(("http://", "https://"))),
            _folded(told, ignores_case),
        )
        base = _base(whole, forms)
        if base is not None:
            exact.add(entry.name)
            bases.setdefault(server, set()).add(base)
        elif whole.startswith(own_parts):
            bases.setdefault(server, set()).add("")
        likely.append((entry, server, whole))
    return tuple(
        entry
        for entry, server, whole in likely
        if entry.name in exact or _may_be(whole, forms[0], bases.get(server))
    )


def _folded(text: str, ignores_case: bool) -> str:
    return text.lower() if ignores_case else text


def _base(whole: str, forms: Sequence[str]) -> str | None:
    """What stands before the name, or before the host's own parts; None where that is not sure."""
    if whole in forms:
        return ""
    for form in forms[1:]:
        if whole.endswith(f"/{form}"):
            return whole.removesuffix(f"/{form}")
    return None


def _may_be(whole: str, name: str, bases: set[str] | None) -> bool:
    if bases is None:
        return whole.endswith(f"/{name}")
    return any(whole == f"{base}/{name}" for base in bases)
