"""The kinds of text a routing file holds, as tables."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from router.config import fields, urls
from router.config.fields import (
    DURATION_PATTERN,
    LABEL_PATTERN,
    duration_seconds,
    full_ref,
)


def is_valid(kind: Any, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1m30s", 90), ("1h1m1s", 3661), ("24h", 86400)],
)
def test_a_duration_is_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds
    assert re.search(DURATION_PATTERN, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "5",
        "s",
        "5 m",
        "5m ",
        "-5m",
        "1.5h",
        "1s1m",
        "25h",
        "٣m",
        "5M",
        "5m\n",
        "9" * 99 + "s",
    ],
)
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        duration_seconds(text)


@pytest.mark.parametrize("text", ["a", "0", "a-b", "app1", "a" * 63])
def test_a_label(text: str) -> None:
    assert is_valid(fields.Label, text)
    assert re.search(LABEL_PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "A", "a.b", "a_b", "a\n", "ä", "a" * 64, "{layer}"]
)
def test_no_label(text: str) -> None:
    assert not is_valid(fields.Label, text)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("main", "refs/heads/main"),
        ("feature/a.b", "refs/heads/feature/a.b"),
        ("refs/heads/main", "refs/heads/main"),
        ("refs/tags/v*", "refs/tags/v*"),
        ("refs/tags/v[0-9]*.[!x]?", "refs/tags/v[0-9]*.[!x]?"),
        ("refs/changes/01/1/1", "refs/changes/01/1/1"),
        ("*", "refs/heads/*"),
        ("ünïcode", "refs/heads/ünïcode"),
        ("a@b", "refs/heads/a@b"),
        ("reference", "refs/heads/reference"),
    ],
)
def test_a_ref(text: str, full: str) -> None:
    assert is_valid(fields.Ref, text)
    assert full_ref(text) == full


# https://git-scm.com/docs/git-check-ref-format, rule by rule
@pytest.mark.parametrize(
    "text",
    [
        "",
        ".hidden",
        "a/.hidden",
        "a.lock",
        "a.lock/b",
        "a..b",
        "a b",
        "a\tb",
        "a\x7fb",
        "a~1",
        "a^",
        "a:b",
        "a[b",
        "a[]b",
        "/a",
        "a/",
        "a//b",
        "a.",
        "a@{b",
        "a\\b",
        "-a",
        "HEAD",
        "refs/",
        "refs/heads",
        "refs/heads/",
        "heads/main",
        "tags/v1",
        "remotes/origin/main",
        "a\n",
    ],
)
def test_no_ref(text: str) -> None:
    assert not is_valid(fields.Ref, text)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/acme/fleet",
        "https://me@dev.azure.com/acme/_git/fleet",
        "http://gitea.svc:3000/me/x.git",
        "ssh://git@host:2222/x.git",
        "git@github.com:acme/fleet.git",
        "host:fleet.git",
        "file:///srv/git/fleet.git",
        "/srv/git/fleet.git",
        "git://host/x",
    ],
)
def test_a_repository_url(text: str) -> None:
    assert is_valid(urls.RepositoryUrl, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fleet",
        "acme/fleet",
        "github.com/acme/fleet",
        "https://",
        "https:///x",
        "https://github.com",
        "https://github.com/",
        "https://a:b@github.com/x",
        "https://github.com/x?y",
        "https://github.com/x#y",
        "https://github.com:x/y",
        "https://[::1/x",
        "https://git hub.com/x",
        "oci://ghcr.io/x",
        "javascript://x/y",
        "./fleet",
        "git@host:",
        "ext::sh",
        "git@host::x",
        "-oProxyCommand=x:y",
        "git@-oProxyCommand=x:y",
        "ssh://-oProxyCommand=x/y",
        "ssh://git@-x/y",
        "ssh://%2DoProxyCommand=x/y",
    ],
)
def test_no_repository_url(text: str) -> None:
    assert not is_valid(urls.RepositoryUrl, text)


def test_a_repository_url_is_no_longer_than_one_of_a_payload_may_be() -> None:
    assert is_valid(urls.RepositoryUrl, "https://h/" + "a" * 4086)
    assert not is_valid(urls.RepositoryUrl, "https://h/" + "a" * 4087)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://github.com/acme/fleet", "https"),
        ("HTTPS://github.com/acme/fleet", "https"),
        ("http://gitea.svc:3000/me/x.git", "http"),
        ("ssh://git@host:2222/x.git", "ssh"),
        ("git@github.com:acme/fleet.git", "ssh"),
        ("host:/srv/fleet.git", "ssh"),
        ("file:///srv/git/fleet.git", "file"),
        ("/srv/git/a:b.git", "file"),
        ("git://host/x", "git"),
        ("ext::sh", None),
        ("ftp://host/x", None),
        ("fleet", None),
    ],
)
def test_how_a_repository_is_reached(url: str, kind: str | None) -> None:
    assert urls.transport(url) == kind


@pytest.mark.parametrize(
    "text", ["http://x", "https://x/", "http://[::1]:80/base", "http://10.0.0.1"]
)
def test_a_cluster_url(text: str) -> None:
    assert is_valid(urls.HttpUrl, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "//x",
        "ftp://x",
        "http://",
        "http://:80",
        "http://x?",
        "http://x#",
        "http://a@x",
        "http://x:0x",
        "http://x:70000",
        "http://x\n",
        "http://[x",
        "HTTP//x",
    ],
)
def test_no_cluster_url(text: str) -> None:
    assert not is_valid(urls.HttpUrl, text)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (urls.ArtifactUrl, "oci://ghcr.io/a/b", "oci://ghcr.io/a/b:tag"),
        (urls.ArtifactUrl, "oci://localhost:5000/a", "oci://ghcr.io/a@sha256:0"),
        (urls.ArtifactUrl, "oci://a/b", "https://ghcr.io/a"),
        (urls.ArtifactUrl, "oci://a/b", "oci://a"),
        (fields.FilePath, "secrets/x y", "secrets/{layer}"),
        (fields.FilePath, "/abs", "a\0b"),
        (fields.LayerFilePath, "s/{layer}/t", "s/{Layer}"),
        (fields.LayerFilePath, "s", "s/{layer"),
        (fields.ObjectName, "{layer}", "{layer}_x"),
        (fields.ObjectName, "a.b-{layer}.c", "a..b"),
        (fields.ObjectName, "x", "{layer}{cluster}"),
        (fields.ObjectName, "{layer}-x", "-{layer}"),
        (fields.Variable, "_A1", "1A"),
        (fields.Variable, "a", "A=B"),
        (fields.HeaderName, "X-Token", "X Token"),
        (fields.HeaderName, "x!", "x:"),
        (fields.Username, "me", "me:you"),
        (fields.Username, "me@x", ""),
        (fields.Text, "x", " "),
        (fields.BuildPath, "./apps/app1", "../x"),
        (fields.BuildPath, "apps", "/apps"),
    ],
)
def test_other_kinds_of_text(kind: Any, good: str, bad: str) -> None:
    assert is_valid(kind, good)
    assert not is_valid(kind, bad)
