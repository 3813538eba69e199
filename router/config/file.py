"""The whole form of the routing file, as typed and documented models.

The rules that look at more than one key stand in `rules`, `names` and `receivers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag

from router.config.fields import (
    ArtifactTag,
    BuildPath,
    Duration,
    HeaderName,
    Label,
    ObjectName,
    Provider,
    Ref,
    Text,
    Username,
)
from router.config.form import (
    DEFAULT_NAMESPACE,
    RECEIVER_KEYS,
    FileRef,
    Form,
    ReceiverDefaults,
    ReceiverOverride,
    SecretRef,
)
from router.config.urls import ArtifactUrl, HttpUrl, RepositoryUrl

SINGLE_TAG = "<one receiver>"
BY_CLUSTER_TAG = "<by cluster>"
FOLDER_TAG = "<one folder>"
FOLDERS_TAG = "<folders>"


class BasicAuthForm(Form):
    username: Username = Field(description="User name the provider sends.")
    password: SecretRef = Field(description="Password the provider sends.")


class HeaderAuthForm(Form):
    name: HeaderName = Field(description="Name of the header, in any case.")
    value: SecretRef = Field(description="The header's whole value.")


class OidcAuthForm(Form):
    issuer: HttpUrl = Field(description="URL of the token's issuer.")
    audience: Text = Field(description="Audience the token must be made for.")
    email: Text | None = Field(default=None, description="Email the token must carry.")


class AuthForm(Form):
    """How a provider that cannot sign proves itself: exactly one of the keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    basic: BasicAuthForm | None = Field(default=None, description="HTTP Basic authentication.")
    header: HeaderAuthForm | None = Field(default=None, description="A header with a fixed value.")
    path: SecretRef | None = Field(
        default=None, description="A token at the end of the URL: POST /hooks/{hook}/{token}."
    )
    oidc: OidcAuthForm | None = Field(default=None, description="A bearer token (OIDC).")


class HookForm(Form):
    """One inbound endpoint, POST /hooks/{name}."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["secrets"]}, {"required": ["auth"]}]}
    )

    name: Label = Field(description="Name of the hook; the last part of its URL.")
    provider: Provider = Field(description="Kind of Git host or registry that posts here.")
    secrets: tuple[SecretRef, ...] | None = Field(
        default=None,
        min_length=1,
        description="Secrets that deliveries may be signed with; several while one is rotated. "
        "One final newline of a secret does not count.",
    )
    auth: AuthForm | None = Field(
        default=None, description="Instead of secrets, for providers that cannot sign."
    )


class TlsForm(Form):
    ca: FileRef = Field(description="PEM file with the certificates to trust for this cluster.")


class KustomizationForm(Form):
    """Whose events confirm a layer."""

    namespace: Label = Field(
        default=DEFAULT_NAMESPACE, description="Namespace of the Flux Kustomizations."
    )
    name: ObjectName = Field(
        default="{layer}",
        description="Name of a layer's Flux Kustomization; `{layer}` becomes the layer's name.",
    )


class EventsForm(Form):
    """The events that Flux posts to /flux/events/{cluster}. Not served by this version."""

    secret: SecretRef = Field(description="Key of the Flux Provider of type generic-hmac.")
    confirm_timeout: Duration = Field(
        default="2m", description="How long to wait for an event before calling again."
    )
    gate_timeout: Duration = Field(
        default="5m", description="How long a layer waits for those it depends on."
    )
    on_timeout: Literal["proceed", "hold"] = Field(
        default="proceed", description="What a layer does when that time is over."
    )


class ClusterForm(Form):
    """One cluster whose Flux Receivers are called."""

    name: Label = Field(description="Name of the cluster.")
    url: HttpUrl = Field(description="Address of its notification-controller's receivers.")
    tls: TlsForm | None = Field(default=None, description="How to trust an https address.")
    suspend: bool = Field(default=False, description="Decide and record, but call nothing there.")
    receiver: ReceiverDefaults | None = Field(
        default=None, description="Defaults for the receivers of this cluster."
    )
    kustomization: KustomizationForm | None = Field(
        default=None, description="The Kustomizations whose events confirm layers."
    )
    events: EventsForm | None = Field(
        default=None, description="Events from this cluster. Not served by this version."
    )


class GitForm(Form):
    """How the router reads the repository itself: git mode."""

    url: RepositoryUrl | None = Field(
        default=None,
        description="Where to fetch from: https, ssh or a local repository. Default: the entry's "
        "url.",
    )
    username: Username = Field(default="git", description="User name that goes with the token.")
    token: SecretRef | None = Field(
        default=None, description="Token or password to read the repository over https."
    )
    ssh_key: FileRef | None = Field(
        default=None, description="Private key to read the repository over ssh; no passphrase."
    )
    known_hosts: FileRef | None = Field(
        default=None, description="The host's keys, as in a known_hosts file; required with ssh."
    )
    ca: FileRef | None = Field(
        default=None,
        description="PEM file with the certificates to trust with https, instead of the system's.",
    )
    sweep_interval: Duration = Field(
        default="5m",
        description="How often to look for pushes whose webhook was lost; at least 10s.",
    )
    visible_timeout: Duration = Field(
        default="60s", description="How long to wait for a pushed commit to become visible."
    )


def _receiver_tag(value: object) -> str:
    """A mapping without any key of a receiver is one by cluster name."""
    if isinstance(value, Mapping) and value and not RECEIVER_KEYS & value.keys():
        return BY_CLUSTER_TAG if all(isinstance(v, Mapping) for v in value.values()) else SINGLE_TAG
    return SINGLE_TAG


LayerReceiver: TypeAlias = Annotated[
    Annotated[ReceiverOverride, Tag(SINGLE_TAG)]
    | Annotated[dict[Label, ReceiverOverride], Tag(BY_CLUSTER_TAG)],
    Discriminator(_receiver_tag),
]


def _build_tag(value: object) -> str:
    return FOLDERS_TAG if isinstance(value, list | tuple) else FOLDER_TAG


LayerBuild: TypeAlias = Annotated[
    Annotated[BuildPath, Tag(FOLDER_TAG)] | Annotated[tuple[BuildPath, ...], Tag(FOLDERS_TAG)],
    Discriminator(_build_tag),
]


class LayerBase(Form):
    """What a layer has, however its content is published."""

    name: Label = Field(description="Name of the layer; no other in the file may have it.")
    depends_on: tuple[Label, ...] = Field(
        default=(), description="Layers that come first. This version does not order calls yet."
    )
    clusters: tuple[Label, ...] | None = Field(
        default=None, min_length=1, description="Clusters the layer is on. Default: all."
    )
    receiver: LayerReceiver | None = Field(
        default=None,
        description="What differs from the cluster's defaults; also as a map by cluster name.",
    )
    suspend: bool = Field(default=False, description="Decide and record, but call nothing.")


class LayerForm(LayerBase):
    """A set of files of the repository, and the receivers to call when they change."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["paths"]}, {"required": ["build"]}]}
    )

    paths: tuple[str, ...] = Field(
        default=(),
        min_length=1,
        description="Patterns; `!` excludes, and the last one that matches wins.",
    )
    build: LayerBuild | None = Field(
        default=None,
        description="Git mode: a folder, or several, as `spec.path` of a Flux Kustomization has "
        "it; the files that its kustomize build reads are the layer's.",
    )
    components: tuple[Text, ...] = Field(
        default=(),
        description="`spec.components` of that Kustomization: folders, relative to the build's.",
    )


