"""How repositories, artifacts and refs are named: two spellings of one name compare equal."""

from __future__ import annotations

from fnmatch import translate
from functools import lru_cache
from re import compile as compile_regex
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from router.core.ecr_hosts import ordinary_host

if TYPE_CHECKING:
    from re import Pattern as Regex

ARTIFACT_SCHEME = "oci://"
"""What the name of an OCI artifact starts with, where Flux and the routing file write it."""

DOCKER_HUB = "docker.io"
"""The host by which Docker Hub's artifacts are named."""

MAX_URL_CHARACTERS = 4096
"""The longest URL that names a repository or an artifact: Linux allows no longer path (PATH_MAX).
What bodies may hold is far longer, and to take it apart would cost seconds and gigabytes."""

_SSH_BY_HTTPS_PORT = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Names by which a host takes SSH on port 443, for networks that let nothing else out.
https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port
https://about.gitlab.com/blog/2016/02/18/gitlab-dot-com-now-supports-an-alternate-git-plus-ssh-port/
https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/"""

_DOCKER_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def compile_ref(ref: str) -> Regex[str]:
    """What matches the full names that *ref*, a full name or a wildcard, stands for.

    `*` and `?` also stand for slashes.
    """
    return compile_regex(translate(ref))


def normalize_artifact(url: str) -> str:
    """Reduce the name of an OCI artifact to `host/path`, as registries and Flux may write it.

    Scheme, case, the port 443 and a trailing slash do not count. Docker Hub has several names, and
    a path without a slash is one of its official images there. So has a registry of Amazon ECR.
    https://github.com/distribution/reference/blob/main/normalize.go
    """
    host, _, path = url.strip().removeprefix(ARTIFACT_SCHEME).lower().partition("/")
    host, path = host.removesuffix(":443"), path.strip("/")
    if host in _DOCKER_HUB_NAMES:
        host = DOCKER_HUB
        path = path if "/" in path else f"library/{path}"
    return f"{ordinary_host(host)}/{path}"


def normalize_url(url: str) -> str:
    """Reduce a repository's URL to `host/path`, the same for https, ssh and scp-like forms.

    Scheme, userinfo, port, percent-encoding, a trailing slash or `.git`, and the case of the host
    do not count, nor does the name that a host has for SSH on the port of HTTPS. The case of the
    path does. Empty for what is too long to be the URL of one: no entry has that name.
    """
    return _normalize_url(url) if len(url) <= MAX_URL_CHARACTERS else ""


@lru_cache(maxsize=1024)
def _normalize_url(url: str) -> str:
    text = url.strip()
    if "://" not in text:
        host, colon, path = text.partition(":")
        is_scp_like = colon and "/" not in host  # user@host:path
        text = f"ssh://{host}/{path.lstrip('/')}" if is_scp_like else f"file://{text}"
    try:
        parts = urlsplit(text)
        told = parts.hostname or ""
    except ValueError:
        return text
    host = _SSH_BY_HTTPS_PORT.get(told, told)
    path = unquote(parts.path).strip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{path}"
