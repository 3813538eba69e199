"""The steps that registries share: references, names, and how many tags a delivery holds."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.registry import (
    MAX_TAGS,
    artifact_name,
    checked_artifact,
    checked_artifacts,
    reference_tag,
)
from router.core.push import ArtifactPush, ArtifactUpdate

DIGEST = "sha256:" + "4e" * 32


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("ghcr.io/acme/app:main", "ghcr.io/acme/app", "main"),
        ("ghcr.io/acme/app:", "ghcr.io/acme/app", ""),
        ("ghcr.io/acme/app", "ghcr.io/acme/app", ""),
        ("localhost:5000/app", "localhost:5000/app", ""),
        ("localhost:5000/acme/app:v1", "localhost:5000/acme/app", "v1"),
        (f"https://h.example/acme/app@{DIGEST}", "h.example/acme/app", ""),
        (f"h.example/acme/app:v1@{DIGEST}", "h.example/acme/app", "v1"),
        ("", "", ""),
    ],
)
def test_a_reference_is_taken_apart(reference: str, name: str, tag: str) -> None:
    assert (artifact_name(reference), reference_tag(reference)) == (name, tag)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"artifact": ""}, "the host of the artifact is none"),
        ({"artifact": "ghcr.io"}, "the artifact's name"),
        ({"artifact": "ghcr.io/"}, "the artifact's name"),
        ({"artifact": "ghcr.io/acme//app"}, "the artifact's name"),
        ({"artifact": "ghcr.io/acme/../app"}, "the artifact's name"),
        ({"artifact": "ghcr.io/acme/app\n"}, None),  # white space at the ends does not count
        ({"artifact": "ghcr.io/acme/a\0b"}, "the artifact's name"),
        ({"artifact": "ghcr.io/acme/" + "a" * 512}, "the host of the artifact"),
        ({"artifact": "ghcr.io/acme/app" + "/" * 4096}, "longer than any registry"),
        ({"artifact": "ghcr.io:port/acme/app"}, "the host of the artifact"),
        ({"artifact": "user@ghcr.io/acme/app"}, "the host of the artifact"),
        ({"artifact": "[::1]:5000/acme/app"}, None),
        ({"tag": ""}, "the tag is none"),
        ({"tag": "a" * 129}, "the tag is none"),
        ({"tag": "a" * 128}, None),
        ({"tag": "-a"}, "the tag is none"),
        ({"tag": "a/b"}, "the tag is none"),
        ({"tag": "a\n"}, "the tag is none"),
        ({"digest": ""}, "the digest is no"),
        ({"digest": "sha256:abc123"}, "the digest is no"),
        ({"digest": DIGEST.upper()}, "the digest is no"),
        ({"digest": DIGEST + "\n"}, "the digest is no"),
        ({"digest": None}, None),
    ],
)
def test_what_cannot_be_an_artifact_is_malformed(
    change: dict[str, str | None], message: str | None
) -> None:
    fields: Any = {"artifact": "ghcr.io/acme/app", "tag": "main", "digest": DIGEST, **change}
    if message is None:
        checked_artifact(**fields)
        return
    with pytest.raises(MalformedPayload, match=message):
        checked_artifact(**fields)


def test_a_delivery_tells_of_a_thousand_tags_at_most_and_of_each_once() -> None:
    made = [ArtifactUpdate(artifact="a/b", tag=f"t{n}", digest=None) for n in range(MAX_TAGS)]
    push = checked_artifacts([*made[:3], made[0]], delivery_id=None)
    assert isinstance(push, ArtifactPush)
    assert push.updates == tuple(made[:3])
    assert isinstance(checked_artifacts(iter(made), delivery_id=None), ArtifactPush)
    with pytest.raises(MalformedPayload, match="more than 1000 tags"):
        checked_artifacts([*made, made[0]], delivery_id=None)
