"""The routing file in force, as values: hooks, clusters, repositories, layers, receivers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.naming import compile_ref, normalize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from re import Pattern as Regex

    from router.core.kustomize.closure import Build
    from router.core.match import LayerIndex, Unmapped
    from router.core.model import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A named set of path patterns and receivers."""

    name: str
    repository: str
    patterns: tuple[str, ...]
    receivers: tuple[str, ...]
    """Receiver keys, one for each cluster the layer is on."""
    depends_on: tuple[str, ...] = ()
    is_suspended: bool = False
    build: Build | None = None
    """Git mode: what is built of it; the files that this reads are the layer's, too."""
    definition: str = ""
    """Digest of what makes the layer be adopted anew when it changes: patterns, ref, receivers."""


ReceiverType: TypeAlias = Literal[
    "generic", "generic-hmac", "generic-oidc", "github", "gitlab", "bitbucket"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A Flux Receiver; its URL path is derived from the token and is a secret."""

    cluster: str
    namespace: str
    name: str
    type: ReceiverType
    token: Secret | None = None
    """Used byte for byte, as Flux does; None for generic-oidc."""
    bearer_file: str | None = None
    """generic-oidc only: the file whose content is read anew for each call."""

    @property
    def key(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where receivers are: the address of one cluster's notification-controller."""

    name: str
    url: str
    ca_file: str | None = None
    ca_digest: str | None = None
    """SHA-256 of that file: a new CA makes a cluster another one."""
    is_suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    username: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderAuth:
    name: str
    """Lower case."""
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAuth:
    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcAuth:
    issuer: str
    audience: str
    email: str | None = None


SecretAuth: TypeAlias = BasicAuth | HeaderAuth | PathAuth
"""Credentials that hold a secret of this hook."""

HookAuth: TypeAlias = SecretAuth | OidcAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One configured inbound endpoint, /hooks/{name}."""

    name: str
    provider: str
    secrets: tuple[Secret, ...] = ()
    auth: HookAuth | None = None
    """For providers that cannot sign; checked instead of a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """How an entry's repository is read with git."""

    url: str
    """https, ssh (also user@host:path) or file (also an absolute path); holds no secret."""
    username: str = "git"
    """Goes with the token."""
    token: Secret | None = None
    ssh_key: Secret | None = None
    """A private key, as its file holds it."""
    known_hosts: Secret | None = None
    """Host keys to trust with ssh, as their file holds them."""
    ca: Secret | None = None
    """PEM certificates to trust with https, instead of the system's."""
    sweep_interval_seconds: float = 300.0
    visible_timeout_seconds: float = 60.0

    @property
    def host(self) -> str:
        """What repositories share that one machine serves; empty for this one's folders."""
        return normalize_url(self.url).partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One entry under `repositories`: a ref of a Git repository and the layers it feeds."""

    name: str
    hook: str
    url: str
    ref: str
    """Full name; may hold wildcards, e.g. refs/tags/v*."""
    layers: tuple[Layer, ...]
    index: LayerIndex = field(repr=False)
    force_pushes: Literal["possible", "impossible"] = "possible"
    unmapped: Unmapped = "ignore"
    git: GitAccess | None = None
    """Git mode: how its changes are read; None for payload mode."""
    _ref_regex: Regex[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ref_regex", compile_ref(self.ref))

    @property
    def is_wildcard(self) -> bool:
        """Whether the entry follows several refs, with one cursor."""
        return any(character in self.ref for character in "*?[")

    @property
    def builds(self) -> Mapping[str, Build]:
        """What is built of each layer that has a build, by its name."""
        return {layer.name: layer.build for layer in self.layers if layer.build is not None}

    def tracks(self, ref: str) -> bool:
        """Whether this entry follows *ref* (a full name; the whole name must match)."""
        return self._ref_regex.match(ref) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A layer that follows tags of an OCI artifact; one line under `artifacts`."""

    hook: str
    artifact: str
    """Host and path, as `normalize_artifact` writes them."""
    tag: str
    """A tag; may hold wildcards, e.g. v*."""
    layer: Layer
    _tag_regex: Regex[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tag_regex", compile_ref(self.tag))

    def has_tag(self, tag: str) -> bool:
        """Whether the layer follows *tag*; the whole name must match."""
        return self._tag_regex.match(tag) is not None


_ByUrl: TypeAlias = "Mapping[tuple[str, str], tuple[Repository, ...]]"
"""Hook and normalized URL → the entries that have both."""


def _by_url(entries: Iterable[Repository], spelled: Callable[[str], str]) -> _ByUrl:
    found: dict[tuple[str, str], tuple[Repository, ...]] = {}
    for entry in entries:
        key = (entry.hook, spelled(normalize_url(entry.url)))
        found[key] = (*found.get(key, ()), entry)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """A routing file that loaded; immutable, so that a push sees one whole version."""

    digest: str
    hooks: Mapping[str, Hook]
    clusters: Mapping[str, Cluster]
    repositories: tuple[Repository, ...]
    receivers: Mapping[str, Receiver]
    artifacts: tuple[Artifact, ...] = ()
    generation: int = 0
    """The number the store gave it; 0 until it is in force."""
    layers: Mapping[str, Layer] = field(init=False, repr=False)
    _by_name: Mapping[str, Repository] = field(init=False, repr=False, compare=False)
    _by_url: _ByUrl = field(init=False, repr=False, compare=False)
    _by_folded_url: _ByUrl = field(init=False, repr=False, compare=False)
    _order: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        layers = {layer.name: layer for entry in self.repositories for layer in entry.layers}
        layers |= {artifact.layer.name: artifact.layer for artifact in self.artifacts}
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "_by_url", _by_url(self.repositories, str))
        object.__setattr__(self, "_by_folded_url", _by_url(self.repositories, str.lower))
        order = {entry.name: number for number, entry in enumerate(self.repositories)}
        object.__setattr__(self, "_order", order)
        by_name = {entry.name: entry for entry in self.repositories}
        object.__setattr__(self, "_by_name", by_name)

    def entry(self, name: str) -> Repository | None:
        """The entry of that name; None when the file has none."""
        return self._by_name.get(name)

    def entries(
        self, hook: str, urls: Iterable[str], *, ignores_case: bool = False
    ) -> tuple[Repository, ...]:
        """The entries of *hook* whose URL is one of *urls*, in file order.

        Where the host *ignores_case*, two spellings that differ in case only are one repository.
        """
        index = self._by_folded_url if ignores_case else self._by_url
        names = [normalize_url(url) for url in urls]
        keys = dict.fromkeys((hook, name.lower() if ignores_case else name) for name in names)
        found = [entry for key in keys for entry in index.get(key, ())]
        return tuple(sorted(found, key=lambda entry: self._order[entry.name]))

    def entries_of(self, hook: str) -> tuple[Repository, ...]:
        """All entries of *hook*, in file order."""
        return tuple(entry for entry in self.repositories if entry.hook == hook)

    def followers(self, hook: str, artifact: str) -> tuple[Artifact, ...]:
        """The layers of *hook* that follow an artifact, whatever its tag, in file order."""
        return tuple(
            each for each in self.artifacts if each.hook == hook and each.artifact == artifact
        )

    def is_held(self, receiver: str, layer: str) -> bool:
        """Whether a suspension keeps *layer* from having *receiver* called."""
        cluster = self.clusters[self.receivers[receiver].cluster]
        return cluster.is_suspended or self.layers[layer].is_suspended
