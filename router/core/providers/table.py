"""Every Git host and registry that is served, one line each."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

from router.core.providers import (
    acr,
    azure_devops,
    bitbucket,
    bitbucket_server,
    codecommit,
    distribution,
    dockerhub,
    ecr,
    gar,
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

    from router.core.providers.interface import EncodePush, IsSigned, ParsePush, UrlForms, Verify
    from router.core.providers.registry import EncodeArtifact, ParseArtifact


class _Sender(Protocol):
    @property
    def verify(self) -> Verify: ...
    @property
    def is_signed(self) -> IsSigned: ...


class _GitHost(_Sender, Protocol):
    """A module of this package that is about a Git host."""

    @property
    def parse_push(self) -> ParsePush: ...
    @property
    def encode_push(self) -> EncodePush: ...


class _Registry(_Sender, Protocol):
    """A module of this package that is about a registry."""

    @property
    def parse_artifact(self) -> ParseArtifact: ...
    @property
    def encode_artifact(self) -> EncodeArtifact: ...


class _Host(TypedDict, total=False):
    """How a Git host names repositories; see Provider."""

    ignores_case: bool
    url_forms: UrlForms


def _provider(name: str, module: _GitHost, **host: Unpack[_Host]) -> Provider:
    return Provider(
        name=name,
        verify=module.verify,
        is_signed=module.is_signed,
        parse_push=module.parse_push,
        encode_push=module.encode_push,
        **host,
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
    _provider("github", github, ignores_case=True),
    _provider("gitlab", gitlab, ignores_case=True),
    _provider("gitea", gitea, ignores_case=True),
    replace(_provider("forgejo", gitea, ignores_case=True), encode_push=gitea.encode_forgejo_push),
    _provider("gogs", gogs, ignores_case=True),
    _provider("bitbucket", bitbucket, ignores_case=True),
    _provider(
        "bitbucket-server",
        bitbucket_server,
        ignores_case=True,
        url_forms=bitbucket_server.url_forms,
    ),
    _provider("azure-devops", azure_devops, ignores_case=True),
    _provider("codecommit", codecommit),
    _provider("gerrit", gerrit, url_forms=gerrit.url_forms),
    _provider("sourcehut", sourcehut, ignores_case=True),
    _provider("generic", generic),
    replace(
        _provider("standard-webhooks", standard_webhooks),
        secret_trouble=standard_webhooks.secret_trouble,
    ),
)
_OCI_REGISTRIES = (
    _registry("ghcr", ghcr),
    _registry("dockerhub", dockerhub),
    _registry("harbor", harbor),
    _registry("quay", quay),
    _registry("acr", acr),
    _registry("gar", gar),
    _registry("ecr", ecr),
    _registry("distribution", distribution),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in _GIT_HOSTS}
)
"""The Git hosts, by the name in the routing file."""

REGISTRIES: Mapping[str, Registry] = MappingProxyType(
    {registry.name: registry for registry in _OCI_REGISTRIES}
)
"""The registries, by the name in the routing file."""

SERVED: Mapping[str, Provider | Registry] = MappingProxyType({**PROVIDERS, **REGISTRIES})
"""Everything that a hook can be of, by the name in the routing file."""