class RepositoryForm(Form):
    """One ref of a Git repository and the layers it feeds."""

    name: Label = Field(description="Name of the entry.")
    hook: Label = Field(description="The hook its deliveries come through.")
    url: RepositoryUrl = Field(
        description="The repository; compared with the payload's URLs by host and path alone."
    )
    ref: Ref = Field(description="A branch name or a full ref; `*`, `?` and `[…]` are wildcards.")
    git: GitForm | None = Field(
        default=None,
        description="Git mode (recommended): compare the pushed commits themselves, instead of "
        "trusting what the payload lists.",
    )
    force_pushes: Literal["possible", "impossible"] = Field(
        default="possible",
        description="impossible states that the branch is protected against them, which lets "
        "the file lists of GitLab, Gitea and Forgejo be trusted. In git mode it only matters "
        "while the repository cannot be read.",
    )
    unmapped: Literal["ignore", "all"] = Field(
        default="ignore", description="What a changed file that no layer owns asks for."
    )
    layers: tuple[LayerForm, ...] = Field(min_length=1, description="The layers of this ref.")


class ArtifactLayerForm(LayerBase):
    """A layer that is published as an OCI artifact."""

    artifact: ArtifactUrl = Field(
        description="The artifact, oci://host/path, as the registry names it."
    )
    tag: ArtifactTag = Field(
        description="The tag whose pushes count; `*`, `?` and `[…]` are wildcards."
    )


class ArtifactsForm(Form):
    """Layers that follow a registry's artifacts, not the files of a repository."""

    hook: Label = Field(description="The hook the registry posts to.")
    layers: tuple[ArtifactLayerForm, ...] = Field(min_length=1, description="The layers.")


class RoutingFile(Form):
    """Which push calls which Flux Receivers."""

    api_version: Literal["flux-router/v1"] = Field(description="Version of this form.")
    hooks: tuple[HookForm, ...] = Field(min_length=1, description="Inbound endpoints.")
    clusters: tuple[ClusterForm, ...] = Field(
        min_length=1, description="Clusters whose receivers are called."
    )
    repositories: tuple[RepositoryForm, ...] = Field(
        default=(), description="Refs of Git repositories; several may share a url."
    )
    artifacts: tuple[ArtifactsForm, ...] = Field(
        default=(), description="Layers that are published as OCI artifacts; no repository needed."
    )
