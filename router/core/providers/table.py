"""The providers this version serves, and the names of all that are known."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from router.core.providers import generic, gitea, github, gitlab
from router.core.providers.interface import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVED = (
    Provider(
        name="github",
        verify=github.verify,
        is_signed=github.is_signed,
        parse_push=github.parse_push,
        encode_push=github.encode_push,
    ),
    Provider(
        name="gitlab",
        verify=gitlab.verify,
        is_signed=gitlab.is_signed,
        parse_push=gitlab.parse_push,
        encode_push=gitlab.encode_push,
    ),
    Provider(
        name="gitea",
        verify=gitea.verify,
        is_signed=gitea.is_signed,
        parse_push=gitea.parse_push,
        encode_push=gitea.encode_push,
    ),
    Provider(
        name="forgejo",
        verify=gitea.verify,
        is_signed=gitea.is_signed,
        parse_push=gitea.parse_push,
        encode_push=gitea.encode_forgejo_push,
    ),
    Provider(
        name="generic",
        verify=generic.verify,
        is_signed=generic.is_signed,
        parse_push=generic.parse_push,
        encode_push=generic.encode_push,
    ),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in _SERVED}
)
"""What this version serves, by the name in the routing file."""

KNOWN_PROVIDERS: tuple[str, ...] = (
    "github",
    "gitlab",
    "gitea",
    "forgejo",
    "gogs",
    "bitbucket",
    "bitbucket-server",
    "azure-devops",
    "codecommit",
    "gerrit",
    "sourcehut",
    "generic",
    "standard-webhooks",
    "ghcr",
    "dockerhub",
    "harbor",
    "quay",
    "acr",
    "gar",
    "ecr",
    "distribution",
)
"""Every name a routing file may hold; one that is not in PROVIDERS is not served yet."""
