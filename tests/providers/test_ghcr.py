"""GitHub's container registry: which events, packages and versions are pushes of a tag."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush, Ignored
from tests.providers.signing import sample_json

GHCR = REGISTRIES["ghcr"]
DIGEST = "sha256:" + "4e" * 32
UNTAGGED = "no tag was pushed: a layer follows tags, not digests"


def deliver(
    event: str = "package", *, action: str = "published", version: Any = None, **package: Any
) -> ArtifactPush | Ignored:
    """Read a delivery of a small payload."""
    tag = {"name": "main", "digest": "sha256:of-something-else"}
    given = {
        "version": DIGEST,
        "package_url": "ghcr.io/acme/app:main",
        "container_metadata": {"tag": tag},
        **(version or {}),
    }
    fields = {"package_type": "CONTAINER", "package_version": given, **package}
    headers = {"content-type": "application/json", "x-github-event": event}
    body = {"action": action, event: fields}
    return GHCR.parse_artifact(headers, json.dumps(body).encode())


def told(result: ArtifactPush | Ignored) -> tuple[str, str, str | None] | str:
    if isinstance(result, Ignored):
        return result.reason
    (update,) = result.updates
    return update.artifact, update.tag, update.digest


@pytest.mark.parametrize("event", ["package", "registry_package"])
@pytest.mark.parametrize("action", ["published", "updated"])
def test_both_events_tell_of_pushes(event: str, action: str) -> None:
    assert told(deliver(event, action=action)) == ("ghcr.io/acme/app", "main", DIGEST)


@pytest.mark.parametrize(
    ("package", "is_container"),
    [
        ({"package_type": "container"}, True),
        ({"package_type": "docker", "ecosystem": None}, True),
        ({"package_type": None, "ecosystem": "CONTAINER"}, True),
        # As GitHub's own example of a container has it.
        ({"package_type": "npm", "ecosystem": "docker"}, True),
        ({"package_type": "npm", "ecosystem": "npm"}, False),
        ({"package_type": "maven"}, False),
        ({"package_type": None}, False),
    ],
)
def test_only_containers_are_artifacts(package: dict[str, Any], is_container: bool) -> None:
    assert (told(deliver(**package)) == "the package is not a container") is not is_container


def with_tag(tag: Any) -> dict[str, Any]:
    return {"container_metadata": {"tag": tag}}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        # The manifests of single platforms, attestations, and other pushes by digest.
        ({"package_url": "ghcr.io/acme/app:", **with_tag({"name": ""})}, UNTAGGED),
        ({"package_url": "ghcr.io/acme/app", "container_metadata": None}, UNTAGGED),
        ({"package_url": "ghcr.io/acme/app", **with_tag(None)}, UNTAGGED),
        # A tag in one place is enough, and the field's counts where the two differ.
        ({**with_tag({"name": None})}, ("ghcr.io/acme/app", "main", DIGEST)),
        ({**with_tag({"name": "v1"})}, ("ghcr.io/acme/app", "v1", DIGEST)),
        ({"package_url": "ghcr.io/Acme/App:"}, ("ghcr.io/acme/app", "main", DIGEST)),
        # A server of one's own, and the registry before ghcr.io, whose versions are tags.
        (
            {"package_url": "containers.ghes.example:8443/acme/app:main"},
            ("containers.ghes.example:8443/acme/app", "main", DIGEST),
        ),
        ({"version": "1.0"}, ("ghcr.io/acme/app", "main", None)),
        ({"version": None}, ("ghcr.io/acme/app", "main", None)),
    ],
)
def test_the_version_is_the_digest_and_the_tag_says_whether_it_counts(
    version: dict[str, Any], expected: object
) -> None:
    assert told(deliver(version=version)) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"package_version": None}, "names no version of the package"),
        ({"package_version": "x"}, r"\$\.package\.package_version`"),
        ({"package_version": {"version": 7}}, r"\$\.package\.package_version\.version"),
        ({"version": {"package_url": None}}, "names no package_url"),
        ({"version": {"package_url": ""}}, "names no package_url"),
        ({"version": {"package_url": "app:main"}}, "the artifact's name"),
        ({"version": {"version": "sha256:abc123"}}, "the digest is no SHA-256"),
        ({"version": with_tag({"name": "a b"})}, "the tag is none"),
        ({"version": with_tag("main")}, r"container_metadata\.tag"),
    ],
)
def test_a_container_that_cannot_be_one_is_malformed(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        deliver(**fields)


def test_a_payload_of_the_other_event_names_no_package() -> None:
    headers, payload = sample_json("ghcr", "push")
    headers["x-github-event"] = "registry_package"
    with pytest.raises(MalformedPayload, match="the payload names no registry_package"):
        GHCR.parse_artifact(headers, json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("ping", "a ping: the webhook reaches us"),
        ("push", "the push event tells of commits: a hook of the provider github reads it"),
        ("star", "the star event is not a push"),
        ("<b>", "the event is not a push"),
    ],
)
def test_other_events_of_github_are_ignored(event: str, reason: str) -> None:
    assert told(deliver(event)) == reason


def test_a_missing_event_header_is_named() -> None:
    with pytest.raises(MalformedPayload, match=r"^no X-GitHub-Event header$"):
        GHCR.parse_artifact({"content-type": "application/json"}, b"{}")
