"""The kinds of URL a routing file holds: of repositories, of clusters and issuers, of artifacts.

As in `fields`, a check never repeats what it refuses: a URL may hold a secret.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias, cast, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, Field

from router.core.naming import MAX_URL_CHARACTERS

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?[^@/:\s]+:(?!//|:)\S+\Z")

RepositoryTransport: TypeAlias = Literal["https", "http", "ssh", "git", "file"]
"""How git would reach a repository."""


def transport(url: str) -> RepositoryTransport | None:
    """How git would reach *url*; None for what is no URL of a repository."""
    try:
        _check_repository_url(url)
    except ValueError:
        return None
    if "://" in url:
        return cast("RepositoryTransport", urlsplit(url).scheme)
    return "file" if url.startswith("/") else "ssh"


def _split(text: str) -> SplitResult:
    if _UNPRINTABLE.search(text):
        raise ValueError("must not hold spaces or control characters")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a valid URL") from None
    return parts


def _check_repository_url(text: str) -> str:
    if len(text) > MAX_URL_CHARACTERS:
        raise ValueError(f"must not be longer than {MAX_URL_CHARACTERS} characters")
    parts = _split(text)
    _check_option(text)
    if "://" not in text:
        if not text.startswith("/") and _SCP_LIKE.match(text) is None:
            raise ValueError("must be an https or ssh URL, user@host:path, or an absolute path")
        return text
    if parts.scheme not in get_args(RepositoryTransport):
        raise ValueError("must start with https://, http://, ssh://, git:// or file://")
    if parts.password is not None:
        raise ValueError("must not hold a password; the URL is shown and stored")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    if not parts.path.strip("/") or not (parts.hostname or parts.scheme == "file"):
        raise ValueError("must name a host and the path of a repository")
    return text


def _check_option(text: str) -> None:
    """Neither git nor ssh may take a host for an option (CVE-2017-1000117)."""
    rest = unquote(text.partition("://")[2] or text)
    if any(part.startswith("-") for part in rest.partition("/")[0].split("@")):
        raise ValueError("must not have a user name or host that starts with a hyphen")


def _check_http_url(text: str) -> str:
    parts = _split(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or a fragment: Flux compares the exact path")
    return text


def _check_artifact(text: str) -> str:
    parts = _split(text)
    if parts.scheme != "oci" or not parts.netloc or not parts.path.strip("/"):
        raise ValueError("must be oci://host/path")
    if "@" in text or ":" in parts.path:
        raise ValueError("must not hold a tag, a digest or a user name")
    return text


RepositoryUrl: TypeAlias = Annotated[
    str,
    AfterValidator(_check_repository_url),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_URL_CHARACTERS}),
]
HttpUrl: TypeAlias = Annotated[
    str, AfterValidator(_check_http_url), Field(json_schema_extra={"pattern": r"^https?://[^?#]+$"})
]
ArtifactUrl: TypeAlias = Annotated[
    str, AfterValidator(_check_artifact), Field(json_schema_extra={"pattern": r"^oci://[^@]+$"})
]
