"""Which Kustomizations are built of this repository, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from posixpath import dirname
from typing import TYPE_CHECKING

from router.core.declared.files import Note
from router.core.declared.scopes import nearness
from router.core.declared.sources import ANY_TAG, GIT
from router.core.declared.values import VARIABLE
from router.core.flux_objects import LAYER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.core.declared.files import FluxFiles
    from router.core.declared.objects import FluxKustomization
    from router.core.declared.sources import FluxSource
    from router.core.flux_objects import Resource
    from router.core.kustomize.tree import Tree
    from router.core.routing import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The repository whose files are read."""

    urls: Collection[str]
    """What it is called, normalized, and in lower case."""
    is_named: bool = True
    """It is called something, not only known by its path."""
    may_be_fork: bool = True
    """Its files may tell another one's URLs; not so where a remote is what the entry has."""
    entry: Repository | None = None
    """The entry whose ref counts; None where every ref does."""
    layers: Collection[str] = ()
    """All layers of the file, those of other entries, too."""
    kustomizations: Collection[str] = ()
    """How clusters call the Kustomizations of layers, with LAYER for the layer's name."""

    def layer_of(self, name: str) -> str:
        """The layer whose Kustomization has that name; the most telling of several forms counts."""
        for form in sorted(self.kustomizations, key=len, reverse=True):
            before, _, after = form.partition(LAYER)
            inner = name.removeprefix(before).removesuffix(after)
            if inner and form.replace(LAYER, inner) == name:
                return inner
        return name


class Sources:
    """The GitRepositories that files hold, as seen from the repository that has the files."""

    def __init__(self, sources: Sequence[FluxSource], ours: Ours, forked: Collection[str]) -> None:
        """*forked* are URLs of others that this one is taken to be a fork or a mirror of."""
        self.ours = ours
        self.by_name: dict[Resource, list[FluxSource]] = {}
        self._urls = frozenset({*ours.urls, *forked})
        self._files = frozenset(each.file for each in sources)
        self._known: dict[tuple[Resource, str], Sequence[FluxSource]] = {}
        for each in sources:
            self.by_name.setdefault(each.name, []).append(each)

    def of(self, name: Resource, file: str) -> Sequence[FluxSource]:
        """Those of that name, the nearest to *file* where several clusters have one."""
        key = (name, file if file in self._files else f"{dirname(file)}/")
        if key not in self._known:
            same = self.by_name.get(name, ())
            nearest = max((nearness(each.file, file) for each in same), default=0)
            self._known[key] = [each for each in same if nearness(each.file, file) == nearest]
        return self._known[key]

    def are_polled(self, each: FluxKustomization) -> bool:
        """Whether Flux fetches the source of a Kustomization often by itself."""
        found = self.of(each.source, each.file)
        return bool(found) and all(source.is_polled for source in found)

    def why_not(self, name: Resource, file: str) -> str | None:
        """Why what *file* builds of that source is not of this repository and ref, or None.

        A source that no file tells enough of may be ours: `flux bootstrap` may have made it, or a
        patch tells the rest.
        """
        first = None
        for each in self.of(name, file):
            reason = self._why_not(each)
            if reason is None:
                return None
            first = first or reason
        return first

    def _why_not(self, source: FluxSource) -> str | None:
        told, entry = f"its source `{source.name.name}`", self.ours.entry
        if source.url and source.url not in self._urls:
            return f"{told} is another repository"
        if source.is_pinned:
            return f"{told} stays at one commit"
        if source.ref and entry is not None and not _follows(entry, source.ref):
            return f"{told} follows {'tags' if source.ref == ANY_TAG else source.ref}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDerived:
    """A Kustomization that makes no layer."""

    kustomization: FluxKustomization
    reason: str
    is_ours: bool
    """It is built of this repository, as far as that can be told."""


@dataclass(frozen=True, slots=True)
class Owned:
    """The Kustomizations that are built of this repository."""

    kustomizations: tuple[FluxKustomization, ...]
    left_out: tuple[NotDerived, ...]
    sources: Sources
    by_layer: Mapping[str, Sequence[FluxKustomization]]

    def of(self, layer: str) -> Sequence[FluxKustomization]:
        """Those of a layer: one, or one for each of several clusters."""
        return self.by_layer.get(layer, ())

    @property
    def notes(self) -> tuple[Note, ...]:
        told = "the Kustomization `{}` is not derived: {}"
        return tuple(
            Note(
                file=each.kustomization.file,
                message=told.format(each.kustomization.name, each.reason),
            )
            for each in self.left_out
        )


def _find_sources(found: FluxFiles, ours: Ours) -> Sources:
    """The sources that *found* holds. Where none is told to be *ours*, the files may be those of a
    fork or a mirror, which mostly has the same name."""
    sources = found.objects.sources
    others = {each.url for each in sources} - {""}
    if not ours.may_be_fork or not others.isdisjoint(ours.urls):
        return Sources(sources, ours, ())
    names = {_last(url) for url in ours.urls}
    forked = {url for url in others if _last(url) in names}
    wanted = {each.source for each in found.objects.kustomizations if each.source.kind == GIT}
    are_told = wanted <= {each.name for each in sources if each.url}
    if not forked and not ours.is_named and are_told:
        forked = others  # one of them must be
    return Sources(sources, ours, forked)


def _last(url: str) -> str:
    return url.rpartition("/")[2]


def own_kustomizations(found: FluxFiles, tree: Tree, ours: Ours) -> Owned:
    """The Kustomizations that are built of this repository, and why the others are not."""
    sources = _find_sources(found, ours)
    own, left_out = [], []
    for each in found.objects.kustomizations:
        elsewhere = _why_elsewhere(each, sources)
        reason = elsewhere or _why_not(each, tree)
        if reason is None:
            depends_on = tuple(map(ours.layer_of, each.depends_on))
            own.append(replace(each, layer=ours.layer_of(each.name), depends_on=depends_on))
        else:
            left_out.append(
                NotDerived(kustomization=each, reason=reason, is_ours=elsewhere is None)
            )
    by_layer: dict[str, list[FluxKustomization]] = {}
    for each in own:
        by_layer.setdefault(each.layer, []).append(each)
    return Owned(tuple(own), tuple(left_out), sources, by_layer)


def _why_elsewhere(each: FluxKustomization, sources: Sources) -> str | None:
    """Why a Kustomization is not built of this repository and ref, or None."""
    if each.source.kind not in {GIT, ""}:
        return f"its source is of kind {each.source.kind}"
    return sources.why_not(each.source, each.file)


def _why_not(each: FluxKustomization, tree: Tree) -> str | None:
    """Why a Kustomization of this repository makes no layer, or None."""
    texts = (each.name, each.path, *each.components)
    if any(VARIABLE in text for text in texts):
        return f"a variable stands in its name or path, `{each.path}`"
    if not each.source.kind or VARIABLE in each.source.name:
        return f"its source is not known, `{each.source.name}`"
    if not each.name:
        return "it has no name"
    folder = each.folder
    if folder.startswith("../") or not (tree.is_folder(folder) or folder in tree.files):
        return f"there is no folder {each.path}"
    return None


def _follows(entry: Repository, ref: str) -> bool:
    return entry.ref.startswith(ANY_TAG) if ref == ANY_TAG else entry.tracks(ref)
