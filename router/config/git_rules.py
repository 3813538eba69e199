"""What goes together under `git`: the URL that is read, and the credentials for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from router.config.fields import duration_seconds, is_username
from router.config.tree import MappingNode, Node, child, key_node, shown, text
from router.config.urls import RepositoryTransport, transport

if TYPE_CHECKING:
    from router.config.report import Report

MIN_SWEEP_INTERVAL_SECONDS: Final = 10
"""Between two looks at a Git host: what an operator may ask of a host that others use, too."""

_UNSAFE: Final = {
    "http": "git mode does not read http:// URLs: the credentials and what is read would cross the "
    "network unprotected; give an https or ssh URL",
    "git": "git mode does not read git:// URLs: nothing proves who answers, and what is read "
    "crosses the network unprotected; give an https or ssh URL",
}

_NEEDS: Final[dict[str, tuple[RepositoryTransport, str]]] = {
    "token": ("https", "a token needs an https URL"),
    "ca": ("https", "a ca needs an https URL"),
    "sshKey": ("ssh", "an sshKey needs an ssh URL"),
    "knownHosts": ("ssh", "knownHosts need an ssh URL"),
}


def check_git(entry: MappingNode, report: Report) -> None:
    """Report what does not go together under the `git` of one entry of `repositories`."""
    git = child(entry, "git")
    if not isinstance(git, MappingNode):
        return
    _check_one_credential(git, report)
    _check_sweep(git, report)
    place = child(git, "url") or child(entry, "url")
    url = text(git, "url") if child(git, "url") is not None else text(entry, "url")
    kind = None if url is None else transport(url)
    if url is None or place is None or kind is None:
        return
    if kind in _UNSAFE:
        is_own = child(git, "url") is not None
        report.error(place, _UNSAFE[kind] + ("" if is_own else " as `git.url`"))
        return
    _check_transport(git, kind, place, report)
    if kind == "https" and not is_username(split_user(url)[1] or "git"):
        report.error(place, "the URL's user name must not hold a colon or control characters")


def split_user(url: str) -> tuple[str, str | None]:
    """An https URL without its user name, and that name; any other URL as it is.

    The user name of an ssh URL belongs to the address. That of an https URL only goes with a
    token, and what others put there may be one.
    """
    if transport(url) != "https":
        return url, None
    parts: SplitResult = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=host).geturl(), unquote(user) or None


def _check_one_credential(git: MappingNode, report: Report) -> None:
    if {"token", "sshKey"} <= git.entries.keys():
        later = max(("token", "sshKey"), key=lambda key: _position(key_node(git, key)))
        report.error(key_node(git, later), "`git` must not have both a token and an sshKey")
    elif "username" in git.entries and "token" not in git.entries:
        report.warn(key_node(git, "username"), "without a token, `username` does nothing")


def _position(node: Node) -> tuple[int, int]:
    return node.line, node.column


def _check_sweep(git: MappingNode, report: Report) -> None:
    interval, place = text(git, "sweepInterval"), child(git, "sweepInterval")
    if interval is None or place is None:
        return
    try:
        seconds = duration_seconds(interval)
    except ValueError:
        return  # reported as the key's own error
    if seconds < MIN_SWEEP_INTERVAL_SECONDS:
        report.error(
            place,
            f"`sweepInterval` must be at least {MIN_SWEEP_INTERVAL_SECONDS}s: {shown(interval)} "
            "would burden the Git host; webhooks tell of pushes at once",
        )


def _check_transport(
    git: MappingNode, kind: RepositoryTransport, place: Node, report: Report
) -> None:
    has_both = {"token", "sshKey"} <= git.entries.keys()
    for key, (needed, message) in _NEEDS.items():
        # Which of two credentials is the wrong one is not ours to say.
        is_told = has_both and key in {"token", "sshKey"}
        if key in git.entries and kind != needed and not is_told:
            report.error(key_node(git, key), message)
    if kind == "ssh" and "token" not in git.entries and "sshKey" not in git.entries:
        report.error(place, "an ssh URL needs `git.sshKey` and `git.knownHosts`")
    elif kind == "ssh" and "sshKey" in git.entries and "knownHosts" not in git.entries:
        report.error(
            key_node(git, "sshKey"), "an sshKey needs knownHosts: they prove that the host is real"
        )
