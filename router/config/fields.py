"""The kinds of text a routing file holds: names, durations, refs, tags, paths of files.

A check takes the text and returns it, or raises ValueError with a sentence that follows the key's
name ("`ref` …"). It repeats neither URLs nor anything else that may hold a secret.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

from router.config.report import did_you_mean
from router.config.tree import shown
from router.core.providers.table import SERVED

LAYER_PLACEHOLDER: Final = "{layer}"

LABEL_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A DNS label, as Kubernetes names namespaces (RFC 1123, at most 63 characters)."""

DURATION_PATTERN: Final = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"

MAX_DURATION_SECONDS = 24 * 3600
MAX_OBJECT_NAME_CHARACTERS = 253
"""Kubernetes' limit for the name of an object such as a Receiver."""

_LABEL = re.compile(LABEL_PATTERN[:-1] + r"\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?\Z", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_WILDCARD = re.compile(r"\*|\?|\[!?[^\]/]+\]")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


def is_file_path(path: str) -> bool:
    """Whether *path* can name a file, and holds no placeholder."""
    return bool(path) and path.isprintable() and _BRACES.search(path) is None


def is_variable(name: str) -> bool:
    """Whether *name* can be that of an environment variable."""
    return _VARIABLE.match(name) is not None


def duration_seconds(text: str) -> int:
    """Seconds of a duration such as `90s`, `5m`, `2h` or `1m30s`. Raises ValueError."""
    match = _DURATION.match(text)
    if not text or match is None:
        raise ValueError("must be a duration such as 90s, 5m, 2h or 1m30s")
    hours, minutes, seconds = (int(digits or 0) for digits in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= MAX_DURATION_SECONDS:
        raise ValueError("must be more than 0s and at most 24h")
    return total


def is_username(text: str) -> bool:
    """Whether *text* can be sent as a user name."""
    return bool(text) and re.search(r"[:\x00-\x1f\x7f]", text) is None


def full_ref(text: str) -> str:
    """The full name of a ref that may be written as a bare branch name."""
    return text if text.startswith("refs/") else f"refs/heads/{text}"


def is_label(text: str) -> bool:
    """Whether a layer, a hook and so on may be called so."""
    return _LABEL.match(text) is not None


def _check_label(text: str) -> str:
    if not is_label(text):
        raise ValueError(
            f"must be at most 63 lower-case letters, digits and inner hyphens: {shown(text)} is not"
        )
    return text


def _check_duration(text: str) -> str:
    duration_seconds(text)
    return text


def _check_provider(text: str) -> str:
    if text not in SERVED:
        hint = did_you_mean(text.lower(), SERVED)
        known = f"; known are {', '.join(SERVED)}"
        raise ValueError(f"{shown(text)} is not a provider{hint or known}")
    return text


def _check_ref(text: str) -> str:
    """Git's own rules (https://git-scm.com/docs/git-check-ref-format), wildcards set aside."""
    if re.match(r"(heads|tags|remotes)/", text):
        raise ValueError(f"must be a branch name or a full name: write {shown(f'refs/{text}')}")
    if text.startswith("-") or text == "HEAD":
        raise ValueError(f"{shown(text)} cannot be the name of a branch")
    name = _WILDCARD.sub("x", full_ref(text))
    if _is_bad_ref(name):
        raise ValueError(f"{shown(text)} is not a name Git allows for a ref")
    if name.count("/") < 2:
        raise ValueError("must name a branch or a tag, such as refs/heads/main")
    return text


def _is_bad_ref(name: str) -> bool:
    parts = name.split("/")
    return (
        re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", name) is not None
        or name.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )


def _check_tag(text: str) -> str:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests"""
    if _TAG.match(_WILDCARD.sub("x", text)) is None:
        raise ValueError(f"{shown(text)} is not a tag that a registry allows, nor a pattern of one")
    return text


def _check_file(text: str) -> str:
    _check_path(text)
    if _BRACES.search(text):
        raise ValueError("must not hold braces; {layer} is only replaced in receivers")
    return text


def _check_path(text: str) -> None:
    if not text.isprintable() or not text:
        raise ValueError("must be the path of a file")


def _check_placeholders(text: str) -> None:
    if any(braces != LAYER_PLACEHOLDER for braces in _BRACES.findall(text)):
        raise ValueError("holds a placeholder other than {layer}, the only one there is")


def _check_layer_file(text: str) -> str:
    _check_path(text)
    _check_placeholders(text)
    return text


def _check_object_name(text: str) -> str:
    _check_placeholders(text)
    if _SUBDOMAIN.match(text.replace(LAYER_PLACEHOLDER, "layer")) is None:
        raise ValueError(
            f"must be lower-case letters, digits, inner hyphens and dots: {shown(text)} is not"
        )
    return text


def _check_variable(text: str) -> str:
    if not is_variable(text):
        raise ValueError("must be the name of an environment variable")
    return text


def _check_header(text: str) -> str:
    if _HEADER.match(text) is None:
        raise ValueError("must be the name of an HTTP header")
    return text


def _check_username(text: str) -> str:
    if not is_username(text):
        raise ValueError("must not be empty or hold a colon or control characters")
    return text


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _check_build(text: str) -> str:
    parts = text.removeprefix("./").split("/")
    if not text or text.startswith("/") or ".." in parts or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("must be a folder of the repository, such as ./apps/app1")
    return text


Label: TypeAlias = Annotated[
    str, AfterValidator(_check_label), Field(json_schema_extra={"pattern": LABEL_PATTERN})
]
Duration: TypeAlias = Annotated[
    str,
    AfterValidator(_check_duration),
    Field(json_schema_extra={"pattern": DURATION_PATTERN, "minLength": 2}),
]
Provider: TypeAlias = Annotated[
    str, AfterValidator(_check_provider), Field(json_schema_extra={"enum": [*SERVED]})
]
Ref: TypeAlias = Annotated[
    str, AfterValidator(_check_ref), Field(json_schema_extra={"minLength": 1})
]
ArtifactTag: TypeAlias = Annotated[
    str, AfterValidator(_check_tag), Field(json_schema_extra={"minLength": 1})
]
FilePath: TypeAlias = Annotated[
    str, AfterValidator(_check_file), Field(json_schema_extra={"pattern": r"^[^{}]+$"})
]
LayerFilePath: TypeAlias = Annotated[
    str, AfterValidator(_check_layer_file), Field(json_schema_extra={"minLength": 1})
]
ObjectName: TypeAlias = Annotated[
    str, AfterValidator(_check_object_name), Field(json_schema_extra={"minLength": 1})
]
Variable: TypeAlias = Annotated[
    str,
    AfterValidator(_check_variable),
    Field(json_schema_extra={"pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"}),
]
HeaderName: TypeAlias = Annotated[
    str, AfterValidator(_check_header), Field(json_schema_extra={"minLength": 1})
]
Username: TypeAlias = Annotated[
    str, AfterValidator(_check_username), Field(json_schema_extra={"pattern": r"^[^:]+$"})
]
Text: TypeAlias = Annotated[
    str, AfterValidator(_check_text), Field(json_schema_extra={"minLength": 1})
]
BuildPath: TypeAlias = Annotated[
    str, AfterValidator(_check_build), Field(json_schema_extra={"minLength": 1})
]
