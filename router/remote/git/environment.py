"""What the git command gets to see of the environment: an allow-list, and nothing of the user's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

_PASSED = frozenset(
    {
        "PATH",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "GIT_EXEC_PATH",  # where a git that was moved finds its own programs
        "LD_LIBRARY_PATH",
        *_PROXIES,
        *(name.upper() for name in _PROXIES),
    }
)

_FIXED = {
    "LC_ALL": "C",  # complaints are told apart by their words
    "HOME": os.devnull,  # libcurl would read ~/.netrc
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",  # since git 2.45; what older ones need is in commands.py
    "GIT_DEFAULT_REF_FORMAT": "files",
}
"""https://git-scm.com/docs/git#_environment_variables"""


def git_environment(variables: Mapping[str, str], *, also: Sequence[str] = ()) -> dict[str, str]:
    """Of *variables*, those git needs and those named in *also*, with the settings it must have.

    Git then reads no configuration but the repository's own and the command line's, asks nobody
    for anything, and speaks English.
    """
    names = _PASSED.union(also)
    return {name: value for name, value in variables.items() if name in names} | _FIXED
