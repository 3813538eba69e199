"""The providers and registries this version serves, and the names of all that are known."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from router.core.providers import (
    azure_devops,
    bitbucket,
    bitbucket_server,
    codecommit,
    dockerhub,
    generic,
    gerrit,
    ghcr,
    gitea,
    github,
    gitlab,
    gogs,
    harbor,
    quay,
    sourcehut,
    standard_webhooks,
)
from router.core.providers.interface import Provider
from router.core.providers.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.core.providers.interface import EncodePush, IsSigned, ParsePush, Verify
    from router.core.providers.registry import EncodeArtifact, ParseArtifact


class _GitHost(Protocol):
    """A module of this package that is about a Git host."""

    @property
    def verify(self) -> Verify: ...
    @property
    def is_signed(self) -> IsSigned: ...
    @property
    def parse_push(self) -> ParsePush: ...
    @property
    def encode_push(self) -> EncodePush: ...


class _Registry(Protocol):
    """A module of this package that is about a registry."""

    @property
    def verify(self) -> Verify: ...
    @property
    def is_signed(self) -> IsSigned: ...
    @property
    def parse_artifact(self) -> ParseArtifact: ...
    @property
    def encode_artifact(self) -> EncodeArtifact: ...


def _provider(name: str, module: _GitHost) -> Provider:
    return Provider(
        name=name,
        verify=module.verify,
        is_signed=module.is_signed,
        parse_push=module.parse_push,
        encode_push=module.encode_push,
    )


def _registry(name: str, module: _Registry) -> Registry:
    return Registry(
        name=name,
        verify=module.verify,
        is_signed=module.is_signed,
        parse_artifact=module.parse_artifact,
        encode_artifact=module.encode_artifact,
    )


_GIT_HOSTS = (
    _provider("github", github),
    _provider("gitlab", gitlab),
    _provider("gitea", gitea),
    replace(_provider("forgejo", gitea), encode_push=gitea.encode_forgejo_push),
    _provider("generic", generic),
    _provider("gogs", gogs),
    _provider("standard-webhooks", standard_webhooks),
    _provider("sourcehut", sourcehut),
    _provider("bitbucket", bitbucket),
    _provider("bitbucket-server", bitbucket_server),
    _provider("azure-devops", azure_devops),
    _provider("codecommit", codecommit),
    _provider("gerrit", gerrit),
)
_OCI_REGISTRIES = (
    _registry("ghcr", ghcr),
    _registry("dockerhub", dockerhub),
    _registry("harbor", harbor),
    _registry("quay", quay),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in _GIT_HOSTS}
)
"""The Git hosts this version serves, by the name in the routing file."""

REGISTRIES: Mapping[str, Registry] = MappingProxyType(
    {registry.name: registry for registry in _OCI_REGISTRIES}
)
"""The registries this version serves, by the name in the routing file."""

SERVED: Mapping[str, Provider | Registry] = MappingProxyType({**PROVIDERS, **REGISTRIES})
"""Everything that a hook of this version can be of, by the name in the routing file."""

KNOWN_GIT_HOSTS: tuple[str, ...] = (
    *("github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "bitbucket-server"),
    *("azure-devops", "codecommit", "gerrit", "sourcehut", "generic", "standard-webhooks"),
)
KNOWN_REGISTRIES: tuple[str, ...] = (
    *("ghcr", "dockerhub", "harbor", "quay", "acr", "gar", "ecr", "distribution"),
)
KNOWN_PROVIDERS: tuple[str, ...] = (*KNOWN_GIT_HOSTS, *KNOWN_REGISTRIES)
"""Every name a routing file may hold; one that is not in SERVED is not served yet."""
