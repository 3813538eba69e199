"""A routing file without problems, and its secrets, as the values the flow works with."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from router.config.fields import duration_seconds, full_ref
from router.config.git_rules import split_user
from router.config.receivers import OIDC, ReceiverUse, receiver_uses, reference
from router.config.resolve import read_git_secrets
from router.config.tree import Node, child, items
from router.core.kustomize.closure import Build
from router.core.match import LayerIndex
from router.core.naming import ARTIFACT_SCHEME, normalize_artifact, normalize_url
from router.core.routing import (
    Artifact,
    BasicAuth,
    Cluster,
    GitAccess,
    HeaderAuth,
    Hook,
    Layer,
    OidcAuth,
    PathAuth,
    Receiver,
    ReceiverType,
    Repository,
    Routing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.config.file import (
        ArtifactLayerForm,
        AuthForm,
        ClusterForm,
        GitForm,
        HookForm,
        LayerForm,
        RepositoryForm,
        RoutingFile,
    )
    from router.config.resolve import Secrets
    from router.core.routing import HookAuth


def build_routing(file: RoutingFile, root: Node, secrets: Secrets, *, digest: str) -> Routing:
    """The routing that *file*, whose tree is *root*, describes.

    A hook whose secrets are missing verifies nothing, a receiver without its token has none.
    """
    uses = tuple(receiver_uses(root))
    keys: dict[str, tuple[str, ...]] = {}
    for use in uses:
        keys[use.layer] = (*keys.get(use.layer, ()), use.key)
    hooks = zip(file.hooks, items(root, "hooks"), strict=True)
    entries = zip(file.repositories, items(root, "repositories"), strict=True)
    return Routing(
        digest=digest,
        hooks={hook.name: _hook(hook, node, secrets) for hook, node in hooks},
        clusters={cluster.name: _cluster(cluster, secrets) for cluster in file.clusters},
        repositories=tuple(_repository(entry, node, keys, secrets) for entry, node in entries),
        receivers={use.key: _receiver(use, secrets) for use in uses},
        artifacts=tuple(
            _artifact(entry.hook, layer, keys[layer.name])
            for entry in file.artifacts
            for layer in entry.layers
        ),
    )


def _hook(hook: HookForm, node: Node, secrets: Secrets) -> Hook:
    found = [
        secrets.signing_secret(reference(item), provider=hook.provider)
        for item in items(node, "secrets")
    ]
    return Hook(
        name=hook.name,
        provider=hook.provider,
        secrets=tuple(secret for secret in found if secret is not None),
        auth=None if hook.auth is None else _auth(hook.auth, child(node, "auth"), secrets),
    )


def _auth(auth: AuthForm, node: Node | None, secrets: Secrets) -> HookAuth | None:
    """None while its secret is missing: without auth and secrets a hook lets nothing in."""
    if auth.basic is not None:
        password = secrets.hook_secret(reference(child(node, "basic", "password")))
        name = auth.basic.username
        return None if password is None else BasicAuth(username=name, password=password)
    if auth.header is not None:
        value = secrets.hook_secret(reference(child(node, "header", "value")))
        name = auth.header.name.lower()
        return None if value is None else HeaderAuth(name=name, value=value)
    if auth.oidc is not None:
        oidc = auth.oidc
        return OidcAuth(issuer=oidc.issuer, audience=oidc.audience, email=oidc.email)
    token = secrets.path_token(reference(child(node, "path")))
    return None if token is None else PathAuth(token=token)


def _cluster(cluster: ClusterForm, secrets: Secrets) -> Cluster:
    ca = None if cluster.tls is None else cluster.tls.ca.file
    return Cluster(
        name=cluster.name,
        url=cluster.url.rstrip("/"),
        ca_file=None if ca is None else secrets.path(ca),
        ca_digest=None if ca is None else secrets.digest(ca),
        is_suspended=cluster.suspend,
    )


def _repository(
    entry: RepositoryForm, node: Node, keys: Mapping[str, tuple[str, ...]], secrets: Secrets
) -> Repository:
    layers = tuple(
        Layer(
            name=layer.name,
            repository=entry.name,
            patterns=layer.paths,
            receivers=keys[layer.name],
            depends_on=layer.depends_on,
            is_suspended=layer.suspend,
            build=_build(layer),
            definition=_definition(entry, layer, keys[layer.name]),
        )
        for layer in entry.layers
    )
    return Repository(
        name=entry.name,
        hook=entry.hook,
        url=entry.url,
        ref=full_ref(entry.ref),
        layers=layers,
        index=LayerIndex((layer.name, layer.patterns) for layer in layers),
        force_pushes=entry.force_pushes,
        unmapped=entry.unmapped,
        git=None if entry.git is None else _access(entry.url, entry.git, node, secrets),
    )


def _artifact(hook: str, layer: ArtifactLayerForm, receivers: tuple[str, ...]) -> Artifact:
    name = normalize_artifact(layer.artifact)
    return Artifact(
        hook=hook,
        artifact=name,
        tag=layer.tag,
        layer=Layer(
            name=layer.name,
            repository=ARTIFACT_SCHEME + name,
            patterns=(),
            receivers=receivers,
            depends_on=layer.depends_on,
            is_suspended=layer.suspend,
            definition=_digest([name, layer.tag, list(receivers)]),
        ),
    )


def _access(default_url: str, git: GitForm, entry: Node, secrets: Secrets) -> GitAccess:
    """A credential that is missing is left out: the host refuses, and the payload's rules apply."""
    url, user = split_user(git.url or default_url)
    found = read_git_secrets(child(entry, "git"), secrets)
    return GitAccess(
        url=url,
        username=git.username if user is None or "username" in git.model_fields_set else user,
        token=found.token,
        ssh_key=found.ssh_key,
        known_hosts=found.known_hosts,
        ca=found.ca,
        sweep_interval_seconds=duration_seconds(git.sweep_interval),
        visible_timeout_seconds=duration_seconds(git.visible_timeout),
    )


def _build(layer: LayerForm) -> Build | None:
    if layer.build is None:
        return None
    folders = (layer.build,) if isinstance(layer.build, str) else layer.build
    return Build(folders=folders, components=layer.components)


def _definition(entry: RepositoryForm, layer: LayerForm, receivers: Sequence[str]) -> str:
    """Digest of what makes a layer be adopted anew; how its URL is spelled is no part of it."""
    parts: list[object] = [
        *(list(layer.paths), full_ref(entry.ref), normalize_url(entry.url), list(receivers)),
    ]
    build = _build(layer)
    if build is not None:  # digests of layers without one stay what they were before there was any
        parts += [list(build.folders), list(build.components)]
    return _digest(parts)


def _digest(parts: Sequence[object]) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


def _receiver(use: ReceiverUse, secrets: Secrets) -> Receiver:
    is_oidc = use.type == OIDC
    bearer = use.token.name if is_oidc and use.token is not None else None
    return Receiver(
        cluster=use.cluster,
        namespace=use.namespace,
        name=use.name,
        type=cast("ReceiverType", use.type),
        token=None if is_oidc else secrets.receiver_token(use.token),
        bearer_file=None if bearer is None else secrets.path(bearer),
    )
