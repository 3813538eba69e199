"""Values for tests: sensible defaults, and keywords for what a test is about."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from router.core.match import LayerIndex
from router.core.model import Secret
from router.core.naming import ARTIFACT_SCHEME, normalize_artifact
from router.core.push import RefUpdate
from router.core.routing import (
    Artifact,
    Cluster,
    Hook,
    Layer,
    PathAuth,
    Receiver,
    Repository,
    Routing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.routing import HookAuth

SECRET = b"hook-secret"
URL = "https://github.com/acme/fleet"
MAIN = "refs/heads/main"
ZERO = "0" * 40

CHAIN = {
    "bootstrap": ["bootstrap/"],
    "controllers": ["controllers/", "!controllers/**/*.md"],
    "databases": ["databases/"],
    "post-config": ["post-config/"],
    "app1": ["apps/app1/", "apps/base/"],
    "app2": ["apps/app2/", "apps/base/"],
    "app3": ["apps/app3/", "apps/base/"],
}
"""The seven layers of the worked example."""


def commit(number: int) -> str:
    """A commit id that tells its number."""
    return f"{number:040x}"


def make_layer(
    name: str,
    patterns: Sequence[str],
    *,
    repository: str = "fleet",
    clusters: Sequence[str] = ("prod",),
    **fields: Any,
) -> Layer:
    definition = hashlib.sha256(repr((patterns, clusters)).encode()).hexdigest()
    return Layer(
        name=name,
        repository=repository,
        patterns=tuple(patterns),
        receivers=tuple(f"{cluster}/flux-system/{name}" for cluster in clusters),
        **{"definition": definition, **fields},
    )


def make_repository(
    layers: Mapping[str, Sequence[str]] | Sequence[Layer] = CHAIN, **fields: Any
) -> Repository:
    made = (
        tuple(make_layer(name, patterns) for name, patterns in layers.items())
        if hasattr(layers, "items")
        else tuple(layers)
    )
    given = {"name": "fleet", "hook": "github", "url": URL, "ref": MAIN, **fields}
    index = LayerIndex((layer.name, layer.patterns) for layer in made)
    return Repository(layers=made, index=index, **given)


def make_routing(
    *repositories: Repository,
    provider: str = "github",
    suspended_clusters: Sequence[str] = (),
    generation: int = 0,
    token: bytes = b"receiver-token",
    **hook: Any,
) -> Routing:
    entries = repositories or (make_repository(),)
    keys = [key for entry in entries for layer in entry.layers for key in layer.receivers]
    parts = [key.split("/") for key in dict.fromkeys(keys)]
    hooks = {entry.hook for entry in entries}
    return Routing(
        digest=hashlib.sha256(repr(entries).encode()).hexdigest(),
        hooks={
            name: Hook(name=name, provider=provider, **{"secrets": (Secret(SECRET),), **hook})
            for name in hooks
        },
        clusters={
            name: Cluster(
                name=name,
                url=f"http://{name}.test",
                is_suspended=name in suspended_clusters,
            )
            for name in sorted({cluster for cluster, _, _ in parts})
        },
        repositories=entries,
        receivers={
            f"{cluster}/{namespace}/{name}": Receiver(
                cluster=cluster,
                namespace=namespace,
                name=name,
                type="generic-hmac",
                token=Secret(token),
            )
            for cluster, namespace, name in parts
        },
        generation=generation,
    )


def make_artifact(
    name: str, artifact: str = "ghcr.io/acme/app", *, tag: str = "main", hook: str = "ghcr"
) -> Artifact:
    """A layer of that name that follows a tag of an artifact."""
    path = normalize_artifact(artifact)
    layer = make_layer(name, [], repository=ARTIFACT_SCHEME + path, definition=f"{path}:{tag}")
    return Artifact(hook=hook, artifact=path, tag=tag, layer=layer)


def make_artifact_routing(
    *artifacts: Artifact, generation: int = 1, auth: HookAuth | None = None
) -> Routing:
    """A file of artifacts only; each of their hooks is of the registry of that name.

    What goes before a dash is the registry's name. ghcr signs, the others have a token in the URL.
    """
    layers = [artifact.layer for artifact in artifacts]
    base = make_routing(make_repository(layers), generation=generation)
    hooks = {
        name: Hook(name=name, provider=name.partition("-")[0], secrets=(Secret(SECRET),))
        if name.startswith("ghcr")
        else Hook(
            name=name,
            provider=name.partition("-")[0],
            auth=auth or PathAuth(token=Secret(SECRET)),
        )
        for name in {artifact.hook for artifact in artifacts}
    }
    return replace(base, hooks=hooks, repositories=(), artifacts=tuple(artifacts))


def make_update(**fields: Any) -> RefUpdate:
    return RefUpdate(
        **{
            "ref": MAIN,
            "before": commit(1),
            "after": commit(2),
            "forced": False,
            "paths": ("apps/app1/a.yaml",),
            **fields,
        }
    )


def github_push(
    *,
    before: str = commit(1),
    after: str = commit(2),
    paths: Sequence[str] = ("apps/app1/a.yaml",),
    ref: str = MAIN,
    forced: bool = False,
    url: str = URL,
) -> dict[str, Any]:
    """The body of a GitHub push, as far as it is used."""
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == ZERO,
        "deleted": after == ZERO,
        "forced": forced,
        "commits": [{"id": after, "added": [], "modified": list(paths), "removed": []}],
        "repository": {"html_url": url, "clone_url": f"{url}.git"},
    }


def github_request(
    payload: Mapping[str, Any] | bytes,
    *,
    delivery: str = "guid-1",
    event: str = "push",
    secret: bytes = SECRET,
) -> tuple[dict[str, str], bytes]:
    """The headers and body of a GitHub delivery, signed."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": f"sha256={digest}",
    }, body
