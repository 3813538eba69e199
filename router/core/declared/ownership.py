"""Which Kustomizations are built of this repository, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.declared.files import Note

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization
    from router.core.kustomize.tree import Tree

GIT = "GitRepository"
VARIABLE = "${"


def own_kustomizations(
    found: FluxFiles, tree: Tree, is_own: Collection[str]
) -> tuple[tuple[FluxKustomization, ...], tuple[Note, ...]]:
    """The Kustomizations that are built of this repository, and notes on the others.

    *is_own* has the URLs that are this repository's, normalized as those of the sources are.
    """
    sources = {each.name: each.url for each in found.objects.sources}
    is_known = any(url in is_own for url in sources.values())
    own, notes = [], []
    for each in found.objects.kustomizations:
        url = sources.get(each.source)
        is_elsewhere = is_known and bool(url) and url not in is_own  # a patch may tell the URL
        why = _why_not(each, tree, is_elsewhere=is_elsewhere)
        if why is None:
            own.append(each)
        else:
            message = f"the Kustomization `{each.name}` is not derived: {why}"
            notes.append(Note(file=each.file, message=message))
    return tuple(own), tuple(notes)


def _why_not(each: FluxKustomization, tree: Tree, *, is_elsewhere: bool) -> str | None:
    """Why a Kustomization makes no layer of this repository, or None."""
    texts = (each.name, each.path, *each.components)
    if any(VARIABLE in text for text in texts):
        return f"a variable stands in its name or path, `{each.path}`"
    if not each.name:
        return "it has no name"
    if each.source.kind != GIT:
        return f"its source is of kind {each.source.kind or 'unknown'}"
    if is_elsewhere:
        return f"its source `{each.source.name}` is another repository"
    folder = each.folder
    if folder.startswith("../") or not (tree.is_folder(folder) or folder in tree.files):
        return f"there is no folder {each.path}"
    return None
